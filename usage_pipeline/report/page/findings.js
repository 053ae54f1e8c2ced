// Findings: copying what they offer, and going from one to the next. Not here: their words and order (findings of the report).

const findingCards = () => [...document.querySelectorAll("#findings .finding:not([hidden])")];

// The clipboard needs a page that the browser trusts; else the text is selected, and the browser's own copy takes it.
async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(from);
    document.execCommand("copy");
  }
}

function addCopyButtons(root) {
  for (const block of root.querySelectorAll(".copyable")) {
    const text = block.querySelector("code, pre");
    const copier = button(words.findings_text.copy, async () => {
      await copy(text.textContent, text);
      copier.textContent = words.findings_text.copied;
      setTimeout(() => (copier.textContent = words.findings_text.copy), 2000);
    }, { class: "copy" });
    block.append(copier);
  }
}

// `step` is 1 or -1; after the last comes the last.
function goToFinding(step) {
  const cards = findingCards();
  if (!cards.length) return;
  const here = cards.indexOf(document.activeElement?.closest?.(".finding"));
  const next = here < 0 ? (step > 0 ? 0 : cards.length - 1) : Math.min(Math.max(here + step, 0), cards.length - 1);
  visit(cards[next].id);
}

// How many are shown; more than a screenful waits for a click.
const MOST_FINDINGS = 25;

class Findings {
  constructor() {
    this.section = byId("findings");
    this.showsAll = false;
    this.more = button("", () => {
      this.showsAll = true;
      this.show();
    }, { class: "more" });
    this.section?.append(this.more);
    if (this.section) addCopyButtons(this.section);
  }

  show() {
    if (!this.section) return;
    const fitting = [...this.section.querySelectorAll(".finding:not([data-filtered])")];
    fitting.forEach((card, place) => card.classList.toggle("beyond", !this.showsAll && place >= MOST_FINDINGS));
    this.more.hidden = this.showsAll || fitting.length <= MOST_FINDINGS;
    this.more.textContent = fill(words.findings_text.show_all, { n: number(fitting.length) });
    byId("findings-count").textContent = fitting.length === this.section.querySelectorAll(".finding").length ? ""
      : fill(words.findings_text.count, { n: number(fitting.length), all: number(this.section.querySelectorAll(".finding").length) });
  }
}
