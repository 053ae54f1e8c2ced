// Cost and callers: tables by model, application, caller, tag, endpoint and place, and charts of daily cost, all of the
// rows that filters and window leave. Not here: sums (cube.js), prices and completeness (costs.html.j2).

const TOKEN_COLUMNS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];
const MONEY_COLUMNS = ["cost", ...PART_COSTS];
const COST_COLUMNS = ["cost", "share", "calls", "errors", ...TOKEN_COLUMNS, ...PART_COSTS, "unpriced_calls"];
const COST_SHADES = [...["1", "2", "3", "4", "5", "6"].map((n) => `chart-${n}`), "chart-throttle", "chart-quota"];
const MOST_SHADES = 8;

let cube = null;
let selection = null; // what filters and window leave of the cube

// Pools that logged calls of the chosen application and caller used; null when neither is chosen.
function poolsOfCallers() {
  if (!cube || !(state.application || state.caller)) return null;
  const all = cube.select({ ...state, tag: "" }, [0, cube.days - 1]);
  return new Set(all.rows.map((row) => cube.names.pool[cube.columns.pool[row]].anchor));
}

function selectCosts() {
  const { first_day: first, last_day: last } = chosenDays() ?? { first_day: cube.firstDay, last_day: cube.day(cube.days - 1) };
  selection = cube.select(state, cube.daysBetween(first, last));
  selection.total = cube.total(selection.rows);
  selection.isAtLeast = selection.missing.length > 0 || selection.hidden > 0;
}

// What a breakdown groups by: the key of a row, and of a key its name, its remark and whether its own calls can be missing.
const BREAKDOWNS = {
  model: {
    key: (row) => poolOf(row).model_id ?? "",
    name: (row) => poolOf(row).model_name ?? poolOf(row).model_id,
    remark: (row) => poolOf(row).model_id,
    isAtLeast: (row) => selection.missing.some(([, pool]) => cube.names.pool[pool].model_id === poolOf(row).model_id),
  },
  application: {
    key: (row) => cube.columns.application[row],
    name: (row) => named(cube.names.application[cube.columns.application[row]]),
  },
  caller: {
    key: (row) => `${poolOf(row).account_id} ${cube.columns.caller[row]}`,
    name: (row) => named(callerOf(row)),
    remark: (row) => [words.costs.principal[callerOf(row).principal_type] ?? callerOf(row).principal_type, poolOf(row).account_name].filter(Boolean).join(" · "),
  },
  place: {
    key: (row) => `${poolOf(row).account_id} ${poolOf(row).region}`,
    name: (row) => `${poolOf(row).account_name} · ${poolOf(row).region}`,
    remark: (row) => poolOf(row).account_id,
  },
  endpoint: {
    key: (row) => poolOf(row).endpoint_type ?? "",
    name: (row) => endpointName(poolOf(row).endpoint_type),
  },
};

const poolOf = (row) => cube.names.pool[cube.columns.pool[row]];
const callerOf = (row) => cube.names.caller[cube.columns.caller[row]];
const profileOf = (row) => cube.names.profile[cube.columns.profile[row]];

// Small rows of several callers were put together; they are said to be.
const named = (entry) => (entry?.merged ? words.costs.merged : typeof entry === "object" ? entry?.name ?? null : entry);

// The values of one tag; every call is in exactly one row.
const tagBreakdown = (tag) => ({
  key: (row) => {
    const { tags, merged } = profileOf(row);
    return merged ? "merged" : tags === null || tags === undefined ? "unknown" : tag in tags ? `=${tags[tag]}` : "unset";
  },
  name: (row) => {
    const { tags, merged } = profileOf(row);
    return merged ? words.costs.merged : tags === null || tags === undefined ? null : tags[tag] ?? words.costs.no_tag;
  },
});

const tagKeys = () => [...new Set(cube.names.profile.flatMap(({ tags }) => Object.keys(tags ?? {})))].sort();

function breakdownRows({ key, name, remark = () => null, isAtLeast = () => selection.isAtLeast }) {
  const groups = [...cube.groups(selection.rows, key).values()];
  const whole = selection.total.cost;
  return groups
    .map((sum) => ({
      ...sum, name: name(sum.row), remark: remark(sum.row), isAtLeast: isAtLeast(sum.row),
      share: sum.cost === null || !whole ? null : Number(sum.cost) / Number(whole),
    }))
    .sort((one, other) => compareValues(one.cost, other.cost, true) || other.calls - one.calls || compareValues(one.name, other.name, false));
}

const isMoney = (column) => MONEY_COLUMNS.includes(column);

function costCell(row, column) {
  const value = row[column];
  const exact = isMoney(column) && value !== null ? exactMoney(value) : value ?? "";
  const cell = element("td", { class: "number", "data-column": column, "data-value": exact });
  if (value === null) {
    cell.append(missing());
    return cell;
  }
  const isBound = row.isAtLeast || ((isMoney(column) || column === "share") && row.unpriced_calls > 0);
  if (isBound) {
    const [mark, title] = column === "share" ? ["≈", words.costs.of_known] : ["≥", words.costs.at_least];
    cell.append(element("span", { class: "bound", title }, mark), " ");
  }
  cell.append(column === "share" ? shareText(value) : isMoney(column) ? money(value) : number(value));
  if (isMoney(column)) cell.title = exact;
  return cell;
}

const costUnit = (column) => (isMoney(column) ? words.costs.dollars : TOKEN_COLUMNS.includes(column) ? words.units.tokens : null);

