// Elements of the page. Everything that AWS or a person wrote reaches it as text nodes or canvas text, never as HTML.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

const missing = (text = words.unknown) => element("span", { class: "missing" }, text);

const heading = (text, level = "h4") => element(level, {}, text);

// The colour that the style sheet gives a name in the theme of now; a canvas knows no var(). Kept, because the browser
// computes the style of everything new on the page before it answers.
const probe = element("span", { hidden: "" });
document.documentElement.append(probe);
const colors = new Map();
function color(name) {
  if (!colors.has(name)) {
    probe.style.color = `var(--${name})`;
    colors.set(name, getComputedStyle(probe).color);
  }
  return colors.get(name);
}
