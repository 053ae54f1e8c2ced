// Speed of answers: percentiles of single logged calls by pool and application, averages of what the filters leave, and
// the hours of the week. Not here: how a percentile is taken (numbers of the report).

const MILLISECONDS = ["latency_ms", "ttft_ms", "tpot_ms"];

const speedColumns = (first) => [
  ...first,
  textColumn("metric", words.columns.metric, (row) => words.speed[row.metric].label, (row) =>
    element("td", {}, words.speed[row.metric].label, element("small", {}, words.speed[row.metric].note))),
  numberColumn("calls", words.columns.requests, words.units.requests),
  ...["average", "p50", "p90", "p99", "min", "max"].map((name) => numberColumn(name, words.columns[name], words.units.ms)),
];

const bySpeed = (one, other) => MILLISECONDS.indexOf(one.metric) - MILLISECONDS.indexOf(other.metric);

class PerformanceSection {
  constructor(sections) {
    this.sections = sections;
    this.byPool = new DataTable({
      name: "speed", label: words.performance.by_pool, look: "dense", most: 15, columns: speedColumns([poolColumn()]),
      rowAttributes: (row) => ({ "data-pool": row.pool.facts.pool_id, "data-metric": row.metric }),
    });
    this.byApplication = new DataTable({
      name: "application-speed", label: words.performance.by_application, look: "dense", most: 15,
      columns: speedColumns([poolColumn(), textColumn("application", words.costs.subject.application, (row) => row.application)]),
      rowAttributes: (row) => ({ "data-pool": row.pool.facts.pool_id, "data-name": row.application, "data-metric": row.metric }),
    });
    byId("performance-tables").append(
      heading(words.performance.by_pool, "h3"), this.byPool.place, heading(words.performance.by_application, "h3"), this.byApplication.place);
    if (cube) {
      this.averages = averageTable();
      byId("performance-tables").append(heading(words.performance.averages, "h3"), said(words.performance.averages_note), this.averages.place);
    }
    this.show();
  }

  show() {
    const shown = this.sections.filter(({ anchor: target }) => shownPools.has(target));
    const rows = shown.flatMap((pool) => objects(pool.more.performance).sort(bySpeed).map((row) => ({ ...row, pool })));
    this.byPool.renew(rows.filter((row) => row.application === null));
    this.byApplication.renew(rows.filter((row) => row.application !== null && (!state.application || row.application === state.application)));
    this.averages?.renew(breakdownRows(BREAKDOWNS.application));
  }
}

const average = (sum, samples, parts) => (samples ? Number(sum) / parts / samples : null);

// Averages add up from sums of single calls, so they can follow every filter; percentiles cannot.
function averageTable() {
  return new DataTable({
    name: "average-speed", label: words.performance.averages, look: "dense", most: 15,
    rowAttributes: (row) => ({ "data-name": row.name ?? "" }),
    columns: [
      textColumn("application", words.costs.subject.application, (row) => row.name, (row) => element("th", { scope: "row" }, row.name ?? missing())),
      numberColumn("latency_samples", words.costs.columns.latency_calls, null),
      numberColumn("latency", words.costs.columns.latency, words.units.ms, (row) => average(row.latency_us, row.latency_samples, 1e3)),
      numberColumn("tpot_samples", words.costs.columns.tpot_calls, null),
      numberColumn("tpot", words.costs.columns.tpot, words.units.ms, (row) => average(row.tpot_ns, row.tpot_samples, 1e6)),
    ],
  });
}

function performanceOfPool(pool) {
  const rows = objects(pool.more.performance);
  if (!rows.length) return [];
  const columns = speedColumns([textColumn("application", words.costs.subject.application,
    (row) => row.application ?? words.performance.whole_pool, (row) => element("th", { scope: "row" }, row.application ?? words.performance.whole_pool))]);
  return [heading(words.performance.title), said(words.performance.note), poolTable(pool, "pool-speed", words.performance.title, columns, rows)];
}

// ---- Hours of the week ---------------------------------------------------------------------------------------

const HEAT_METRICS = {
  tokens: ({ tokens, minutes_covered: minutes }, hour) => perMinute(tokens[hour], minutes[hour]),
  tpm_max: ({ tpm_max: highest }, hour) => highest[hour],
  requests: ({ requests, minutes_covered: minutes }, hour) => perMinute(requests[hour], minutes[hour]),
  rpm_max: ({ rpm_max: highest }, hour) => highest[hour],
  throttles: ({ throttles }, hour) => throttles[hour],
};

const perMinute = (sum, minutes) => (sum === null || !minutes ? null : sum / minutes);

// A table of weekdays and hours whose cells are darker where there is more; read as a table by those who cannot see it.
function heatMap(pool) {
  const { heat } = pool.more;
  if (!heat) return [];
  const select = element("select", { "aria-label": words.heat.show });
  for (const name of Object.keys(HEAT_METRICS)) select.append(new Option(words.heat.metrics[name], name));
  const place = element("div", {});
  const show = () => place.replaceChildren(...heatTable(pool, heat, select.value));
  select.addEventListener("change", show);
  show();
  return [element("div", { class: "with-choice" }, heading(words.heat.title), select), said(words.heat.note), place];
}

function heatTable(pool, heat, metric) {
  const values = Array.from({ length: 168 }, (_, hour) => HEAT_METRICS[metric](heat, hour) ?? null);
  const highest = Math.max(...values.map((value) => value ?? 0));
  const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"));
  const label = `${words.heat.title}, ${words.heat.metrics[metric]}, ${pool.facts.title}`;
  const line = (day, weekday) => element("tr", {}, element("th", { scope: "row" }, day),
    ...hours.map((_, hour) => heatCell(values[24 * weekday + hour], highest)));
  const table = element("table", { class: "heat" },
    element("caption", { class: "for-readers" }, label),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, words.heat.weekday), ...hours.map((hour) => element("th", { scope: "col" }, hour)))),
    element("tbody", {}, ...words.heat.weekdays.map(line)));
  const rows = () => [[words.heat.weekday, ...hours], ...words.heat.weekdays.map((day, weekday) => [day, ...values.slice(24 * weekday, 24 * weekday + 24)])];
  const save = () => download(fileName("hours", metric, pool.facts.pool_id), rows());
  const scale = fill(words.heat.highest, { value: number(highest), unit: words.heat.units[metric] });
  return [element("div", { class: "framed" }, scroller(label, table),
    element("div", { class: "strip" }, element("span", { class: "quiet" }, scale), csvButton(label, save)))];
}

function heatCell(value, highest) {
  if (value === null) return element("td", { class: "unread", "data-value": "", title: words.series.not_read }, "·");
  const cell = element("td", { "data-value": value, title: number(value) }, value ? short(value) : "");
  const strength = highest ? Math.round((10 * value) / highest) : 0;
  cell.classList.add(`heat-${value ? Math.max(strength, 1) : 0}`);
  return cell;
}
