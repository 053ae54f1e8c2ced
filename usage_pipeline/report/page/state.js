// What the reader chose, its place in the address, and who is told when it changes.
// Not here: the address's form (hash.js), controls (filters.js, display.js).

// The longest window: what the page says without JavaScript.
const initial = {
  window: page.first_window ?? "", basis: "active", theme: "auto", zone: UTC,
  ...Object.fromEntries(FILTERS.map((name) => [name, ""])),
};

let state = { ...initial, sort: {}, open: {} };
let anchor = "";

const watchers = [];

// `act` is called when one of the names changes, in the order of the calls of watch.
const watch = (names, act) => watchers.push({ names, act });

function tell(before) {
  const isChanged = (name) => JSON.stringify(before[name]) !== JSON.stringify(state[name]);
  for (const { names, act } of watchers) if (names.some(isChanged)) act();
}

// `isStep`: the browser's back button undoes it.
function change(values, isStep = true) {
  const before = state;
  state = { ...state, ...values };
  writeAddress(isStep);
  tell(before);
}

let isRead = false; // until the address is read, it is not written over
function writeAddress(isStep) {
  if (!isRead) return;
  const hash = formatHash(state, initial, anchor);
  if (hash === location.hash || (hash === "#" && !location.hash)) return;
  history[isStep ? "pushState" : "replaceState"](null, "", hash);
}

// A link of another report, or one typed by hand, can name what this report lacks.
function known(read) {
  const isWindow = page.windows.some(({ name }) => name === read.window);
  return {
    ...read,
    window: isWindow ? read.window : initial.window,
    basis: read.basis in words.basis ? read.basis : initial.basis,
    theme: read.theme in words.themes ? read.theme : initial.theme,
    zone: isZone(read.zone) ? read.zone : initial.zone,
  };
}

function readAddress() {
  isRead = true;
  const read = readHash(location.hash, initial);
  const before = state;
  state = known(read.state);
  anchor = read.anchor;
  tell(before);
  if (anchor) reveal(anchor);
}

// Goes to a part of the page as a link would, and keeps what was chosen.
function visit(target) {
  anchor = target;
  writeAddress(true);
  reveal(target);
}

// Opens what is closed around the target, and clears filters that hide it.
function reveal(target) {
  const found = byId(target);
  if (!found) return;
  if (found.closest("[data-filtered]")) change(Object.fromEntries(FILTERS.map((name) => [name, ""])), false);
  for (let details = found.closest("details"); details; details = details.parentElement.closest("details")) {
    details.open = true;
  }
  const row = found.closest("tr[hidden]");
  if (row) row.hidden = false;
  const focused = found.matches("details") ? found.querySelector("summary") : found;
  if (!focused.matches("a, button, input, summary, [tabindex]")) focused.setAttribute("tabindex", "-1");
  focused.focus({ preventScroll: true });
  found.scrollIntoView();
}

function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    visit(safeDecode(link.getAttribute("href").slice(1)));
  });
  window.addEventListener("popstate", readAddress);
}

// Sections that the reader opens or closes, of those that have an id.
function rememberOpen(details) {
  const isOpenAtFirst = details.open;
  details.addEventListener("toggle", () => {
    if (document.documentElement.classList.contains("printing")) return;
    const open = { ...state.open };
    if (details.open === isOpenAtFirst) delete open[details.id];
    else open[details.id] = details.open ? "1" : "0";
    if (open[details.id] !== state.open[details.id]) change({ open }, false);
  });
  watch(["open"], () => {
    const wanted = details.id in state.open ? state.open[details.id] === "1" : isOpenAtFirst;
    if (details.open !== wanted) details.open = wanted;
  });
}

const chosenWindow = () => page.windows.find((window) => window.name === state.window);

// The whole UTC days that tables by day show of the chosen window.
const chosenDays = () => page.window_days[state.window];
