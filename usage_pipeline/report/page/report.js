// What follows the chosen window: contributions, statistics and charts of each pool, and the page's controls.
// No build step: render.py joins tools.js, charts.js, costs.js and this file into one script of the page.
// Not here: words (labels.json), numbers (numbers.py), the fixed part of the page (template.html.j2).

// ---- Pools ---------------------------------------------------------------------------------------------------

const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
const COLORS = ["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6"];
const CONTRIBUTION_COLUMNS = [
  "consumed_tokens", "throttles", "invocations", "tpm_p50", "tpm_p90", "tpm_average", "rpm_p50", "rpm_p90",
  "rpm_average", "tpd_p50", "tpd_p90", "tpd_average",
];

// One pool's section: its data, its elements, and the look of each profile, the same in every chart and table.
class PoolSection {
  constructor(anchor, tables) {
    this.anchor = anchor;
    this.facts = page.pools[anchor];
    this.tables = tables;
    this.series = null;
    this.profile = ALL;
    this.profiles = new Map(this.facts.profiles.map((profile) => [profile.profile_id, profile]));
    this.order = this.profilesByUse();
    this.details = document.getElementById(anchor);
    this.figures = [];
    this.details.addEventListener("toggle", () => this.show());
    this.show();
  }

  // What is closed is made when it is opened.
  show() {
    if (!this.details.open || this.figures.length) return;
    this.contributions = element("div");
    this.statistics = element("div");
    this.charts = element("div", { class: "charts" });
    this.details.querySelector(".follows-window").append(
      heading(words.sections.charts), this.charts,
      heading(words.sections.contributions), this.contributions,
      this.statisticsHeading(), this.statistics,
      this.dayTables(),
    );
    this.figures = CHARTS.map((chart) => new Figure(this, chart));
    for (const figure of this.figures) observer.observe(figure.figure);
    this.showTables();
  }

  // Most used first in the longest window, so that colours do not change with the window.
  profilesByUse() {
    const longest = page.windows.at(-1).name;
    const used = this.tables.contributions
      .filter((row) => row.window_name === longest && row.basis === "all")
      .map((row) => row.profile_id);
    return [...new Set([...used, ...this.profiles.keys()])];
  }

  name(profileId) {
    return profileId === ALL ? words.all_profiles : this.profiles.get(profileId)?.profile_name ?? profileId;
  }

  look(profileId) {
    if (profileId === ALL) return { color: color("chart-all"), dash: "solid", width: 1.6 };
    const place = Math.max(this.order.indexOf(profileId), 0);
    return {
      color: color(COLORS[place % COLORS.length]),
      dash: DASHES[Math.floor(place / COLORS.length + (place % COLORS.length)) % DASHES.length],
      width: 1.3,
    };
  }

  // Of the chosen minutes; latency exists of minutes with traffic only.
  statistic(profileId, metric) {
    const rows = this.tables.statistics.filter(
      (row) => row.profile_id === profileId && row.metric === metric && row.window_name === state.window,
    );
    return rows.find((row) => row.basis === state.basis) ?? rows.find((row) => row.basis === "active");
  }

  statisticsHeading() {
    const select = element("select", { "aria-label": words.statistics_text.for });
    const ids = new Set(this.tables.statistics.map((row) => row.profile_id));
    for (const id of [ALL, ...this.order]) if (ids.has(id)) select.append(new Option(this.name(id), id));
    select.addEventListener("change", () => {
      this.profile = select.value;
      this.showStatistics();
    });
    return element("div", { class: "with-choice" }, heading(words.sections.statistics), select);
  }

  showTables() {
    if (!this.figures.length) return;
    this.showContributions();
    this.showStatistics();
  }

  showContributions() {
    const rows = this.tables.contributions.filter(
      (row) => row.window_name === state.window && row.basis === state.basis,
    );
    // A window shorter than a day has no tokens per day.
    const columns = CONTRIBUTION_COLUMNS.filter(
      (column) => !column.startsWith("tpd_") || rows.some((row) => row[column] !== null),
    );
    const head = [textHead(words.columns.profile), textHead(words.columns.tags), numberHead(words.columns.share)];
    head.push(...columns.map((column) => numberHead(words.columns[column], columnUnit(column))));
    const body = rows.map((row) => {
      const cells = columns.map((column) => valueCell(row[column], column, this.statistic(row.profile_id, "tpm")));
      const share = element("td", { class: "number", "data-column": "share", "data-value": row.share ?? "" },
        row.share === null ? "–" : percent(row.share));
      const line = element("tr", { "data-profile": row.profile_id }, this.profileHead(row.profile_id),
        element("td", {}, this.tagChips(row.profile_id)), share);
      line.append(...cells);
      return line;
    });
    this.contributions.replaceChildren(framed(words.sections.contributions, head, body));
  }

