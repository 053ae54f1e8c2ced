// Tables as CSV text. Not here: which tables (tables.js). Nothing here touches the page.

// A spreadsheet runs text that begins so; an apostrophe before it keeps it text.
const FORMULA = /^[=+\-@\t\r]/;

// Numbers as they are, exact and without groups; unknown is an empty cell.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const csvText = (rows) => rows.map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
