// Sums over the logged calls: which rows of the cube the filters leave, and what they add up to. Costs are exact.
// Not here: what the tables and charts show of it (costs.js). Nothing here touches the page.

const COUNTS = [
  "calls", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "unpriced_calls",
  "latency_samples", "tpot_samples",
];
const PART_COSTS = ["input_cost", "output_cost", "cache_read_cost", "cache_write_cost"];
const SPENT_TIMES = ["latency_us", "tpot_ns"];
const PLACES = ["day", "pool", "profile", "application", "caller", "tier"];

class Cube {
  constructor(packed) {
    const { header } = packed;
    this.firstDay = header.first_day;
    this.days = header.days;
    this.rows = header.rows;
    this.names = header.dictionaries;
    this.columns = {};
    for (const name of [...PLACES, ...COUNTS, ...PART_COSTS, ...SPENT_TIMES]) {
      this.columns[name] = packed.column(header.columns, name);
    }
    const [days, pools] = ["day", "pool"].map((name) => packed.column(header.incomplete, name));
    this.incomplete = days.map((day, i) => [day, pools[i]]);
  }

  day(index) {
    return new Date(Date.parse(`${this.firstDay}T00:00Z`) + index * 86400000).toISOString().slice(0, 10);
  }

  // Days [first, last] as places of the cube's own days, cut to them.
  daysBetween(first, last) {
    const begin = Date.parse(`${this.firstDay}T00:00Z`);
    const place = (day) => (Date.parse(`${day}T00:00Z`) - begin) / 86400000;
    return [Math.max(place(first), 0), Math.min(place(last), this.days - 1)];
  }

  // What the filters and the days leave: row numbers, whether calls of it can be missing, and how many rows hold several
  // callers and so could not be told apart.
  select(chosen, [firstDay, lastDay]) {
    const { pool, profile, application, caller } = this.names;
    const fits = {
      pool: pool.map((place) => placeMatches(place, chosen)),
      profile: profile.map(({ tags }) => !chosen.tag || hasTag(tags, chosen.tag)),
      application: application.map((name) => !chosen.application || name === chosen.application),
      caller: caller.map(({ name }) => textMatches(name, chosen.caller)),
    };
    const { columns } = this;
    const found = [];
    for (let row = 0; row < this.rows; row += 1) {
      if (
        columns.day[row] >= firstDay && columns.day[row] <= lastDay && fits.pool[columns.pool[row]] &&
        fits.profile[columns.profile[row]] && fits.application[columns.application[row]] && fits.caller[columns.caller[row]]
      ) found.push(row);
    }
    const missing = this.incomplete.filter(([day, place]) => day >= firstDay && day <= lastDay && fits.pool[place]);
    return { rows: found, days: [firstDay, lastDay], missing, hidden: this.hiddenRows(chosen, fits, [firstDay, lastDay]) };
  }

  // Rows of several callers together that a filter by caller cannot look into.
  hiddenRows(chosen, fits, [firstDay, lastDay]) {
    if (!chosen.tag && !chosen.application && !chosen.caller) return 0;
    const { columns } = this;
    const isMerged = (name, row) => this.names[name][columns[name][row]]?.merged === true;
    let hidden = 0;
    for (let row = 0; row < this.rows; row += 1) {
      const isInside = columns.day[row] >= firstDay && columns.day[row] <= lastDay && fits.pool[columns.pool[row]];
      if (isInside && isMerged("application", row)) hidden += 1;
    }
    return hidden;
  }

  // The sums of rows by a key of each row; a null key leaves the row out.
  groups(rows, keyOf) {
    const found = new Map();
    for (const row of rows) {
      const key = keyOf(row);
      if (key === null) continue;
      if (!found.has(key)) found.set(key, this.nothing(row));
      this.add(found.get(key), row);
    }
    return found;
  }

  total(rows) {
    const sum = this.nothing(null);
    for (const row of rows) this.add(sum, row);
    return sum;
  }

  nothing(row) {
    const sum = { row, cost: null };
    for (const name of COUNTS) sum[name] = 0;
    for (const name of PART_COSTS) sum[name] = null;
    for (const name of SPENT_TIMES) sum[name] = 0n;
    return sum;
  }

  add(sum, row) {
    const { columns } = this;
    for (const name of COUNTS) sum[name] += Number(columns[name][row] ?? 0);
    for (const name of SPENT_TIMES) sum[name] += columns[name][row] ?? 0n;
    for (const name of PART_COSTS) {
      const value = columns[name][row];
      if (value === null) continue;
      sum[name] = (sum[name] ?? 0n) + value;
      sum.cost = (sum.cost ?? 0n) + value;
    }
  }
}
