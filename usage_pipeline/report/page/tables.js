// Tables: sorted by any column, cut to a few rows, written as CSV. One class for tables that the script makes of rows, one
// for those that the page has from the beginning. Not here: what is in them.

// Rows that are shown at first; thousands would make the page long and slow.
const MOST_ROWS = 25;

const liveTables = new Set();
watch(["sort"], () => {
  for (const table of [...liveTables]) table.sortAgain();
});

function sortOf(name) {
  const [column, direction] = (state.sort[name] ?? "").split(":");
  return { column, isDescending: direction === "desc" };
}

// Numbers fall at first, text rises; the third click gives the first order back.
function nextSort(name, column, isNumber) {
  const order = isNumber ? ["desc", "asc"] : ["asc", "desc"];
  const [chosen, direction] = (state.sort[name] ?? "").split(":");
  const place = chosen === column ? order.indexOf(direction) + 1 : 0;
  const sort = { ...state.sort };
  if (place < order.length) sort[name] = `${column}:${order[place]}`;
  else delete sort[name];
  return sort;
}

// Makes a column's head a button, and says how the table is sorted.
function sortHead(cell, name, column, isNumber) {
  const act = () => change({ sort: nextSort(name, column, isNumber) }, false);
  const sorter = button("", act, { class: "sorter" });
  sorter.append(...cell.childNodes);
  cell.append(sorter);
  cell.dataset.sortedBy = column;
}

function showSort(table, name) {
  const { column, isDescending } = sortOf(name);
  for (const cell of table.querySelectorAll("[data-sorted-by]")) {
    if (cell.dataset.sortedBy === column) cell.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  }
}

