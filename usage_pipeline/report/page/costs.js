// Cost and callers: the tables by model, application, caller and tag, their filter, and the chart of daily cost.
// Not here: words (labels.json), numbers (costs.py), prices and completeness (costs.html.j2).
// Money comes as exact decimal text and is added as whole picodollars, so that every total is exact.

const PICODOLLARS = 1000000000000n;
const CENT = PICODOLLARS / 100n;

const TOKEN_COLUMNS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];
const PART_COLUMNS = ["input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd"];
const COST_COLUMNS = ["cost_usd", "share", "calls", "errors", ...TOKEN_COLUMNS, ...PART_COLUMNS, "unpriced_calls"];
const COST_SHADES = [...["1", "2", "3", "4", "5", "6"].map((n) => `chart-${n}`), "chart-throttle", "chart-quota"];

// Rows of a table that are shown at first; thousands would make the page long and slow.
const MOST_COST_ROWS = 25;

function picodollars(text) {
  const [dollars, part = ""] = text.split(".");
  return BigInt(dollars) * PICODOLLARS + BigInt(part.padEnd(12, "0"));
}

const exactMoney = (amount) => `${amount / PICODOLLARS}.${String(amount % PICODOLLARS).padStart(12, "0")}`;

// To the cent, as formats.py writes money; what is less than a cent is said to be.
function money(amount) {
  if (amount > 0n && amount < CENT) return "< 0.01";
  const cents = (amount + CENT / 2n) / CENT;
  return `${(cents / 100n).toLocaleString("en-US")}.${String(cents % 100n).padStart(2, "0")}`;
}

const isMoney = (column) => column.endsWith("_usd");

// The exact sum of a column; unknown when no row has a value.
function columnSum(rows, column) {
  const known = rows.map((row) => row[column]).filter((value) => value !== null);
  if (!isMoney(column)) return known.reduce((sum, value) => sum + value, 0);
  return known.length || !rows.length ? exactMoney(known.reduce((sum, value) => sum + picodollars(value), 0n)) : null;
}

// A share that would be rounded to nothing is said to be small.
const shareText = (share) => (share > 0 && share < 0.0005 ? `< ${percent(0.001)}` : percent(share));

function costCell(row, column) {
  const value = row[column];
  const cell = element("td", { class: "number", "data-column": column, "data-value": value ?? "" });
  if (value === null) {
    cell.append(element("span", { class: "missing" }, words.unknown));
    return cell;
  }
  const isBound = row.is_at_least || ((isMoney(column) || column === "share") && row.unpriced_calls > 0);
  if (isBound) {
    const [mark, title] = column === "share" ? ["≈", words.costs.of_known] : ["≥", words.costs.at_least];
    cell.append(element("span", { class: "bound", title }, mark), " ");
  }
  cell.append(column === "share" ? shareText(value) : isMoney(column) ? money(picodollars(value)) : number(value));
  if (isMoney(column)) cell.title = value;
  return cell;
}

function costHead(title) {
  const units = (column) => (isMoney(column) ? words.costs.dollars : TOKEN_COLUMNS.includes(column) ? "tokens" : null);
  return [textHead(title), ...COST_COLUMNS.map((column) => numberHead(words.costs.columns[column], units(column)))];
}

function costName(row) {
  const remarks = [row.principal_type && (words.costs.principal[row.principal_type] ?? row.principal_type), row.account_name];
  const remark = row.model_id ?? remarks.filter(Boolean).join(" · ");
  const name = row.is_unset ? words.costs.no_tag : row.name;
  return element("th", { scope: "row", title: name ?? words.unknown },
    name === null || row.is_unset ? element("span", { class: "missing" }, name ?? words.unknown) : name,
    remark ? element("small", { class: row.model_id ? "mono" : "" }, remark) : null);
}

// One table, with the sum of the rows that the filter leaves.
class CostTable {
  constructor(subject, title, rows, isWholeBound) {
    this.title = title;
    this.head = words.costs.subject[subject];
    this.rows = rows;
    this.isWholeBound = isWholeBound;
    this.filter = "";
    this.showsAll = false;
    this.place = element("div", { "data-subject": subject });
    this.show();
  }

  // The text as it is, upper and lower case told apart.
  matching() {
    return this.filter ? this.rows.filter((row) => row.name?.includes(this.filter)) : this.rows;
  }

  show() {
    const found = this.matching();
    const shown = this.showsAll ? found : found.slice(0, MOST_COST_ROWS);
    const body = shown.map((row) => {
      const line = element("tr", { "data-name": row.name ?? "" }, costName(row));
      line.append(...COST_COLUMNS.map((column) => costCell(row, column)));
      return line;
    });
    const frame = framed(this.title, costHead(this.head), body, "dense costs");
    frame.querySelector("table").append(element("tfoot", {}, this.totalRow(found)));
    this.place.replaceChildren(frame);
    if (found.length > shown.length) this.place.append(this.moreButton(found.length));
  }

  totalRow(found) {
    const isFiltered = found.length < this.rows.length;
    const label = isFiltered
      ? fill(words.costs.total_of, { n: number(found.length), all: number(this.rows.length) }) : words.costs.total;
    const sums = Object.fromEntries(
      COST_COLUMNS.filter((column) => column !== "share").map((column) => [column, columnSum(found, column)]));
    const known = found.map((row) => row.share).filter((share) => share !== null);
    sums.share = known.length ? Math.min(known.reduce((sum, share) => sum + share, 0), 1) : null;
    sums.is_at_least = this.isWholeBound;
    const line = element("tr", {}, element("th", { scope: "row" }, label));
    line.append(...COST_COLUMNS.map((column) => costCell(sums, column)));
    return line;
  }

