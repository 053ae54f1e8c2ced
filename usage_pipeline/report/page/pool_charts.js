// The charts of a pool over time: which there are, what each shows, how it looks.
// Not here: the points (pool_series.js), when a chart is drawn (figures.js).

const CHARTS = [
  { name: "tpm", wide: true, lines: rateLines, quota: "tpm" },
  { name: "rpm", lines: rateLines, quota: "rpm" },
  { name: "tpd", lines: dayLines, quota: "tpd" },
  { name: "failed", lines: failedBars },
  { name: "latency", lines: latencyLines },
];

// Profiles whose lines are shown at first, and rows of a tooltip; more would hide one another.
const MOST_LINES = 8;
const MOST_TOLD = 12;

// A quota line further above the data than this would flatten it; it starts hidden and the caption says so.
const QUOTA_IN_SIGHT = 20;

function poolFigure(pool, chart) {
  const { label, unit } = words.charts[chart.name];
  return new Figure({
    name: chart.name, title: label, unit, wide: chart.wide, group: pool.anchor,
    prepare: async () => {
      const plot = new Plot(pool, await seriesOf(pool.anchor));
      const shown = () => shownLines(plot, chart);
      const first = shown();
      return {
        caption: remarks(plot, chart, first),
        options: () => timeOptions(plot, chart, shown()),
        columns: () => timeColumns(first.lines, unit),
        rows: () => timeRows(plot, first.lines),
      };
    },
  });
}

// The chart's lines in the colours of now, with its quota; `hidden` are the names of those that start hidden.
function shownLines(plot, chart) {
  const lines = plot.level ? chart.lines(plot, chart.name) : [];
  const hidden = lines.filter((line) => line.isExtra).map((line) => line.name);
  const steps = chart.quota ? plot.limitSteps(chart.quota) : [];
  if (!steps.length) return { lines, hidden, steps };
  const lowest = Math.min(...steps.map(([, value]) => value).filter((value) => value !== null));
  const isFar = lowest > QUOTA_IN_SIGHT * plot.highest(lines.filter((line) => !line.isExtra));
  lines.push({
    name: "quota", label: words.series.quota, type: "line", step: "end", data: steps, symbol: "none",
    lineStyle: { color: color("chart-quota"), type: "dashed", width: 1.5 }, itemStyle: lineKey(color("chart-quota")),
    z: 4, tooltip: { show: false },
  });
  return { lines, hidden: isFar ? [...hidden, "quota"] : hidden, steps };
}

const stepName = (seconds) => words.steps[seconds] ?? fill(words.steps.other, { n: seconds });

function remarks(plot, chart, { lines, hidden }) {
  const { level, pool } = plot;
  if (!drawnOverTime(lines).length) return words.chart_text.no_series;
  const { note, each_minute: eachMinute, unit } = words.charts[chart.name];
  const said = [];
  if (plot.areMinutes && eachMinute) said.push(eachMinute);
  else if (level) said.push(fill(note, { step: stepName(level.step_seconds) }));
  if (plot.areProfilesCoarser && chart.lines === rateLines) {
    said.push(fill(words.chart_text.profiles_coarser, { step: stepName(level.profile_step_seconds) }));
  }
  if (plot.areProfilesCoarser && chart.lines === failedBars && plot.ofPool("throttles")) {
    said.push(fill(words.chart_text.throttles_whole, { contributions: words.sections.contributions }));
  }
  if (chart.lines === rateLines && plot.areOnQuota(chart.name)) said.push(words.chart_text.marks_on_quota);
  const kind = chart.quota;
  if (kind && pool.facts.limits[kind] === null) said.push(words.chart_text.quota_unknown);
  if (hidden.includes("quota")) said.push(fill(words.chart_text.quota_above, { limit: number(pool.facts.limits[kind]), unit }));
  if (chart.lines === rateLines && level?.coarse_until && Date.parse(level.coarse_until) > plot.start) {
    said.push(fill(words.chart_text.coarse, { time: `${minute(level.coarse_until)} ${state.zone}` }));
  }
  return said.join(" ");
}

// A line's key in the legend is the line alone, without a dot.
const lineKey = (shade) => ({ color: shade, opacity: 0 });

function line(plot, profileId, data) {
  const look = plot.pool.look(profileId);
  return {
    name: profileId, label: plot.pool.name(profileId), type: "line", data, symbol: "none",
    lineStyle: { color: look.color, type: look.dash, width: look.width }, itemStyle: lineKey(look.color),
    z: profileId === ALL ? 2 : 3,
  };
}