function download(name, rows) {
  const blob = new Blob(["\ufeff", csvText(rows)], { type: "text/csv;charset=utf-8" });
  const link = element("a", { href: URL.createObjectURL(blob), download: `${name}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const fileName = (...parts) => ["bedrock", ...parts].join("-").replace(/[^A-Za-z0-9.-]+/g, "_").slice(0, 120);

const csvButton = (label, act) =>
  button(words.tables.csv, act, { class: "csv", "aria-label": fill(words.tables.csv_of, { table: label }) });

const scroller = (label, table) => element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);

// A column: `key`, `label`, `unit`, `isNumber`; `value` of a row (what is sorted and written as CSV); `cell` of a row (its
// element), when the value alone does not make it.
class DataTable {
  constructor({ name, label, columns, rows = null, look = "", foot = null, rowAttributes = () => ({}), most = MOST_ROWS, file = name }) {
    Object.assign(this, { name, label, columns, rows, look, foot, rowAttributes, most, file });
    this.place = element("div", { class: "framed", "data-table": name });
    this.showsAll = false;
    liveTables.add(this);
    if (rows) this.show();
  }

  // New rows in the same place, when filters change; the first ones of a table that was made without.
  renew(rows, foot = null, columns = this.columns) {
    Object.assign(this, { rows, foot, columns });
    this.show();
  }

  sortAgain() {
    if (!this.place.isConnected && this.wasShown) liveTables.delete(this);
    else if (this.rows) this.show();
  }

  ordered() {
    const { column: key, isDescending } = sortOf(this.name);
    const column = this.columns.find((candidate) => candidate.key === key);
    return column ? sorted(this.rows, column.value, isDescending) : this.rows;
  }

  show() {
    this.wasShown ||= this.place.isConnected;
    const focused = this.place.contains(document.activeElement) && document.activeElement.closest("[data-sorted-by]")?.dataset.sortedBy;
    const rows = this.ordered();
    const shown = this.showsAll ? rows : rows.slice(0, this.most);
    const table = element("table", { class: this.look },
      element("caption", { class: "for-readers" }, this.label),
      element("thead", {}, element("tr", {}, ...this.columns.map((column) => this.head(column)))),
      element("tbody", {}, ...shown.map((row) => this.line(row))));
    if (this.foot) table.append(element("tfoot", {}, this.line(this.foot)));
    showSort(table, this.name);
    this.place.replaceChildren(scroller(this.label, table), this.strip(rows.length, shown.length));
    if (focused) this.place.querySelector(`[data-sorted-by="${focused}"] button`)?.focus();
  }

  head(column) {
    const cell = element("th", { scope: "col", class: column.isNumber ? "number" : null }, column.label);
    if (column.unit) cell.append(element("small", {}, column.unit));
    sortHead(cell, this.name, column.key, column.isNumber);
    return cell;
  }

  line(row) {
    return element("tr", this.rowAttributes(row), ...this.columns.map((column) => column.cell(row)));
  }

  strip(count, shown) {
    const more = count > shown ? button(fill(words.tables.show_all, { n: number(count) }), () => {
      this.showsAll = true;
      this.show();
    }, { class: "more" }) : null;
    const size = element("span", { class: "quiet" }, rowCount(count, shown));
    return element("div", { class: "strip" }, size, more, csvButton(this.label, () => this.save()));
  }

  csvRows() {
    const head = this.columns.map(({ label, unit }) => (unit ? `${label} (${unit})` : label));
    const body = [...this.ordered(), ...(this.foot ? [this.foot] : [])];
    return [head, ...body.map((row) => this.columns.map((column) => (column.csv ?? column.value)(row)))];
  }

  save() {
    download(fileName(this.file), this.csvRows());
  }
}

const rowCount = (count, most) =>
  count > most ? fill(words.tables.rows_of, { n: number(most), all: number(count) }) : counted(words.tables.rows, count);

const textColumn = (key, label, value, cell = (row) => element("td", {}, value(row) ?? missing())) =>
  ({ key, label, value, cell });

// A number with its exact value in `data-value`; `text` writes it.
function numberCell(value, key, text = number) {
  const cell = element("td", { class: "number", "data-column": key, "data-value": value ?? "" });
  cell.append(value === null || value === undefined ? missing() : text(value));
  return cell;
}

const numberColumn = (key, label, unit, value = (row) => row[key], text = number) =>
  ({ key, label, unit, isNumber: true, value, cell: (row) => numberCell(value(row) ?? null, key, text) });

const percentColumn = (key, label, value = (row) => row[key]) => numberColumn(key, label, null, value, percent);

// The zone is part of the head, because it can be chosen.
const timeColumn = (key, label, value) => ({
  key, label, unit: state.zone, value,
  cell: (row) => element("td", { class: "whole" }, value(row) === null ? missing() : minute(value(row))),
  csv: (row) => (value(row) === null ? null : minute(value(row))),
});

// A table that is in the page from the beginning: its rows are moved, never made anew.
class PageTable {
  constructor(table) {
    this.table = table;
    this.name = table.dataset.table;
    this.label = table.closest("[aria-label]").getAttribute("aria-label");
    this.rows = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((cell, place) => {
      if (cell.textContent.trim()) sortHead(cell, this.name, String(place), cell.classList.contains("number"));
    });
    this.most = Number(table.dataset.most ?? Infinity);
    this.size = element("span", { class: "quiet" });
    this.more = button("", () => {
      this.most = Infinity;
      this.cut();
    }, { class: "more" });
    const strip = element("div", { class: "strip" }, this.size, this.more, csvButton(this.label, () => this.save()));
    const frame = element("div", { class: "framed" });
    const scroll = table.closest(".scroll");
    scroll.replaceWith(frame);
    frame.append(scroll, strip);
    liveTables.add(this);
    this.sortAgain();
  }

  sortAgain() {
    const { column, isDescending } = sortOf(this.name);
    const place = Number(column);
    const rows = column ? sorted(this.rows, (row) => sortValue(cellAt(row, place)), isDescending) : this.rows;
    const [body] = this.table.tBodies;
    if (rows.some((row, i) => row !== body.rows[i])) body.append(...rows);
    showSort(this.table, this.name);
    this.cut();
  }

  // The order without a sort; `keyOf` gives a list of numbers for each row.
  order(keyOf) {
    const keyed = this.rows.map((row) => [keyOf(row), row]);
    keyed.sort(([one], [other]) => one.reduce((order, value, i) => order || value - other[i], 0));
    this.rows = keyed.map(([, row]) => row);
    this.sortAgain();
  }

  // Shows the first rows of those that the filters leave.
  cut() {
    const rows = [...this.table.tBodies[0].rows].filter((row) => !row.hasAttribute("data-filtered"));
    rows.forEach((row, place) => row.classList.toggle("beyond", place >= this.most));
    this.more.hidden = rows.length <= this.most;
    this.more.textContent = fill(words.tables.show_all, { n: number(rows.length) });
    this.size.textContent = rowCount(rows.length, this.most);
  }

  csvRows() {
    const heads = [...this.table.tHead.rows[0].cells];
    const rows = [...this.table.tBodies[0].rows].filter((row) => !row.hidden);
    return [heads.map(headText), ...rows.map((row) => heads.map((_, place) => csvValue(cellAt(row, place))))];
  }

  save() {
    download(fileName(this.name), this.csvRows());
  }
}

// The cell under a head, also after a cell that spans several.
function cellAt(row, place) {
  let column = 0;
  for (const cell of row.cells) {
    if (column === place) return cell;
    column += cell.colSpan;
  }
  return null;
}

const plainText = (cell) =>
  [...cell.childNodes].map((node) => node.textContent.trim().replace(/\s+/g, " ")).filter(Boolean).join(" ");

// The label, and its unit in brackets.
function headText(cell) {
  const unit = cell.querySelector("small")?.textContent.trim();
  const label = plainText(cell.querySelector(".sorter") ?? cell);
  return unit ? `${label.slice(0, -unit.length).trim()} (${unit})` : label;
}

const exactValue = (cell) => cell?.dataset.value ?? cell?.querySelector("time[datetime]")?.dateTime;

function sortValue(cell) {
  if (!cell) return null;
  const exact = exactValue(cell);
  if (exact === "" || (exact === undefined && cell.querySelector(".missing"))) return null;
  if (exact !== undefined) return cell.classList.contains("number") || cell.dataset.value ? orNumber(exact) : exact;
  return cell.classList.contains("number") ? orNumber(plainText(cell).replaceAll(",", "")) : plainText(cell);
}

const orNumber = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

function csvValue(cell) {
  if (!cell) return null;
  const value = cell.dataset.value;
  if (value === undefined) return plainText(cell);
  return value === "" ? null : orNumber(value);
}