function costColumns(subject) {
  const name = (row) => element("th", { scope: "row", title: row.name ?? words.unknown }, row.name ?? missing(),
    row.remark ? element("small", {}, row.remark) : null);
  return [
    textColumn("name", subject, (row) => row.name, name),
    ...COST_COLUMNS.map((column) => ({
      key: column, label: words.costs.columns[column], unit: costUnit(column), isNumber: true,
      value: (row) => row[column], cell: (row) => costCell(row, column),
      csv: (row) => (isMoney(column) && row[column] !== null ? exactMoney(row[column]) : row[column]),
    })),
  ];
}

class CostTable {
  constructor(subject, title, head, breakdown) {
    this.breakdown = breakdown;
    this.table = new DataTable({
      name: `cost-${subject}`, label: title, columns: costColumns(head), look: "dense costs",
      rowAttributes: (row) => ({ "data-name": row.name ?? "" }),
    });
    this.place = element("div", { "data-subject": subject }, heading(title, "h3"), this.table.place);
  }

  show() {
    const rows = breakdownRows(this.breakdown);
    const foot = { ...selection.total, name: words.costs.total, remark: null, isAtLeast: selection.isAtLeast, share: selection.total.cost ? 1 : null };
    this.table.renew(rows, foot);
  }
}

// ---- Charts --------------------------------------------------------------------------------------------------

function costFigure(name, prepare) {
  const { title } = words.costs[name.replaceAll("-", "_")];
  return new Figure({ name, title, unit: words.costs.dollars, wide: true, prepare });
}

const costDays = () => Array.from({ length: selection.days[1] - selection.days[0] + 1 }, (_, i) => selection.days[0] + i);

// Bars of exact picodollars by day, as dollars for the chart and exact text for its table.
function costBars(bars) {
  const days = costDays();
  const labels = days.map((day) => cube.day(day));
  const isBound = selection.isAtLeast || selection.total.unpriced_calls > 0;
  return {
    caption: [isBound ? element("span", { class: "bound" }, `≥ ${words.costs.at_least} `) : "", words.costs.chart_note],
    options: () => stackedDays(labels, bars.map((bar) => ({ ...bar, shade: color(bar.color), values: days.map((day) => (bar.usd.has(day) ? dollars(bar.usd.get(day)) : null)) })),
      (value) => money(BigInt(Math.round(value * 1e12)))),
    columns: () => [
      textColumn("day", words.columns.day, (row) => row.day, (row) => element("th", { scope: "row" }, row.day)),
      ...bars.map((bar, place) => ({
        key: String(place), label: bar.label, unit: words.costs.dollars, isNumber: true, value: (row) => row.values[place],
        cell: (row) => numberCell(row.values[place] === null ? null : exactMoney(row.values[place]), String(place), (text) => money(picodollars(text))),
        csv: (row) => (row.values[place] === null ? null : exactMoney(row.values[place])),
      })),
    ],
    rows: () => days.map((day, i) => ({ day: labels[i], values: bars.map((bar) => bar.usd.get(day) ?? null) })),
  };
}

const byDay = (rows, value) => {
  const usd = new Map();
  for (const row of rows) {
    const amount = value(row);
    if (amount !== null) usd.set(cube.columns.day[row], (usd.get(cube.columns.day[row]) ?? 0n) + amount);
  }
  return usd;
};

const rowCost = (row) => PART_COSTS.reduce((sum, name) => {
  const part = cube.columns[name][row];
  return part === null ? sum : (sum ?? 0n) + part;
}, null);

// The costliest have a colour; the others are drawn as one.
function applicationBars() {
  const groups = breakdownRows(BREAKDOWNS.application).filter(({ cost }) => cost !== null);
  const own = groups.slice(0, MOST_SHADES).map(({ row }) => cube.columns.application[row]);
  const of = new Map(own.map((application) => [application, []]));
  const others = [];
  for (const row of selection.rows) (of.get(cube.columns.application[row]) ?? others).push(row);
  const bars = own.map((application, place) => ({
    label: named(cube.names.application[application]), color: COST_SHADES[place], usd: byDay(of.get(application), rowCost),
  }));
  if (groups.length > MOST_SHADES) bars.push({ label: words.costs.others, color: "line-strong", usd: byDay(others, rowCost) });
  return costBars(bars);
}

const kindBars = () => costBars(PART_COSTS.map((name, place) => ({
  label: words.costs.columns[name], color: COST_SHADES[place], usd: byDay(selection.rows, (row) => cube.columns[name][row]),
})));

// ---- The section ---------------------------------------------------------------------------------------------

class CostSection {
  constructor() {
    const { by, subject } = words.costs;
    this.tables = Object.entries(BREAKDOWNS).map(([name, breakdown]) => new CostTable(name, by[name], subject[name], breakdown));
    this.tables.push(...tagKeys().map((key) => new CostTable("tag", fill(by.tag, { key }), subject.tag, tagBreakdown(key))));
    this.figures = [costFigure("daily-cost", applicationBars), costFigure("daily-cost-kinds", kindBars)];
    this.remark = element("p", { class: "quiet", id: "cost-days" });
    byId("cost-tables").append(this.remark, ...this.figures.map(({ figure }) => figure), ...this.tables.map(({ place }) => place));
    this.showRemark();
  }

  show() {
    this.showRemark();
    this.showTables();
    for (const figure of this.figures) {
      figure.drawn = 0;
      if (visible.has(figure)) figure.show();
    }
  }

  showTables() {
    for (const table of this.tables) table.show();
  }

  showRemark() {
    const [first, last] = selection.days.map((day) => cube.day(day));
    const hidden = selection.hidden ? ` ${counted(words.costs.hidden, selection.hidden)}` : "";
    this.remark.textContent = fill(words.costs.shown_days, { first, last }) + hidden;
  }
}