// The pool's total is a ground on which its profiles stand.
const total = (series) => ({ ...series, areaStyle: { color: color("chart-all"), opacity: 0.1 } });

// Lines that start hidden: they are in the legend.
function extra(plot, name, values, label) {
  if (!values) return [];
  const shade = color("ink-2");
  return [{
    ...line(plot, ALL, plot.points(values)), name, label, isExtra: true,
    lineStyle: { color: shade, type: [2, 2], width: 1 }, itemStyle: lineKey(shade),
  }];
}

function profileLines(plot, name) {
  const ids = plot.pool.order.filter((id) => plot.pool.isTagged(id) && plot.ofProfile(id, name));
  return ids.map((id, i) => ({
    ...line(plot, id, plot.points(plot.ofProfile(id, name))), label: profileLabel(plot, id), isExtra: i >= MOST_LINES,
  }));
}

// The periods of profiles are named where they are not those of the pool.
const profileLabel = (plot, id) => (plot.areProfilesCoarser ? profilePeriods(plot, id, "profile_highest") : plot.pool.name(id));

const profilePeriods = (plot, id, kind) =>
  fill(words.series[kind], { profile: plot.pool.name(id), step: stepName(plot.level.profile_step_seconds) });

function lowestOfProfiles(plot, name) {
  const ids = plot.pool.order.filter((id) => plot.pool.isTagged(id));
  return ids.flatMap((id) => extra(plot, `lowest ${id}`, plot.ofProfile(id, `${name}_min`), profilePeriods(plot, id, "profile_lowest")));
}

function rateLines(plot, name) {
  const values = plot.ofPool(name);
  const lines = [...(values ? [total(line(plot, ALL, plot.points(values)))] : []), ...profileLines(plot, name)];
  lines.push(...extra(plot, "lowest", plot.ofPool(`${name}_min`), words.series.lowest));
  if (name === "tpm") {
    lines.push(...extra(plot, "initial", plot.ofPool("initial_reservation"), words.series.initial_reservation));
    lines.push(...extra(plot, "reserved", plot.ofPool("reserved"), words.series.reserved));
  }
  lines.push(...lowestOfProfiles(plot, name));
  return [...lines, ...marks(plot, name, words.series.over), ...(name === "tpm" ? throttledMarks(plot) : [])];
}

function dayLines(plot) {
  const values = plot.ofPool("tpd");
  return [...(values ? [total(line(plot, ALL, plot.runningTotal(values)))] : []), ...marks(plot, "tpd", words.series.passed)];
}

function marks(plot, name, label) {
  const data = plot.markers(name);
  if (!data.length) return [];
  // On the quota's line they touch each other, so that edges would cover what lies behind; their value is the quota's.
  const isOnQuota = plot.areOnQuota(name);
  return [{
    name: "over", label: isOnQuota ? words.series.more_than_quota : label, type: "scatter", data, symbol: "triangle",
    symbolSize: isOnQuota ? 5 : 8, z: 6, tooltip: { trigger: "item" },
    itemStyle: { color: color("chart-quota"), borderColor: color("surface"), borderWidth: isOnQuota ? 0 : 0.5 },
  }];
}

// Ticks along the time axis: the value is in the chart of throttles.
function throttledMarks(plot) {
  const data = plot.markers("throttles").map(([time]) => [time, 0]);
  if (!data.length) return [];
  return [{
    name: "throttled", label: words.series.throttled, type: "scatter", data, symbol: "rect", symbolSize: [2, 10],
    symbolOffset: [0, -5], itemStyle: { color: color("chart-throttle") }, z: 5, tooltip: { show: false },
  }];
}

// Nothing is stored where nothing failed. Counts add up, so profiles and kinds of failure are stacked.
function failedBars(plot) {
  const bar = (name, label, fillColor, values) => ({
    name, label, type: "bar", stack: "failed", data: plot.points(values, { whenUnknown: 0 }), barMinWidth: 2, barCategoryGap: "0%",
    itemStyle: { color: fillColor },
  });
  const ids = plot.pool.order.filter((id) => plot.ofProfile(id, "throttles"));
  const throttles = plot.ofPool("throttles");
  const bars = ids.map((id) => bar(id, plot.pool.name(id), plot.pool.look(id).color, plot.ofProfile(id, "throttles")));
  if (!ids.length && throttles) bars.push(bar("throttles", words.series.throttles, color("chart-throttle"), throttles));
  for (const [name, shade] of [["client_errors", "ink-2"], ["server_errors", "chart-quota"]]) {
    if (plot.ofPool(name)) bars.push(bar(name, words.series[name], color(shade), plot.ofPool(name)));
  }
  return bars.length ? bars : [bar("throttles", words.series.throttles, color("chart-throttle"), null)];
}

