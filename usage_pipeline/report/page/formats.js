// How numbers, money and shares are written, as formats.py writes them. One value in, its text out.
// Not here: times (times.js), words (labels.json). Nothing here touches the page.

const PICODOLLARS = 1000000000000n;
const CENT = PICODOLLARS / 100n;

// Kept, because making a format takes as long as writing dozens of numbers with it.
const WITH_DECIMALS = [0, 1, 2, 3].map((digits) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }));
const written = (value, digits) => WITH_DECIMALS[digits].format(value).replace("-", "\u2212");

// 1,234,567 · 12.35 · 0.125
function number(value) {
  if (typeof value === "bigint") return written(value, 0);
  const size = Math.abs(value);
  return written(value, Number.isInteger(value) || size >= 100 ? 0 : size >= 1 ? 2 : 3);
}

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const short = (value) => compact.format(value);

const percent = (share) => `${written(100 * share, Math.abs(share) >= 1 ? 0 : 1)}\u202f%`;

// A share that would be rounded to nothing is said to be small.
const shareText = (share) => (share > 0 && share < 0.0005 ? `< ${percent(0.001)}` : percent(share));

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

const counted = (text, n, values = {}) => fill(text[n === 1 ? "one" : "many"], { n: number(n), ...values });

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// Exact decimal text of US dollars, as whole picodollars.
function picodollars(text) {
  const [dollars, part = ""] = text.split(".");
  return BigInt(dollars) * PICODOLLARS + BigInt(part.padEnd(12, "0"));
}

const exactMoney = (amount) => `${amount / PICODOLLARS}.${String(amount % PICODOLLARS).padStart(12, "0")}`;

const dollars = (amount) => Number(amount) / 1e12;

// To the cent; what is less than a cent is said to be, and is not rounded to nothing.
function money(amount) {
  if (amount > 0n && amount < CENT) return "< 0.01";
  const cents = (amount + CENT / 2n) / CENT;
  return `${written(cents / 100n, 0)}.${String(cents % 100n).padStart(2, "0")}`;
}
