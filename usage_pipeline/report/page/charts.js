// The charts of a pool: which there are, what each shows, how it looks.
// Not here: numbers (chart_series.py), words (labels.json), when a chart is drawn (report.js).

const CHARTS = [
  { name: "tpm", wide: true, lines: rateLines, quota: "tpm" },
  { name: "rpm", lines: rateLines, quota: "rpm" },
  { name: "tpd", lines: dayLines, quota: "tpd" },
  { name: "failed", lines: failedBars },
  { name: "latency", lines: latencyLines },
];

// Profiles whose lines are shown at first, and rows of a tooltip; more would hide one another.
const MOST_LINES = 8;
const MOST_ROWS = 12;

// A quota line further above the data than this would flatten it; it starts hidden and the caption says so.
const QUOTA_IN_SIGHT = 20;

class Figure {
  constructor(pool, chart) {
    this.pool = pool;
    this.chart = chart;
    this.drawn = -1;
    this.canvas = element("div", { class: "canvas" });
    this.caption = element("div", { class: "under" });
    const { label, unit } = words.charts[chart.name];
    this.figure = element("figure", { class: chart.wide ? "chart wide" : "chart", "data-chart": chart.name },
      element("figcaption", {}, element("b", {}, label), " ", element("span", { class: "unit" }, unit), this.caption),
      this.canvas);
    this.figure.report = this;
    pool.charts.append(this.figure);
  }