function latencyLines(plot) {
  const shown = { latency: ["chart-1", "solid"], ttft: ["chart-2", [7, 3]] };
  return Object.entries(shown)
    .filter(([name]) => plot.ofPool(name))
    .map(([name, [shade, dash]]) => ({
      name, label: words.series[name], type: "line", data: plot.points(plot.ofPool(name), { whenIdle: null }), symbol: "circle",
      symbolSize: 2, showAllSymbol: true, lineStyle: { color: color(shade), type: dash, width: 1.3 },
      itemStyle: { color: color(shade) },
    }));
}

// ---- Options and table ---------------------------------------------------------------------------------------

function timeOptions(plot, chart, { lines, hidden, steps }) {
  const style = chartStyle();
  const labels = new Map(lines.map((series) => [series.name, series.label]));
  const gaps = plot.unread();
  if (lines.length && gaps.length) {
    lines[0].markArea = {
      silent: true, itemStyle: { color: color("chart-unread") },
      label: { color: style.ink, fontSize: 11, position: "insideTop" },
      data: gaps.map(([from, to]) => [{ xAxis: from, name: to - from > (plot.end - plot.start) / 12 ? words.series.not_read : "" }, { xAxis: to }]),
    };
  }
  const marked = timeTicks(plot.start, plot.end);
  return {
    textStyle: style.textStyle,
    grid: { ...style.grid, top: 26 },
    legend: {
      ...style.legend, formatter: (name) => cut(labels.get(name) ?? name, 32),
      selected: Object.fromEntries(hidden.map((name) => [name, false])), data: lines.map((series) => series.name),
    },
    xAxis: {
      type: "time", min: plot.start, max: plot.end, axisLine: style.axisLine, axisTick: marked, splitLine: { show: false },
      axisLabel: { ...style.axisLabel, ...marked, formatter: (time) => tickLabel(state.zone, time) },
    },
    yAxis: { ...style.valueAxis, minInterval: chart.name === "latency" ? 0 : 1 },
    useUTC: true,
    tooltip: { ...style.tooltip, formatter: (items) => timeTooltip([items].flat(), labels, words.charts[chart.name].unit, steps) },
    toolbox: {
      show: !isPrinting(), right: 0, top: -6, itemSize: 11, iconStyle: { borderColor: style.ink },
      feature: {
        dataZoom: { yAxisIndex: "none", title: { zoom: words.chart_text.zoom, back: words.chart_text.zoom_back } },
        restore: { title: words.chart_text.whole },
      },
    },
    series: lines.map(({ label, isExtra, ...series }) => ({ ...series, emphasis: { disabled: true } })),
  };
}

function timeTooltip(items, labels, unit, steps) {
  const time = items[0].value[0];
  const rows = items
    .filter(({ value }) => value[1] !== null)
    .sort((one, other) => other.value[1] - one.value[1])
    .slice(0, MOST_TOLD)
    .map(({ seriesName, value, color: shade }) => [labels.get(seriesName) ?? seriesName, `${number(value[1])} ${unit}`, shade]);
  const quota = steps.filter(([from]) => from <= time).at(-1)?.[1];
  if (quota) rows.push([words.series.quota, `${number(quota)} ${unit}`, color("chart-quota")]);
  return tooltipOf(`${minute(time)} ${state.zone}`, rows);
}

const drawnOverTime = (lines) => lines.filter((series) => series.type !== "scatter" && series.name !== "quota");

const timeColumns = (lines, unit) => [
  timeColumn("time", words.columns.when, (row) => row.time),
  ...drawnOverTime(lines).map(({ label }, place) => numberColumn(String(place), label, unit, (row) => row.values[place])),
];

// Periods with any value; idle ones would be rows of noughts.
function timeRows(plot, lines) {
  const data = drawnOverTime(lines).map((series) => series.data);
  return plot.times
    .map((time, i) => ({ time, values: data.map((points) => points[i][1]) }))
    .filter(({ values }) => values.some((value) => value));
}