  moreButton(count) {
    const button = element("button", { type: "button", class: "more" }, fill(words.costs.show_all, { n: number(count) }));
    button.addEventListener("click", () => {
      this.showsAll = true;
      this.show();
    });
    return button;
  }
}

function callerFilter(tables) {
  const input = element("input", { type: "search", id: "caller-filter", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => {
    for (const table of tables) {
      table.filter = input.value;
      table.show();
    }
  });
  return element("p", { class: "with-choice" },
    element("label", { for: "caller-filter" }, words.costs.filter), input,
    element("span", { class: "quiet" }, words.costs.filter_note));
}

// Cost of each UTC day, applications stacked.
class CostChart {
  constructor(costs) {
    this.pool = this; // what report.js draws when it comes into sight
    this.costs = costs;
    this.drawn = -1;
    this.canvas = element("div", { class: "canvas" });
    const { chart, dollars } = words.costs;
    this.figure = element("figure", { class: "chart wide", "data-chart": "daily-cost" },
      element("figcaption", {}, element("b", {}, chart.title), " ", element("span", { class: "unit" }, dollars),
        element("div", { class: "under" }, chart.note,
          costs.total.is_at_least || costs.total.unpriced_calls
            ? element("span", { class: "bound" }, ` ≥ ${words.costs.at_least}`) : "")),
      this.canvas);
    this.figure.report = this;
  }

  showCharts() {
    this.draw();
  }

  draw() {
    if (this.drawn === state.drawing) return;
    this.drawn = state.drawing;
    if (!this.echart) {
      this.echart = echarts.init(this.canvas, null, { renderer: "canvas" });
      new ResizeObserver(() => this.echart.resize()).observe(this.canvas);
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", words.costs.chart.title);
    }
    this.echart.setOption(this.options(), { notMerge: true });
    if (document.documentElement.classList.contains("printing")) this.echart.getZr().flush();
  }

  days() {
    const first = Date.parse(`${this.costs.first_day}T00:00Z`);
    const count = (Date.parse(`${this.costs.last_day}T00:00Z`) - first) / 86400000 + 1;
    return Array.from({ length: count }, (_, day) => new Date(first + day * 86400000).toISOString().slice(0, 10));
  }

  label(place) {
    return this.costs.days[place].application ?? words.costs.chart.others;
  }

  options() {
    const ink = color("ink-2");
    const shade = (place) => (this.costs.days[place].application === null ? color("line-strong") : color(COST_SHADES[place]));
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 8, right: 14, top: 14, bottom: 34, containLabel: true },
      legend: {
        type: "scroll", bottom: 2, left: 0, itemWidth: 12, itemHeight: 8, textStyle: { color: ink, fontSize: 11 },
        pageTextStyle: { color: ink }, pageIconColor: ink, formatter: (place) => cut(this.label(place), 32),
      },
      xAxis: {
        type: "category", data: this.days(), axisLine: { lineStyle: { color: color("line-strong") } },
        axisLabel: { color: ink, fontSize: 11, hideOverlap: true, formatter: (day) => day.slice(5) }, axisTick: { show: false },
      },
      yAxis: {
        type: "value", min: 0, axisLabel: { color: ink, fontSize: 11, formatter: (value) => value.toLocaleString("en-US") },
        splitLine: { lineStyle: { color: color("chart-grid") } },
      },
      tooltip: {
        trigger: "axis", confine: true, transitionDuration: 0, axisPointer: { type: "shadow" },
        backgroundColor: color("surface"), borderColor: color("line-strong"), textStyle: { color: color("ink"), fontSize: 12 },
        formatter: (items) => this.tooltip(items),
      },
      series: this.costs.days.map(({ usd }, place) => ({
        name: String(place), type: "bar", stack: "cost", data: usd.map((text) => (text === null ? null : Number(text))),
        barCategoryGap: "25%", itemStyle: { color: shade(place) }, emphasis: { disabled: true },
      })),
    };
  }

  // Built of elements, so that an application's name stays text.
  tooltip(items) {
    const known = items.map(({ seriesIndex, dataIndex, color: shade }) => [seriesIndex, this.costs.days[seriesIndex].usd[dataIndex], shade])
      .filter(([, text]) => text !== null);
    const total = known.reduce((sum, [, text]) => sum + picodollars(text), 0n);
    return element("div", {}, element("b", {}, `${items[0].name} · ${known.length ? money(total) : words.unknown}`),
      ...known.map(([place, text, shade]) => {
        const key = element("span", { class: "swatch" });
        key.style.borderTopColor = shade;
        return element("div", {}, key, `${cut(this.label(place), 40)} `, element("b", {}, money(picodollars(text))));
      }));
  }
}

let costChart = null;

async function showCosts() {
  const place = document.getElementById("cost-tables");
  if (!place) return;
  const costs = await unpack(document.getElementById("costs-data"));
  const isBound = costs.total.is_at_least;
  const table = (subject, title, rows) => new CostTable(subject, title, rows, isBound);
  const { by } = words.costs;
  const named = [table("application", by.application, costs.applications), table("caller", by.caller, costs.callers)];
  if (costs.days.length) {
    costChart = new CostChart(costs);
    place.append(costChart.figure);
    observer.observe(costChart.figure);
  }
  place.append(heading(by.model), table("model", by.model, costs.models).place, callerFilter(named));
  place.append(heading(by.application), named[0].place, heading(by.caller), named[1].place);
  for (const { tag_key: key, rows } of costs.tags) {
    const title = fill(by.tag, { key });
    place.append(heading(title), table("tag", title, rows).place);
  }
}
