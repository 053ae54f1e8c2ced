// Order of table rows. Nothing here touches the page.

const collator = new Intl.Collator("en", { numeric: true });

// What is unknown comes last in both directions.
function compareValues(one, other, isDescending) {
  const isUnknown = [one, other].map((value) => value === null || value === undefined || value === "");
  if (isUnknown[0] || isUnknown[1]) return isUnknown[0] - isUnknown[1];
  const order = typeof one === "string" ? collator.compare(one, String(other)) : one < other ? -1 : one > other ? 1 : 0;
  return isDescending ? -order : order;
}

// Rows by a value of each; equal ones keep their order.
const sorted = (rows, value, isDescending) =>
  rows.map((row) => [value(row), row]).sort(([one], [other]) => compareValues(one, other, isDescending)).map(([, row]) => row);
