// How the page looks to this reader: theme, time zone, paper, help; and the keys.

function themeSelect() {
  const select = element("select", { name: "theme", "aria-label": words.theme });
  for (const [value, label] of Object.entries(words.themes)) select.append(new Option(label, value));
  select.addEventListener("change", () => change({ theme: select.value }));
  const show = () => {
    select.value = state.theme;
    document.documentElement.dataset.theme = state.theme;
  };
  watch(["theme"], () => {
    show();
    redraw();
  });
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return select;
}

function zoneSelect() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const select = element("select", { name: "zone", "aria-label": words.zone });
  const add = (zone, label = zone) => select.append(new Option(label, zone));
  add(UTC);
  if (own !== UTC && isZone(own)) add(own, fill(words.own_zone, { zone: own }));
  select.addEventListener("change", () => change({ zone: select.value }));
  const show = () => {
    if (![...select.options].some(({ value }) => value === state.zone)) add(state.zone);
    select.value = state.zone;
    showTimes();
  };
  watch(["zone"], () => {
    show();
    redraw();
  });
  show();
  return select;
}

// The zones of the world, of which there are hundreds.
function addOtherZones() {
  const select = byId("display").querySelector("[name=zone]");
  const known = new Set([...select.options].map(({ value }) => value));
  for (const zone of Intl.supportedValuesOf("timeZone")) if (!known.has(zone)) select.append(new Option(zone, zone));
}

// Times that the page has from the beginning, and the words that say in which zone they are.
function showTimes() {
  const put = (place, text) => place.textContent !== text && (place.textContent = text); // nothing is laid out anew for equal text
  for (const time of document.querySelectorAll('time[datetime$="Z"]')) put(time, minute(time.dateTime));
  for (const name of document.querySelectorAll(".zone")) put(name, state.zone);
  byId("zone-note").textContent = state.zone === UTC ? words.utc : fill(words.other_zone, { zone: state.zone });
}

// ---- Keys and help -------------------------------------------------------------------------------------------

function helpDialog() {
  const keys = Object.entries(words.keys).map(([key, meaning]) =>
    element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, meaning)));
  const close = button(words.close, () => dialog.close());
  const dialog = element("dialog", { class: "help", "aria-labelledby": "help-title" },
    heading(words.help, "h2"), element("dl", {}, ...keys), element("p", { class: "quiet" }, words.help_note), close);
  dialog.querySelector("h2").id = "help-title";
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  return dialog;
}

const isTyping = (target) => target.matches?.("input:not([type=radio]), select, textarea, [contenteditable]");

function listenToKeys(search, help) {
  const acts = { "/": () => search.open(), "?": () => help.showModal(), j: () => goToFinding(1), k: () => goToFinding(-1) };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  });
}

function makeDisplayControls(search, help) {
  byId("display").append(
    button(words.search.button, () => search.open(), { id: "search" }), zoneSelect(), themeSelect(),
    button(words.print, printAll, { id: "print" }),
    button("?", () => help.showModal(), { id: "help", "aria-label": words.help }));
}

// The link of the part that is being read.
function followReading() {
  const links = new Map([...document.querySelectorAll(".sections a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const inView = new Set();
  const reading = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) inView[isIntersecting ? "add" : "delete"](target.id);
    const first = [...links.keys()].find((id) => inView.has(id));
    for (const [id, link] of links) {
      if (id === first) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -70% 0px" });
  for (const id of links.keys()) if (byId(id)) reading.observe(byId(id));
}
