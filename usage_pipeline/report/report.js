// What follows the chosen window: statistics, contributions and charts of each pool. No build step; the page inlines it.
// Not here: words (labels.json), numbers (numbers.py), the fixed part of the page (template.html.j2).
// Everything that AWS or a person wrote reaches the page as text nodes or canvas text, never as HTML.
"use strict";

(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const words = page.labels;
  const ALL = "ALL";
  const state = { window: page.first_window, basis: "active", drawing: 0 };
  if (!page.windows.length) return;
  if (typeof DecompressionStream === "undefined") {
    document.getElementById("old-browser").hidden = false;
    return;
  }

  // ---- Small tools ---------------------------------------------------------------------------------------------

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const counted = (text, n) => fill(text[n === 1 ? "one" : "many"], { n: number(n) });

  // 1,234,567 · 12.35 · 0.125, as formats.py writes numbers.
  function number(value) {
    const size = Math.abs(value);
    const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 1 ? 2 : 3;
    return value.toLocaleString("en-US", { maximumFractionDigits: digits });
  }

  const short = (value) => new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(value);

  const percent = (share) => `${(100 * share).toLocaleString("en-US", { maximumFractionDigits: 1 })}\u202f%`;

  const minute = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // The packed parts are a JSON string of base64 of zlib, as render.py writes them.
  async function unpack(script) {
    const bytes = Uint8Array.from(atob(JSON.parse(script.textContent)), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  const chosenWindow = () => page.windows.find((window) => window.name === state.window);

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // ---- Pools ---------------------------------------------------------------------------------------------------

  const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
  const COLORS = ["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6"];
  const MOST_LINES = 8;
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

  // ---- Charts --------------------------------------------------------------------------------------------------

  const CHARTS = [
    { name: "tpm", wide: true, lines: rateLines, quota: "tpm" },
    { name: "rpm", lines: rateLines, quota: "rpm" },
    { name: "tpd", lines: dayLines, quota: "tpd" },
    { name: "failed", lines: failedBars },
    { name: "latency", lines: latencyLines },
  ];

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
    }

    // The dashed line of each day's quota. Returns the names of the series that start hidden.
    addQuota(plot, lines, series) {
      const kind = this.chart.quota;
      const hidden = lines.filter((line) => line.isExtra).map((line) => line.name);
      if (!kind) return hidden;
      const steps = plot.limitSteps(series.limits[kind], this.pool.facts.limits[kind]);
      if (!steps.length) return hidden;
      lines.push({
        name: "quota", label: words.series.quota, type: "line", step: "end", data: steps, symbol: "none",
        lineStyle: { color: color("chart-quota"), type: "dashed", width: 1.5 }, itemStyle: lineKey(color("chart-quota")),
        z: 4,
      });
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
      const days = changes?.length ? changes.map(({ from_day, value }) => [Date.parse(from_day), value]) : [[this.start, newest]];
      const before = days.filter(([time]) => time <= this.start).at(-1) ?? days[0];
      const later = days.filter((day) => day !== before && day[0] > this.start && day[0] < this.end);
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
      name: "over", label, type: "scatter", data, symbol: "triangle", symbolSize: 8, z: 6,
      itemStyle: { color: color("chart-quota"), borderColor: color("surface"), borderWidth: 0.5 },
    }];
  }

  // Ticks along the time axis: the value is in the chart of throttles.
  function throttledMarks(plot) {
    const data = plot.markers("throttles").map(([time]) => [time, 0]);
    if (!data.length) return [];
    return [{
      name: "throttled", label: words.series.throttled, type: "scatter", data, symbol: "rect", symbolSize: [2, 10],
      symbolOffset: [0, -5], itemStyle: { color: color("chart-throttle") }, z: 5,
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
        formatter: (items) => tooltip(items, labels, unit),
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
  function tooltip(items, labels, unit) {
    const box = element("div", {}, element("b", {}, `${minute(items[0].axisValue)} UTC`));
    items
      .filter(({ seriesName, value }) => value[1] !== null && seriesName !== "throttled")
      .sort((one, other) => other.value[1] - one.value[1])
      .slice(0, 12)
      .forEach(({ seriesName, value, color: shade }) => {
        const key = element("span", { class: "swatch" });
        key.style.borderTopColor = shade;
        box.append(element("div", {}, key, `${cut(labels.get(seriesName) ?? seriesName, 40)} `,
          element("b", {}, number(value[1])), ` ${unit}`));
      });
    return box;
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
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
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
  }

  async function printAll() {
    for (const pool of pools) for (const figure of pool.figures) await pool.showCharts(figure);
    window.print();
  }

  unpack(document.getElementById("tables")).then((tables) => {
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
  });
})();
