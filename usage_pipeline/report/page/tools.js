// The page's data and words, and the small tools that both tables and charts use.
// Not here: tables (report.js, costs.js), charts (charts.js). render.py joins the files into one script of the page.
// Everything that AWS or a person wrote reaches the page as text nodes or canvas text, never as HTML.

const page = JSON.parse(document.getElementById("page-data").textContent);
const words = page.labels;

const ALL = "ALL"; // the pool's sum over its profiles, as marts.usage_statistics writes it

// What the reader chose; `drawing` grows when every chart must be drawn again.
const state = { window: page.first_window, basis: "active", drawing: 0 };

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

const counted = (text, n) => fill(text[n === 1 ? "one" : "many"], { n: number(n) });

// 1,234,567 · 12.35 · 0.125, as formats.py writes numbers.
function number(value) {
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

const short = (value) => new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(value);

const percent = (share) => `${(100 * share).toLocaleString("en-US", { maximumFractionDigits: 1 })}\u202f%`;

const minute = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// The packed parts are a JSON string of base64 of zlib, as render.py writes them.
async function unpack(script) {
  const bytes = Uint8Array.from(atob(JSON.parse(script.textContent)), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const chosenWindow = () => page.windows.find((window) => window.name === state.window);

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