  profileHead(profileId) {
    const profile = this.profiles.get(profileId);
    const look = this.look(profileId);
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.borderTopColor = look.color;
    swatch.style.borderTopStyle = look.dash === "solid" ? "solid" : look.dash[0] > 3 ? "dashed" : "dotted";
    const kind = words.profile_kind[profile?.profile_kind] ?? "";
    return element("th", { scope: "row" },
      element("span", { class: "name", title: this.name(profileId) }, swatch, this.name(profileId)),
      element("small", {}, kind, " ", element("span", { class: "mono" }, profileId)));
  }

  tagChips(profileId) {
    const tags = this.profiles.get(profileId)?.tags;
    if (tags === null || tags === undefined) return element("span", { class: "missing" }, words.unknown);
    const chips = Object.entries(tags).map(([key, value]) => element("span", { title: `${key}=${value}` }, `${key}=${value}`));
    return chips.length ? element("div", { class: "chips" }, ...chips) : "–";
  }

  showStatistics() {
    const rows = Object.keys(words.metrics).map((metric) => this.statistic(this.profile, metric)).filter(Boolean);
    if (!rows.length) {
      this.statistics.replaceChildren(element("p", { class: "quiet" }, words.statistics_text.none));
      return;
    }
    const columns = ["p50", "p90", "p95", "p99", "p999", "max", "average", "total", "data_points"];
    const head = [textHead(words.columns.metric), ...columns.map((column) => numberHead(words.columns[column]))];
    const body = rows.map((row) => {
      const line = element("tr", { "data-metric": row.metric, "data-profile": row.profile_id }, metricHead(row));
      line.append(...columns.map((column) => valueCell(row[column], column, row)));
      return line;
    });
    const { covered_minutes: covered, coarse_minutes: coarse, window_minutes: length } = rows[0];
    const remark = [fill(words.statistics_text.covered, { covered: number(covered), window: number(length) })];
    if (coarse) remark.push(fill(words.statistics_text.coarse, { coarse: number(coarse) }));
    this.statistics.replaceChildren(
      framed(words.sections.statistics, head, body, "dense"), element("p", { class: "under" }, remark.join(" ")));
  }

  // One table for each quota, made when it is opened.
  dayTables() {
    const all = element("div");
    for (const [kind, days] of Object.entries(this.tables.days)) {
      const details = element("details", {},
        element("summary", {}, `${words.sections.days}: ${words.quota_kind[kind].label}`));
      details.addEventListener("toggle", () => {
        if (details.open && details.children.length === 1) details.append(dayTable(kind, days));
      });
      all.append(details);
    }
    return all;
  }

  async showCharts(figure) {
    this.series ??= unpack(document.querySelector(`script[data-series="${CSS.escape(this.anchor)}"]`));
    figure.draw(await this.series);
  }
}

const heading = (text) => element("h4", {}, text);

// ---- Tables --------------------------------------------------------------------------------------------------

const textHead = (text) => element("th", { scope: "col" }, text);

function numberHead(text, unit) {
  const cell = element("th", { scope: "col", class: "number" }, text);
  if (unit) cell.append(element("small", {}, unit));
  return cell;
}

function columnUnit(column) {
  const kind = column.split("_")[0];
  if (kind in words.quota_kind) return words.quota_kind[kind].unit;
  return column === "consumed_tokens" ? "tokens" : "requests";
}

function metricHead(row) {
  const { label, unit, note } = words.metrics[row.metric];
  const remarks = [note, row.basis === state.basis ? null : words.statistics_text.active_only, row.unknown_periods ? counted(words.statistics_text.unknown_periods, row.unknown_periods) : null,
    row.partial_days ? counted(words.statistics_text.partial_days, row.partial_days) : null];
  return element("th", { scope: "row" }, label, " ",
    element("span", { class: "unit" }, [unit, ...remarks.filter(Boolean)].join(" · ")));
}

