// Use of Amazon Q Developer and Kiro: which rows the filters leave, and what they add up to. Filters of account, Region and
// caller act, the last on user ids; those of models do not. Nothing here touches the page.

let qDeveloper = null; // what the page has of it, if anything

// Accounts and Regions to filter by, which may have no pool.
const qDeveloperPlaces = () => (qDeveloper ? objects(qDeveloper.user_days) : []);

const Q_COUNTS = [
  "interactions", "messages", "suggestions", "accepted_suggestions", "inline_lines", "chat_lines", "dev_runs", "test_runs", "doc_runs",
];
const Q_TOKEN_PARTS = ["chat_input_tokens", "chat_output_tokens", "inline_input_tokens", "inline_output_tokens", "dev_input_tokens"];
const Q_LEVELS = ["low", "mean", "high"];
const Q_ESTIMATES = Q_LEVELS.flatMap((level) => [`estimated_input_tokens_${level}`, `estimated_output_tokens_${level}`]);
const Q_SUMS = [
  ...Q_COUNTS, "requests", "chat_requests", "inline_requests", "dev_requests", "uncounted_requests", ...Q_TOKEN_PARTS,
  "input_tokens", "output_tokens", ...Q_ESTIMATES,
];

const qFits = (row, chosen) =>
  (!chosen.account || row.account_id === chosen.account) && (!chosen.region || row.region === chosen.region) &&
  (!("user_id" in row) || textMatches(row.user_id, chosen.caller));

// What is unknown adds nothing; a sum of nothing but unknown values is unknown.
function knownSum(rows, name) {
  const known = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}

// One estimate makes a sum one: "estimated" comes after "counted".
const worstSource = (rows) => rows.map((row) => row.token_source).filter((source) => source !== null).sort().at(-1) ?? null;

function qSums(rows) {
  const sums = Object.fromEntries(Q_SUMS.map((name) => [name, knownSum(rows, name)]));
  for (const level of Q_LEVELS) {
    const [input, output] = [sums[`estimated_input_tokens_${level}`], sums[`estimated_output_tokens_${level}`]];
    sums[`estimated_${level}`] = input === null && output === null ? null : (input ?? 0) + (output ?? 0);
  }
  return { ...sums, token_source: worstSource(rows) };
}

const isActive = (row) => row.interactions > 0;

function grouped(rows, keyOf) {
  const found = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return found;
}

// People whose rows fit; several who were put together are not among them.
const peopleOf = (rows, fits = isActive) =>
  new Set(rows.filter((row) => row.user_id !== null && fits(row)).map((row) => `${row.account_id} ${row.user_id}`)).size;

const isMergedUsers = (row) => row.merged_users > 0;

function qUsers(rows) {
  const keyOf = (row) => JSON.stringify([row.account_id, row.region, row.product, row.user_id, isMergedUsers(row)]);
  return [...grouped(rows, keyOf).values()].map((own) => {
    const days = [...new Set(own.filter(isActive).map((row) => row.usage_date))].sort();
    return {
      ...own.at(-1), ...qSums(own), user_email: own.findLast((row) => row.user_email)?.user_email ?? null,
      active_days: days.length, first_active: days[0] ?? null, last_active: days.at(-1) ?? null,
    };
  }).sort((one, other) => compareValues(one.interactions, other.interactions, true) || compareValues(one.user_id, other.user_id, false));
}

// Exact dollars of a column, in 10^-12; unknown when one of them is.
function exactSum(rows, name) {
  if (!rows.length || rows.some((row) => row[name] === null)) return null;
  return rows.reduce((sum, row) => sum + signedPicodollars(row[name]), 0n);
}

const signedPicodollars = (text) => (text.startsWith("-") ? -picodollars(text.slice(1)) : picodollars(text));

const signedExact = (amount) => (amount < 0n ? `-${exactMoney(-amount)}` : exactMoney(amount));

const signedMoney = (amount) => (amount < 0n ? `\u2212${money(-amount)}` : money(amount));

// All rows of one month together, as a row.
function qMonth(rows) {
  const seats = knownSum(rows, "seats");
  const cost = exactSum(rows, "virtual_cost_usd");
  const sums = ["seats", "active_seats", "idle_seats", "unknown_user_days", "input_tokens", "output_tokens"].map((name) => [name, knownSum(rows, name)]);
  const exact = ["virtual_cost_usd", "virtual_cost_low_usd", "virtual_cost_high_usd", "subscription_usd", "subscription_to_date_usd", "net_usd"].map((name) => {
    const sum = exactSum(rows, name);
    return [name, sum === null ? null : signedExact(sum)];
  });
  return {
    ...Object.fromEntries([...sums, ...exact]), usage_month: rows[0].usage_month, is_total: true,
    virtual_cost_per_seat_usd: cost === null || !seats ? null : exactMoney(cost / BigInt(seats)),
  };
}
