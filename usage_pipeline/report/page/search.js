// The search box: pools, profiles, applications, quotas and findings by any part of their name.

const MOST_FOUND = 20;

// Every thing that can be found: what it is, its name, where it is, and what choosing it does.
function searchEntries() {
  const found = [];
  const add = (kind, name, where, act) => found.push({ kind, name, where, act, text: `${name} ${where}`.toLowerCase() });
  for (const [target, pool] of allPools) {
    add("pool", `${pool.model_name} · ${endpointName(pool.endpoint_type)}`, `${pool.account_name} · ${pool.region} · ${pool.model_id}`, () => visit(target));
    for (const { profile_name: name, profile_id: id } of pool.profiles) add("profile", name, `${id} · ${poolTitle(pool)}`, () => visit(target));
    for (const { code, name } of pool.quotas) if (code) add("quota", name ?? code, `${code} · ${poolTitle(pool)}`, () => visit(target));
  }
  for (const name of cube?.names.application ?? []) {
    if (typeof name !== "string") continue;
    add("application", name, words.search.application_where, () => {
      change({ application: name });
      visit("costs");
    });
  }
  for (const card of document.querySelectorAll("#findings .finding")) add("finding", card.querySelector("h3").textContent.trim(), "", () => visit(card.id));
  return found;
}

// Every word must be there; those that begin with the text come first.
function matchingEntries(entries, text) {
  const parts = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!parts.length) return [];
  const fitting = entries.filter((entry) => parts.every((part) => entry.text.includes(part)));
  return sorted(fitting, (entry) => (entry.text.startsWith(parts[0]) ? 0 : 1), false);
}

class Search {
  constructor() {
    this.input = element("input", {
      type: "text", "aria-label": words.search.title, placeholder: words.search.placeholder, autocomplete: "off", spellcheck: "false",
      role: "combobox", "aria-expanded": "true", "aria-controls": "search-results", "aria-autocomplete": "list",
    });
    this.list = element("ul", { id: "search-results", role: "listbox", "aria-label": words.search.results });
    this.none = element("p", { class: "quiet", role: "status" });
    this.dialog = element("dialog", { class: "search", "aria-label": words.search.title }, this.input, this.none, this.list);
    document.body.append(this.dialog);
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("keydown", (event) => this.step(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  open() {
    this.entries ??= searchEntries();
    this.input.value = "";
    this.show();
    this.dialog.showModal();
  }

  show() {
    const found = matchingEntries(this.entries, this.input.value);
    this.found = found.slice(0, MOST_FOUND);
    this.list.replaceChildren(...this.found.map((entry, place) => this.option(entry, place)));
    this.list.hidden = !this.found.length;
    this.none.textContent = this.input.value.trim() ? counted(words.search.found, found.length) : words.search.hint;
    this.choose(0);
  }

  option({ kind, name, where }, place) {
    const option = element("li", { role: "option", id: `search-${place}` },
      element("span", { class: "kind" }, words.search.kinds[kind]), element("span", { class: "name" }, name), element("small", {}, where));
    option.addEventListener("click", () => this.go(place));
    return option;
  }

  choose(place) {
    this.place = place;
    [...this.list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === place)));
    if (this.found.length) this.input.setAttribute("aria-activedescendant", `search-${place}`);
    else this.input.removeAttribute("aria-activedescendant");
    this.list.children[place]?.scrollIntoView({ block: "nearest" });
  }

  step(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && this.found.length) {
      event.preventDefault();
      this.choose((this.place + steps[event.key] + this.found.length) % this.found.length);
    } else if (event.key === "Enter" && this.found.length) {
      event.preventDefault();
      this.go(this.place);
    }
  }

  go(place) {
    this.dialog.close();
    this.found[place].act();
  }
}
