// A chart with its caption, its table and its place on paper; drawn when it comes into sight.
// Not here: what a chart shows (pool_charts.js, costs.js), its colours (report.css).

// The chart library is unpacked while the page is put together, and run when the first chart is seen. The page's policy knows
// its digest.
let unpackedLibrary = null;
const libraryText = () => (unpackedLibrary ??= unpackText("chart-library"));

let library = null;
function chartLibrary() {
  library ??= libraryText().then((text) => {
    const script = element("script");
    script.textContent = text;
    document.head.append(script);
  });
  return library;
}

// When what was done is on the screen.
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

// Milliseconds after which nothing waits for the screen, because a tab in the background paints nothing.
const LONGEST_FRAME = 200;
const timePassed = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// The first chart is seen before a second is begun. Its mark is for whoever measures the page; main.js marks when all is made.
let firstSeen = null;
function drawInTurn(act) {
  if (firstSeen) return firstSeen.then(act);
  act();
  const marked = painted().then(() => performance.mark("first-chart"));
  firstSeen = Promise.race([marked.then(() => timePassed(0)), timePassed(LONGEST_FRAME)]); // a frame that has begun is ended first
  return firstSeen;
}

const figures = new Set();
const visible = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      visible.add(target.report);
      target.report.show();
    } else {
      visible.delete(target.report);
    }
  }
}, { rootMargin: "200px" });

let drawing = 1; // grows when every chart must be drawn again
function redraw() {
  drawing += 1;
  colors.clear();
  for (const figure of visible) figure.show();
}

const isPrinting = () => document.documentElement.classList.contains("printing");

// `name`, `title`, `unit`, `wide`, `group` (charts that share a time axis and its cursor); `prepare` gives what the chart
// shows of now, or a promise of it: `caption`, and as functions `options` (of the library), `columns` and `rows` (of its table).
class Figure {
  constructor({ name, title, unit, wide = false, group = null, tableName = name, prepare }) {
    Object.assign(this, { name, title, unit, group, tableName, prepare });
    this.drawn = 0;
    this.canvas = element("div", { class: "canvas", role: "img", "aria-label": title });
    this.caption = element("div", { class: "under" });
    this.twin = element("div", { class: "twin", hidden: "" });
    this.toggle = button(words.charts_text.table, () => this.turn(), {
      class: "twin-toggle", "aria-pressed": "false", "aria-label": fill(words.charts_text.table_of, { chart: title }),
    });
    this.figure = element("figure", { class: wide ? "chart wide" : "chart", "data-chart": name },
      element("figcaption", {},
        element("div", { class: "chart-head" }, element("span", {}, element("b", {}, title), " ", element("span", { class: "unit" }, unit)), this.toggle),
        this.caption),
      this.canvas, this.twin);
    this.figure.report = this;
    figures.add(this);
    observer.observe(this.figure);
  }

  get isTable() {
    return this.toggle.getAttribute("aria-pressed") === "true";
  }

  turn() {
    this.toggle.setAttribute("aria-pressed", String(!this.isTable));
    this.canvas.hidden = this.isTable;
    this.twin.hidden = !this.isTable;
    this.drawn = 0;
    return this.show();
  }

  // Done when the chart or its table is there.
  show() {
    if (this.drawn !== drawing) this.showing = this.showNow(drawing);
    return this.showing;
  }

  async showNow(wanted) {
    this.drawn = wanted;
    const [shown] = await Promise.all([this.prepare(), this.isTable ? null : chartLibrary()]);
    await drawInTurn(() => {
      if (this.drawn !== wanted) return; // something else was chosen meanwhile
      this.shown = shown;
      this.draw();
    });
  }

  draw() {
    this.caption.replaceChildren(...[this.shown.caption].flat());
    if (this.isTable) this.drawTable();
    else this.drawChart(this.shown.options());
  }

  drawTable() {
    const [columns, rows] = [this.shown.columns(), this.shown.rows()];
    if (this.table) {
      this.table.renew(rows, null, columns);
      return;
    }
    this.table = new DataTable({ name: this.tableName, file: `${this.name}-${this.title}`, label: this.title, columns, rows, look: "dense" });
    this.twin.append(this.table.place);
  }

