// A pool's charts by UTC day: who used it, where its peaks go, how fast it answered. Not here: minutes (pool_charts.js).

const DAY_CHARTS = { contribution: contributionDays, outlook: outlookDays, speed: speedDays };

// Charts that have anything to show.
function dayFigures(pool) {
  return Object.entries(DAY_CHARTS).filter(([name, prepare]) => prepare(pool) !== null).map(([name, prepare]) => {
    const { label, unit } = words.charts[name];
    return new Figure({ name, title: label, unit, prepare: () => prepare(pool) });
  });
}

const dayRange = ({ first_day: first, last_day: last }) => {
  const count = Math.round((Date.parse(last) - Date.parse(first)) / DAY) + 1;
  return Array.from({ length: count }, (_, i) => new Date(Date.parse(`${first}T00:00Z`) + i * DAY).toISOString().slice(0, 10));
};

// Sums of a day, so the profiles add up to the pool.
function contributionDays(pool) {
  const rows = objects(pool.more.profile_days);
  if (!rows.length) return null;
  const days = dayRange(chosenDays());
  const ids = pool.order.filter((id) => pool.isTagged(id) && rows.some((row) => row.profile_id === id));
  const used = new Map(rows.map((row) => [`${row.usage_date} ${row.profile_id}`, row.consumed_tokens]));
  const value = (day, id) => used.get(`${day} ${id}`) ?? null;
  const bars = ids.map((id) => ({ id, label: pool.name(id), values: days.map((day) => value(day, id)) }));
  return {
    caption: words.charts.contribution.note,
    options: () => stackedDays(days, bars.map((bar) => ({ ...bar, shade: pool.look(bar.id).color })), (sum) => `${number(sum)} ${words.units.tokens}`),
    columns: () => dayColumns(bars, words.units.tokens),
    rows: () => dayRows(days, bars),
  };
}

// The forecast begins after the last day with a peak.
function outlookDays(pool) {
  const kind = ["tpm", "rpm", "tpd"].find((quota) => quota in pool.more.forecast);
  if (!kind) return null;
  const forecast = objects(pool.more.forecast[kind]);
  const peaks = new Map((pool.days[kind] ?? []).map((row) => [row.usage_date, row.peak]));
  const days = [...new Set([...peaks.keys(), ...forecast.map((row) => row.usage_date)])].sort();
  const of = new Map(forecast.map((row) => [row.usage_date, row]));
  const limit = pool.facts.limits[kind];
  const { unit } = words.quota_kind[kind];
  const lines = [
    { label: words.series.peak, values: days.map((day) => peaks.get(day) ?? null) },
    ...["forecast", "low", "high"].map((name) => ({ label: words.series[name], values: days.map((day) => of.get(day)?.[name] ?? null) })),
  ];
  return {
    caption: `${words.quota_kind[kind].long} (${unit}). ${words.charts.outlook.note}`,
    options: () => outlookOptions(days, lines, limit, unit),
    columns: () => dayColumns(lines, unit),
    rows: () => dayRows(days, lines),
  };
}

function outlookOptions(days, lines, limit, unit) {
  const style = chartStyle();
  const looks = [["chart-1", "solid", 1.6], ["chart-2", [7, 3], 1.6], ["ink-2", [2, 3], 1], ["ink-2", [2, 3], 1]];
  const series = lines.map(({ label, values }, place) => {
    const [shade, type, width] = looks[place];
    return { name: label, type: "line", data: values, symbol: "none", lineStyle: { color: color(shade), type, width }, itemStyle: lineKey(color(shade)) };
  });
  const highest = Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  if (limit !== null && limit < QUOTA_IN_SIGHT * highest) {
    series.push({
      name: words.series.quota, type: "line", data: days.map(() => limit), symbol: "none",
      lineStyle: { color: color("chart-quota"), type: "dashed", width: 1.5 }, itemStyle: lineKey(color("chart-quota")),
    });
  }
  return { ...dayOptions(days, series, (value) => `${number(value)} ${unit}`), legend: style.legend };
}

// Percentiles of each day's logged calls.
function speedDays(pool) {
  const all = objects(pool.more.performance_days);
  const rows = withinDays(all.filter((row) => row.metric === "latency_ms"), chosenDays());
  if (!all.length) return null;
  const days = dayRange(chosenDays());
  const of = new Map(rows.map((row) => [row.usage_date, row]));
  const lines = ["p50", "p90", "p99"].map((name) => ({ label: words.columns[name], values: days.map((day) => of.get(day)?.[name] ?? null) }));
  const looks = [["chart-1", "solid"], ["chart-2", [7, 3]], ["chart-4", [2, 3]]];
  return {
    caption: words.charts.speed.note,
    options: () => dayOptions(days, lines.map(({ label, values }, place) => {
      const [shade, type] = looks[place];
      return { name: label, type: "line", data: values, symbol: "circle", symbolSize: 3, lineStyle: { color: color(shade), type, width: 1.3 }, itemStyle: { color: color(shade) } };
    }), (value) => `${number(value)} ${words.units.ms}`),
    columns: () => dayColumns(lines, words.units.ms),
    rows: () => dayRows(days, lines),
  };
}

// ---- What charts by day have in common -----------------------------------------------------------------------

// Bars of `id`, `label`, `values`, `shade`, on top of each other; `text` writes a day's sum.
function stackedDays(days, bars, text) {
  const series = bars.map(({ label, values, shade }, place) => ({
    name: String(place), label, type: "bar", stack: "all", data: values, barCategoryGap: "25%", itemStyle: { color: shade },
    emphasis: { disabled: true },
  }));
  const style = chartStyle();
  const named = (place) => cut(bars[place].label, 32);
  return {
    ...dayOptions(days, series, text, named),
    hasPatterns: true,
    legend: { ...style.legend, itemWidth: 12, formatter: named },
  };
}

function dayOptions(days, series, text, named = (name) => name) {
  const style = chartStyle();
  const rows = (items) => items.filter(({ value }) => value !== null && value !== undefined)
    .map(({ seriesName, value, color: shade }) => [named(seriesName), text(value), shade]);
  return {
    textStyle: style.textStyle, grid: style.grid, legend: style.legend,
    xAxis: {
      type: "category", data: days, axisLine: style.axisLine, axisTick: { show: false },
      axisLabel: { ...style.axisLabel, formatter: (day) => day.slice(5) },
    },
    yAxis: style.valueAxis,
    tooltip: { ...style.tooltip, formatter: (items) => tooltipOf(`${items[0].axisValue} UTC`, rows(items)) },
    series,
  };
}

const dayColumns = (lines, unit) => [
  textColumn("day", words.columns.day, (row) => row.day, (row) => element("th", { scope: "row" }, row.day)),
  ...lines.map(({ label }, place) => numberColumn(String(place), label, unit, (row) => row.values[place])),
];

const dayRows = (days, lines) => days.map((day, i) => ({ day, values: lines.map(({ values }) => values[i] ?? null) }));