// A number; or why there is none: unknown, or nothing happened that it could be taken of.
function valueCell(value, column, statistic) {
  const cell = element("td", { class: "number", "data-column": column, "data-value": value ?? "" });
  if (value !== null) {
    cell.textContent = number(value);
    cell.title = String(value);
    return cell;
  }
  const isRead = statistic && statistic.covered_minutes + statistic.coarse_minutes > 0;
  if (isRead && !statistic.unknown_periods) {
    cell.textContent = "–";
    cell.title = words.statistics_text.no_minutes;
  } else {
    cell.append(element("span", { class: "missing" }, words.unknown));
  }
  return cell;
}

function framed(label, head, body, look = "") {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element("table", { class: look }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

function dayTable(kind, days) {
  const columns = ["limit_value", "peak", "p50", "p90", "p99", "p99_active", "minutes_over_80pct", "minutes_over_limit",
    "throttles", "throttled_minutes"];
  const names = { limit_value: "limit", minutes_over_80pct: "over_80", minutes_over_limit: "over" };
  const head = [textHead(words.columns.day), ...columns.map((column) => numberHead(words.columns[names[column] ?? column])),
    numberHead(words.columns.utilization_peak), textHead(words.columns.when)];
  const body = days.map((day) => {
    const line = element("tr", {}, element("th", { scope: "row" }, day.usage_date));
    for (const column of columns) {
      const isUnmeasured = day[column] === null && (kind === "tpd" || day.resolution_seconds > 60) && /^p\d/.test(column);
      line.append(element("td", { class: "number" },
        day[column] === null ? (isUnmeasured ? "–" : words.unknown) : number(day[column])));
    }
    line.append(
      element("td", { class: "number" }, day.utilization_peak === null ? words.unknown : percent(day.utilization_peak)),
      element("td", {}, day.worst_minute ? minute(day.worst_minute) : "–"));
    return line;
  });
  return framed(words.quota_kind[kind].label, head, body.reverse(), "dense");
}

// ---- The page ------------------------------------------------------------------------------------------------

const visible = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const figure = target.report;
    if (!isIntersecting) visible.delete(figure);
    else {
      visible.add(figure);
      figure.pool.showCharts(figure);
    }
  }
}, { rootMargin: "300px" });

let pools = [];

function redrawVisible() {
  state.drawing += 1;
  for (const figure of visible) figure.pool.showCharts(figure);
}

function showWindow() {
  const { start, end } = chosenWindow();
  document.getElementById("window-span").textContent = `${minute(start)} – ${minute(end)} UTC`;
  for (const pool of pools) pool.showTables();
  redrawVisible();
}

function choose(groupId, key) {
  document.getElementById(groupId).addEventListener("change", (event) => {
    state[key] = event.target.value;
    showWindow();
  });
}

// A link to what is closed opens it.
function openLinked() {
  const target = document.querySelector(":target");
  const details = target?.closest("details");
  if (!details) return;
  details.open = true;
  target.scrollIntoView();
}

// Light colours on paper. What is drawn is drawn again at once, because the browser does not wait.
async function printing(isPrinting) {
  document.documentElement.classList.toggle("printing", isPrinting);
  state.drawing += 1;
  for (const pool of pools) {
    for (const figure of pool.figures) if (figure.echart) figure.draw(await pool.series);
  }
  if (costChart?.echart) costChart.draw();
}

async function printAll() {
  for (const pool of pools) for (const figure of pool.figures) await pool.showCharts(figure);
  costChart?.draw();
  window.print();
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    document.getElementById("old-browser").hidden = false;
    return;
  }
  await showCosts();
  if (!page.windows.length) {
    document.documentElement.dataset.ready = "true";
    return;
  }
  const tables = await unpack(document.getElementById("tables"));
  pools = Object.keys(page.pools).map((anchor) => new PoolSection(anchor, tables[anchor]));
  choose("window-switch", "window");
  choose("basis-switch", "basis");
  showWindow();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showWindow);
  window.addEventListener("beforeprint", () => printing(true));
  window.addEventListener("afterprint", () => printing(false));
  document.getElementById("print").addEventListener("click", printAll);
  document.getElementById("open-all").addEventListener("click", () => pools.forEach((pool) => (pool.details.open = true)));
  window.addEventListener("hashchange", openLinked);
  openLinked();
  document.documentElement.dataset.ready = "true";
}

start();