  drawChart(options) {
    const renderer = isPrinting() ? "svg" : "canvas";
    if (this.echart && this.renderer !== renderer) this.dispose();
    if (!this.echart) {
      this.renderer = renderer;
      this.echart = echarts.init(this.canvas, null, { renderer });
      if (this.group) {
        this.echart.group = this.group;
        echarts.connect(this.group);
      }
      this.resizes = new ResizeObserver(() => this.fit());
      this.resizes.observe(this.canvas);
      this.echart.on("datazoom", () => this.followZoom());
    }
    // Patterns tell bars apart that colour alone would not; the name of the chart is the page's own.
    const aria = { enabled: true, label: { enabled: false }, decal: { show: options.hasPatterns === true } };
    this.echart.setOption({ animation: false, ...options, aria }, { notMerge: true });
    if (isPrinting()) this.echart.getZr().flush(); // paper does not wait for the next frame
  }

  // An observer is also told of the size that it begins with, which the chart has already.
  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width !== this.echart.getWidth() || height !== this.echart.getHeight()) this.echart.resize();
  }

  dispose() {
    this.resizes.disconnect();
    this.echart.dispose();
    this.echart = null;
  }

  // Round times of the chosen zone stay round when less is shown.
  followZoom() {
    const axis = this.echart.getModel().getComponent("xAxis", 0)?.axis;
    if (axis?.type !== "time") return;
    const found = timeTicks(...axis.scale.getExtent());
    this.echart.setOption({ xAxis: { axisTick: found, axisLabel: found } });
  }
}

// What every chart's parts look like in the theme of now.
function chartStyle() {
  const ink = color("ink-2");
  return {
    ink,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 14, top: 16, bottom: 34, containLabel: true },
    legend: {
      type: "scroll", bottom: 2, left: 0, itemWidth: 22, itemHeight: 8,
      inactiveColor: color("line-strong"), inactiveBorderColor: color("line-strong"),
      textStyle: { color: ink, fontSize: 11 }, pageTextStyle: { color: ink }, pageIconColor: ink,
    },
    axisLine: { lineStyle: { color: color("line-strong") } },
    axisLabel: { color: ink, fontSize: 11, hideOverlap: true },
    valueAxis: {
      type: "value", min: 0, axisLabel: { color: ink, fontSize: 11, formatter: short },
      splitLine: { lineStyle: { color: color("chart-grid") } },
    },
    tooltip: {
      trigger: "axis", confine: true, transitionDuration: 0, backgroundColor: color("surface"),
      borderColor: color("line-strong"), textStyle: { color: color("ink"), fontSize: 12 },
      axisPointer: { type: "line", lineStyle: { color: ink } },
    },
  };
}

const timeTicks = (from, to) => ({ customValues: ticks(state.zone, from, to) });

const minute = (time) => minuteIn(state.zone, typeof time === "string" ? Date.parse(time) : time);

// Built of elements, so that a name stays text. Rows of [label, text, colour].
function tooltipOf(title, rows) {
  return element("div", { class: "tooltip" }, element("b", {}, title), ...rows.map(([label, text, shade]) => {
    const key = element("span", { class: "swatch" });
    key.style.borderTopColor = shade;
    return element("div", {}, key, `${cut(label, 40)} `, element("b", {}, text));
  }));
}

// ---- Paper ---------------------------------------------------------------------------------------------------

// Findings are read whole on paper.
let unfolded = [];
function unfold(isOn) {
  if (isOn) unfolded = [...document.querySelectorAll("details.finding:not([open])")];
  for (const details of unfolded) details.open = isOn;
}

const inSight = () => [...figures].filter((figure) => figure.figure.getClientRects().length > 0);

// Draws the charts that the window shows now, before the observer is told of them; done when the first is painted.
async function drawInWindow() {
  const isInWindow = ({ top, bottom }) => bottom > 0 && top < innerHeight;
  const shown = inSight().filter(({ figure }) => isInWindow(figure.getBoundingClientRect()));
  if (!shown.length) return;
  await Promise.race(shown.map((figure) => figure.show()));
}

// Light and as vectors. What is not yet unpacked cannot be drawn, because the browser does not wait; the button waits.
function printing(isOn) {
  document.documentElement.classList.toggle("printing", isOn);
  colors.clear();
  unfold(isOn);
  for (const figure of inSight()) if (figure.shown && !figure.isTable) figure.draw();
}

async function printAll() {
  await Promise.all(inSight().map((figure) => figure.show()));
  window.print();
}
