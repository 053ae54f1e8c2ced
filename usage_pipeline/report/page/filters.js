// The reader's filters and window: their controls, and which parts of the page they leave.
// Not here: what fits a filter (matching.js), sums of what is left (verdict.js, costs.js).

let allPools = [];
let shownPools = new Set();
let anchors = new Map();

async function readPools() {
  page.pools = await unpackJson("pools-data");
  allPools = Object.entries(page.pools);
  shownPools = new Set(Object.keys(page.pools));
  anchors = new Map(allPools.map(([target, { pool_id: id }]) => [id, target]));
}

function choosePools() {
  const users = poolsOfCallers();
  shownPools = new Set(allPools.filter(([target, pool]) => poolMatches(target, pool, state, users)).map(([target]) => target));
}

// Rows and cards that name what they are about. What names no model is not hidden by a filter of models.
const PLACE_KEYS = { account: "account", region: "region", model: "model", endpoint: "endpoint" };

function fitsFilters({ dataset }) {
  if (anchors.has(dataset.pool)) return shownPools.has(anchors.get(dataset.pool));
  const isOfPlace = Object.entries(PLACE_KEYS).every(([name, key]) => !state[name] || !(key in dataset) || dataset[key] === state[name]);
  const isOfPool = "pool" in dataset;
  return isOfPlace && !(isOfPool && (state.tag || state.application || state.caller));
}

function hideOthers() {
  for (const part of document.querySelectorAll("main [data-pool], main [data-account]")) {
    if (part.closest("[data-table]:not(table)")) continue; // tables that the script makes choose their own rows
    const isHidden = !fitsFilters(part);
    part.hidden = isHidden;
    part.toggleAttribute("data-filtered", isHidden);
  }
  for (const table of liveTables) if (table instanceof PageTable) table.cut();
}

// ---- Controls ------------------------------------------------------------------------------------------------

function radios(name, legend, choices) {
  const labels = Object.entries(choices).map(([value, label]) => {
    const input = element("input", { type: "radio", name, value });
    input.addEventListener("change", () => change({ [name]: value }));
    return element("label", {}, input, element("span", {}, label));
  });
  const group = element("fieldset", { class: "switch", id: `${name}-switch` }, element("legend", {}, legend), ...labels);
  const show = () => {
    for (const input of group.querySelectorAll("input")) input.checked = input.value === state[name];
  };
  watch([name], show);
  show();
  return group;
}

// `choices` are [value, text]; a value that a link brought and the report lacks is shown too.
function filterSelect(name, choices) {
  const select = element("select", { name, "aria-label": words.filters[name] });
  select.append(new Option(words.filters.every[name], ""), ...choices.map(([value, text]) => new Option(text, value)));
  select.addEventListener("change", () => change({ [name]: select.value }));
  const show = () => {
    if (state[name] && ![...select.options].some((option) => option.value === state[name])) {
      select.append(new Option(fill(words.filters.not_here, { value: state[name] }), state[name]));
    }
    select.value = state[name];
    select.classList.toggle("chosen", state[name] !== "");
  };
  watch([name], show);
  show();
  return select;
}

const unique = (pairs) => [...new Map(pairs)].sort(([, one], [, other]) => collator.compare(one, other));

function callerInput() {
  const input = element("input", {
    type: "search", name: "caller", id: "caller-filter", autocomplete: "off", spellcheck: "false",
    placeholder: words.filters.every.caller, "aria-label": words.filters.caller, title: words.filters.caller_note,
  });
  let wait = 0;
  input.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => change({ caller: input.value }, false), 120);
  });
  const show = () => {
    if (input.value !== state.caller) input.value = state.caller;
    input.classList.toggle("chosen", state.caller !== "");
  };
  watch(["caller"], show);
  // What was typed a moment before another address was chosen is not part of that address.
  window.addEventListener("popstate", () => {
    clearTimeout(wait);
    show();
  });
  show();
  return input;
}

function filterControls() {
  const qPlaces = qDeveloperPlaces();
  const of = (value, text, places = []) => unique([...places, ...allPools.map(([, pool]) => pool)].map((place) => [value(place), text(place)]));
  const tags = allPools.flatMap(([, pool]) => pool.profiles.flatMap(({ tags: set }) => Object.entries(set ?? {}).map((pair) => pair.join("="))));
  const choices = {
    account: of((pool) => pool.account_id, (pool) => `${pool.account_name} ${pool.account_id}`, qPlaces),
    region: of((pool) => pool.region, (pool) => pool.region, qPlaces),
    model: of((pool) => pool.model_id, (pool) => pool.model_name),
    endpoint: of((pool) => pool.endpoint_type, (pool) => endpointName(pool.endpoint_type)),
    tag: unique(tags.map((tag) => [tag, tag])),
    application: cube ? unique(cube.names.application.filter((name) => typeof name === "string").map((name) => [name, name])) : [],
  };
  const selects = Object.entries(choices).filter(([, found]) => found.length).map(([name, found]) => filterSelect(name, found));
  return element("div", { class: "filters", role: "group", "aria-label": words.filters.title }, ...selects, cube || qDeveloper ? callerInput() : null, filterCount());
}

// n of m pools, and one click back to all.
function filterCount() {
  const count = element("output", { id: "pool-count" });
  const clear = button(words.filters.clear, () => change(Object.fromEntries(FILTERS.map((name) => [name, ""]))), { id: "clear-filters" });
  const show = () => {
    count.textContent = fill(words.filters.count, { n: number(shownPools.size), all: number(allPools.length) });
    clear.hidden = !isFiltered(state);
  };
  watch(FILTERS, show);
  show();
  return element("span", { class: "count" }, count, " ", clear);
}

function windowSpan() {
  const span = element("output", { id: "window-span", class: "quiet" });
  const show = () => {
    const { start, end } = chosenWindow();
    span.textContent = `${minute(start)} – ${minute(end)} ${state.zone}`;
  };
  watch(["window", "zone"], show);
  show();
  return span;
}

function makeToolbar() {
  const windows = Object.fromEntries(page.windows.map(({ name }) => [name, words.windows[name]]));
  byId("toolbar").append(
    element("div", { class: "choices" }, radios("window", words.window, windows), radios("basis", words.basis_title, words.basis), windowSpan()),
    filterControls());
  byId("toolbar").hidden = false;
}
