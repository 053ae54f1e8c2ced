// The first screen for what window and filters leave: sentences, tiles, and the table of pools by risk. What the page says
// without JavaScript is of the longest window and every pool; this says the same of others.

const RISKS = Object.keys(words.risk);

const inWindow = (target) => page.pools[target].windows[state.window];

const sumOf = (values) => (values.some((value) => value !== null) ? values.reduce((sum, value) => sum + (value ?? 0), 0) : null);

function tile(name, ...content) {
  byId(`tile-${name}`).replaceChildren(...content);
}

const strong = (text) => element("b", {}, text);
const small = (text) => element("small", {}, text);

class Verdict {
  constructor() {
    this.table = liveTable("pools");
    this.rows = new Map([...(this.table?.rows ?? [])].map((row) => [anchors.get(row.dataset.pool), row]));
  }

  show() {
    const shown = [...shownPools];
    const facts = shown.map(inWindow);
    const by = Object.fromEntries(RISKS.map((risk) => [risk, facts.filter((fact) => fact.risk === risk).length]));
    // Pools without use are in no tile; those whose use or limit is unknown are told of.
    by.unknown += document.querySelectorAll('#unused [data-risk="unknown"]:not([data-filtered])').length;
    this.showSentences(by);
    const { first_day: first, last_day: last } = chosenDays();
    const throttles = sumOf(facts.map((fact) => fact.throttles));
    tile("risk", strong(number(by.critical + by.warning)), " ", small(fill(words.tiles.risk_of, { n: number(shown.length) })));
    tile("throttles", page.is_lower_bound ? small(`${words.tiles.at_least} `) : "", throttles === null ? missing() : strong(number(throttles)), " ",
      small(fill(words.tiles.days, { first, last })));
    byId("pools-days").textContent = fill(words.sections.pools_note, { first, last });
    this.showReached(shown);
    this.showCost();
    for (const [target, row] of this.rows) fillRow(row, inWindow(target));
    this.table?.order((row) => rank(inWindow(anchors.get(row.dataset.pool))));
  }

  showSentences(by) {
    const { verdict } = words;
    const says = (level, text) => element("span", { class: `says ${level}` }, text);
    const made = [];
    if (by.critical) made.push(says("critical", counted(verdict.critical, by.critical)));
    if (by.warning) made.push(says("warning", counted(verdict.warning, by.warning, { percent: percent(page.utilization_warning) })));
    if (!by.critical && !by.warning) made.push(says("ok", verdict.calm));
    if (by.unknown) made.push(says("unknown", counted(verdict.unknown, by.unknown)));
    byId("verdict-pools").replaceChildren(...made);
  }

  // The first quota that is reached, of the pools that are shown.
  showReached(shown) {
    const dated = shown.map((target) => this.rows.get(target)).filter((row) => row?.dataset.reaches);
    if (!dated.length) {
      tile("reached", small(words.tiles.none_reached));
      return;
    }
    const day = ({ dataset }) => (dataset.reaches === "now" ? "" : dataset.reaches);
    const [row] = dated.sort((one, other) => (day(one) < day(other) ? -1 : day(one) > day(other) ? 1 : 0));
    const pool = page.pools[anchors.get(row.dataset.pool)];
    tile("reached", strong(day(row) || words.tiles.reached_now), " ",
      element("small", {}, `${pool.model_name}, `, element("span", { class: "whole" }, pool.region)));
  }

  showCost() {
    if (!selection) return;
    const { cost } = selection.total;
    const isBound = selection.isAtLeast || selection.total.unpriced_calls > 0;
    const parts = [isBound ? small(`${words.tiles.at_least} `) : "", cost === null ? missing() : strong(money(cost)), " ", small(words.costs.dollars)];
    const known = page.cost_changes.find((row) => row.window_name === state.window);
    if (!isFiltered(state) && known?.change !== null && known?.change !== undefined) parts.push(" ", small(changeText(known)));
    tile("cost", ...parts);
  }
}

// As the template writes it.
function changeText({ change: share, previous_first_day: first, previous_last_day: last }) {
  const direction = share < 0 ? words.tiles.less : words.tiles.more;
  return fill(direction, { percent: percent(Math.abs(share)), first, last });
}

// As risk.py orders pools.
const rank = ({ risk, utilization_peak: peak, throttles }) => [RISKS.indexOf(risk), -(peak ?? 0), -(throttles ?? 0)];

const level = (utilization) =>
  utilization === null ? "unknown" : utilization >= 1 ? "full" : utilization >= page.utilization_warning ? "near" : "some";

function useElement(utilization, kind) {
  const bar = element("span", {});
  bar.style.width = `${Math.min(100 * (utilization ?? 0), 100)}%`;
  return element("span", { class: `use ${level(utilization)}` },
    utilization === null ? null : element("span", { class: "bar", "aria-hidden": "true" }, bar),
    element("span", { class: "value" }, utilization === null ? words.unknown : percent(utilization)),
    kind ? element("span", { class: "unit" }, words.quota_kind[kind].label) : null);
}

function fillRow(row, fact) {
  const cell = (name) => row.querySelector(`[data-column="${name}"]`);
  const put = (name, value, content) => {
    cell(name).dataset.value = value ?? "";
    cell(name).replaceChildren(content);
  };
  const orMissing = (value, text) => (value === null ? missing() : text(value));
  put("risk", RISKS.indexOf(fact.risk), element("span", { class: `risk ${fact.risk}` },
    element("span", { "aria-hidden": "true" }, words.risk_mark[fact.risk]), " ", element("span", { class: "word" }, words.risk[fact.risk])));
  put("utilization_peak", fact.utilization_peak, useElement(fact.utilization_peak, fact.utilization_quota));
  put("headroom", fact.headroom, orMissing(fact.headroom, percent));
  put("throttles", fact.throttles, orMissing(fact.throttles, number));
  put("consumed_tokens", fact.consumed_tokens, orMissing(fact.consumed_tokens, number));
}