  draw(series) {
    if (this.drawn === state.drawing) return;
    this.drawn = state.drawing;
    const level = series.levels.find((candidate) => candidate.windows.includes(state.window));
    if (!this.echart) {
      this.echart = echarts.init(this.canvas, null, { renderer: "canvas" });
      this.echart.group = this.pool.anchor;
      echarts.connect(this.pool.anchor);
      new ResizeObserver(() => this.echart.resize()).observe(this.canvas);
    }
    const plot = new Plot(this.pool, level, series);
    const lines = level ? this.chart.lines(plot, this.chart.name) : [];
    const hidden = this.addQuota(plot, lines, series);
    this.echart.setOption(options(this, plot, lines, hidden), { notMerge: true });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${words.charts[this.chart.name].label}, ${this.pool.facts.title}`);
    this.explain(plot, level, hidden);
    // Paper does not wait for the next frame.
    if (document.documentElement.classList.contains("printing")) this.echart.getZr().flush();
  }

  // The dashed line of the quota, with a step where it changed. Returns the names of the series that start hidden.
  addQuota(plot, lines, series) {
    const kind = this.chart.quota;
    const hidden = lines.filter((line) => line.isExtra).map((line) => line.name);
    if (!kind) return hidden;
    const steps = plot.limitSteps(series.limits[kind], this.pool.facts.limits[kind]);
    if (!steps.length) return hidden;
    lines.push({
      name: "quota", label: words.series.quota, type: "line", step: "end", data: steps, symbol: "none",
      lineStyle: { color: color("chart-quota"), type: "dashed", width: 1.5 }, itemStyle: lineKey(color("chart-quota")),
      z: 4, tooltip: { show: false },
    });
    plot.quotaSteps = steps;
    const lowest = Math.min(...steps.map((step) => step[1]).filter((value) => value !== null));
    const isFar = lowest > QUOTA_IN_SIGHT * plot.highest(lines.filter((line) => line.name !== "quota" && !line.isExtra));
    return isFar ? [...hidden, "quota"] : hidden;
  }

  explain(plot, level, hidden) {
    const { note, each_minute: eachMinute, unit } = words.charts[this.chart.name];
    const remarks = [];
    if (level?.step_seconds === 60 && eachMinute) remarks.push(eachMinute);
    else if (level) remarks.push(fill(note, { step: words.steps[level.step_seconds] ?? `${level.step_seconds} s` }));
    const kind = this.chart.quota;
    if (kind && this.pool.facts.limits[kind] === null) remarks.push(words.chart_text.quota_unknown);
    if (hidden.includes("quota")) {
      remarks.push(fill(words.chart_text.quota_above, { limit: number(this.pool.facts.limits[kind]), unit }));
    }
    if (this.chart.lines === rateLines && level?.coarse_until && Date.parse(level.coarse_until) > plot.start) {
      remarks.push(fill(words.chart_text.coarse, { time: minute(level.coarse_until) }));
    }
    this.caption.textContent = remarks.join(" ");
  }
}

// One pool's points of the chosen window, on the time axis.
class Plot {
  constructor(pool, level, series) {
    const window = chosenWindow();
    this.pool = pool;
    this.level = level;
    this.series = series;
    this.start = Date.parse(window.start);
    this.end = Date.parse(window.end);
    this.covered = (page.covered[pool.facts.scope] ?? []).map(({ start, end }) => [Date.parse(start), Date.parse(end)]);
    if (!level) return;
    this.step = level.step_seconds * 1000;
    const levelStart = Date.parse(level.start);
    this.first = Math.max(Math.floor((this.start - levelStart) / this.step), 0);
    this.last = Math.min(Math.ceil((this.end - levelStart) / this.step), level.points);
    this.times = Array.from({ length: this.last - this.first }, (_, i) => levelStart + (this.first + i) * this.step);
    this.isRead = this.times.map((time) => this.covered.some(([from, to]) => time + this.step > from && time < to));
  }

  // [time, value] of a series. An idle period that was read is 0; one that was not read is a gap.
  points(values, whenIdle = 0) {
    return this.times.map((time, i) => [time, values?.[this.first + i] ?? (this.isRead[i] ? whenIdle : null)]);
  }

  // The running total of a day holds until midnight; before the first known value of the first day it is unknown.
  runningTotal(values) {
    const DAY = 86400000;
    let total = null;
    return this.times.map((time, i) => {
      if (time % DAY === 0) total = 0;
      total = values?.[this.first + i] ?? total;
      return [time, this.isRead[i] ? total : null];
    });
  }

  markers(name) {
    return (this.series.markers[name] ?? [])
      .map(({ ts, value }) => [Date.parse(ts), value])
      .filter(([time]) => time >= this.start && time < this.end);
  }

  limitSteps(changes, newest) {
    const changed = changes?.length ? changes.map(({ since, value }) => [Date.parse(since), value]) : [[this.start, newest]];
    const before = changed.filter(([time]) => time <= this.start).at(-1) ?? changed[0];
    const later = changed.filter((change) => change !== before && change[0] > this.start && change[0] < this.end);
    const steps = [[this.start, before[1]], ...later];
    steps.push([this.end, steps.at(-1)[1]]);
    return steps.every(([, value]) => value === null) ? [] : steps;
  }

  highest(lines) {
    return Math.max(0, ...lines.map((line) => line.data.reduce((most, [, value]) => Math.max(most, value ?? 0), 0)));
  }

  // Stretches of the window that were not read, for the grey ground.
  unread() {
    const gaps = [];
    let from = this.start;
    for (const [start, end] of this.covered) {
      if (end <= this.start || start >= this.end) continue;
      if (start > from) gaps.push([from, start]);
      from = Math.max(from, end);
    }
    if (from < this.end) gaps.push([from, this.end]);
    return gaps;
  }
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

function profileLines(plot, name) {
  const ids = plot.pool.order.filter((id) => plot.level.profiles[id]?.[name]);
  return ids.map((id, i) => ({ ...line(plot, id, plot.points(plot.level.profiles[id][name])), isExtra: i >= MOST_LINES }));
}

function rateLines(plot, name) {
  const lines = [total(line(plot, ALL, plot.points(plot.level.pool[name]))), ...profileLines(plot, name)];
  if (name === "tpm" && plot.level.pool.reserved) {
    lines.push({
      ...line(plot, ALL, plot.points(plot.level.pool.reserved)), name: "reserved", label: words.series.reserved,
      isExtra: true, lineStyle: { color: color("ink-2"), type: [2, 2], width: 1 }, itemStyle: lineKey(color("ink-2")),
    });
  }
  return [...lines, ...marks(plot, name, words.series.over), ...(name === "tpm" ? throttledMarks(plot) : [])];
}

function dayLines(plot) {
  return [total(line(plot, ALL, plot.runningTotal(plot.level.pool.tpd))), ...marks(plot, "tpd", words.series.passed)];
}

function marks(plot, name, label) {
  const data = plot.markers(name);
  if (!data.length) return [];
  return [{
    name: "over", label, type: "scatter", data, symbol: "triangle", symbolSize: 8, z: 6, tooltip: { trigger: "item" },
    itemStyle: { color: color("chart-quota"), borderColor: color("surface"), borderWidth: 0.5 },
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

// Counts add up, so profiles and kinds of failure are stacked.
function failedBars(plot) {
  const bar = (name, label, fillColor, values) => ({
    name, label, type: "bar", stack: "failed", data: plot.points(values), barMinWidth: 2, barCategoryGap: "0%",
    itemStyle: { color: fillColor },
  });
  const ids = plot.pool.order.filter((id) => plot.level.profiles[id]?.throttles);
  const bars = ids.length
    ? ids.map((id) => bar(id, plot.pool.name(id), plot.pool.look(id).color, plot.level.profiles[id].throttles))
    : plot.level.pool.throttles
      ? [bar("throttles", words.series.throttles, color("chart-throttle"), plot.level.pool.throttles)]
      : [];
  for (const [name, shade] of [["client_errors", "ink-2"], ["server_errors", "chart-quota"]]) {
    if (plot.level.pool[name]) bars.push(bar(name, words.series[name], color(shade), plot.level.pool[name]));
  }
  return bars.length ? bars : [bar("throttles", words.series.throttles, color("chart-throttle"), null)];
}

function latencyLines(plot) {
  const shown = { latency: ["chart-1", "solid"], ttft: ["chart-2", [7, 3]] };
  return Object.entries(shown)
    .filter(([name]) => plot.level.pool[name])
    .map(([name, [shade, dash]]) => ({
      name, label: words.series[name], type: "line", data: plot.points(plot.level.pool[name], null), symbol: "circle",
      symbolSize: 3, showAllSymbol: true, lineStyle: { color: color(shade), type: dash, width: 1.3 },
      itemStyle: { color: color(shade) },
    }));
}

const TIME_LABELS = { year: "{yyyy}", month: "{MM}-{dd}", day: "{MM}-{dd}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" };

function options(figure, plot, lines, hidden) {
  const ink = color("ink-2");
  const labels = new Map(lines.map((series) => [series.name, series.label]));
  const unit = words.charts[figure.chart.name].unit;
  const gaps = plot.unread();
  if (lines.length && gaps.length) {
    lines[0].markArea = {
      silent: true, itemStyle: { color: color("chart-unread") },
      label: { color: ink, fontSize: 11, position: "insideTop" },
      data: gaps.map(([from, to]) => [{ xAxis: from, name: to - from > (plot.end - plot.start) / 12 ? words.series.not_read : "" }, { xAxis: to }]),
    };
  }
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 14, top: 26, bottom: 34, containLabel: true },
    legend: {
      type: "scroll", bottom: 2, left: 0, itemWidth: 22, itemHeight: 8,
      inactiveColor: color("line-strong"), inactiveBorderColor: color("line-strong"),
      textStyle: { color: ink, fontSize: 11 }, pageTextStyle: { color: ink }, pageIconColor: ink,
      formatter: (name) => cut(labels.get(name) ?? name, 32),
      selected: Object.fromEntries(hidden.map((name) => [name, false])), data: lines.map((series) => series.name),
    },
    xAxis: {
      type: "time", min: plot.start, max: plot.end, axisLine: { lineStyle: { color: color("line-strong") } },
      axisLabel: { color: ink, fontSize: 11, hideOverlap: true, formatter: TIME_LABELS }, splitLine: { show: false },
    },
    yAxis: {
      type: "value", min: 0, axisLabel: { color: ink, fontSize: 11, formatter: short },
      splitLine: { lineStyle: { color: color("chart-grid") } }, minInterval: figure.chart.name === "latency" ? 0 : 1,
    },
    useUTC: true,
    tooltip: {
      trigger: "axis", confine: true, transitionDuration: 0, axisPointer: { type: "line", lineStyle: { color: ink } },
      backgroundColor: color("surface"), borderColor: color("line-strong"), textStyle: { color: color("ink"), fontSize: 12 },
      formatter: (items) => tooltip([items].flat(), labels, unit, plot),
    },
    toolbox: {
      right: 0, top: -6, itemSize: 11, iconStyle: { borderColor: ink },
      feature: { dataZoom: { yAxisIndex: "none", title: { zoom: words.chart_text.zoom, back: words.chart_text.zoom_back } },
        restore: { title: words.chart_text.whole } },
    },
    series: lines.map(({ label, isExtra, ...series }) => ({ ...series, emphasis: { disabled: true } })),
  };
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// Built of elements, so that a profile's name stays text.
function tooltip(items, labels, unit, plot) {
  const time = items[0].value[0];
  const rows = items
    .filter(({ value }) => value[1] !== null)
    .sort((one, other) => other.value[1] - one.value[1])
    .slice(0, MOST_ROWS)
    .map(({ seriesName, value, color: shade }) => [labels.get(seriesName) ?? seriesName, value[1], shade]);
  const quota = plot.quotaSteps?.filter(([from]) => from <= time).at(-1)?.[1];
  if (quota) rows.push([words.series.quota, quota, color("chart-quota")]);
  return element("div", {}, element("b", {}, `${minute(time)} UTC`), ...rows.map(([label, value, shade]) => {
    const key = element("span", { class: "swatch" });
    key.style.borderTopColor = shade;
    return element("div", {}, key, `${cut(label, 40)} `, element("b", {}, number(value)), ` ${unit}`);
  }));
}
