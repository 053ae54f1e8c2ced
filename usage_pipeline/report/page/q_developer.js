// Amazon Q Developer and Kiro: tiles, charts and tables of what filters and window leave. Limits, value and trends have
// months and days of their own. Only in a page that has such use. Not here: sums (q_developer_rows.js).

const qWords = () => words.q_developer;

const qDays = () => chosenDays() ?? { first_day: qDeveloper.first_day, last_day: qDeveloper.last_day };

const qLabel = (name, value) => (value === null || value === undefined ? null : qWords()[name][value] ?? value);

const qPlace = (row) => [qLabel("product", row.product), row.account_name, row.region, row.subscription_tier].filter(Boolean).join(" · ");

const qName = (row) => {
  if (row.is_total) return words.costs.total;
  if (isMergedUsers(row)) return qWords().merged;
  if (row.subject_kind === "everybody") return qWords().everybody;
  return row.user_id;
};

const qUserColumn = () => textColumn("user_id", qWords().columns.user_id, qName, (row) => element("th", { scope: "row" },
  qName(row) ?? missing(), row.user_email ? element("small", {}, row.user_email) : null));

const qTextColumn = (key) => textColumn(key, qWords().columns[key], (row) => row[key],
  (row) => element("td", { class: "text" }, row[key] ?? missing()));

// A text of a fixed set, in words; a foot has none.
const qWordColumn = (key, name = key) => textColumn(key, qWords().columns[key], (row) => qLabel(name, row[key]),
  (row) => element("td", { class: "whole" }, row.is_total ? "" : qLabel(name, row[key]) ?? missing()));

const qPlaceColumn = () => textColumn("place", qWords().columns.place, qPlace, (row) => element("td", { class: "whole" }, qLabel("product", row.product) ?? "",
  element("small", {}, [row.account_name, row.region, row.subscription_tier].filter(Boolean).join(" · "))));

// Days that may lie in no month, or never come.
const qDayColumn = (key, value = (row) => row[key]) => textColumn(key, qWords().columns[key], (row) => value(row) ?? null,
  (row) => element("td", { class: "whole" }, value(row) ?? (row.is_total ? "" : element("span", { class: "quiet" }, "–"))));

const qNumber = (key, unit = null, value = (row) => row[key]) => numberColumn(key, qWords().columns[key], unit, value);

const qTokens = (key) => qNumber(key, words.units.tokens);

const qPercent = (key, value = (row) => row[key]) => percentColumn(key, qWords().columns[key], value);

// Exact decimals that are counts, not money.
const qExact = (key) => numberColumn(key, qWords().columns[key], null, (row) => (row[key] === null ? null : Number(row[key])));

const qMoney = (key) => ({
  key, label: qWords().columns[key], unit: words.costs.dollars, isNumber: true,
  value: (row) => (row[key] === null || row[key] === undefined ? null : Number(row[key])),
  // A total has no price of its own.
  cell: (row) => (row.is_total && !(key in row) ? element("td", {}) : numberCell(row[key] ?? null, key, (text) => signedMoney(signedPicodollars(text)))),
  csv: (row) => row[key] ?? null,
});

// ---- Tables --------------------------------------------------------------------------------------------------

const acceptance = (row) => (row.suggestions ? row.accepted_suggestions / row.suggestions : null);

const Q_COLUMNS = {
  users: () => [
    qUserColumn(), qPlaceColumn(), qNumber("active_days"), qDayColumn("first_active"), qDayColumn("last_active"), ...Q_COUNTS.map((name) => qNumber(name)),
    qPercent("acceptance", (row) => (row.accepted_suggestions === null ? null : acceptance(row))),
    qNumber("requests"), qTokens("input_tokens"), qTokens("output_tokens"), qWordColumn("token_source"),
    ...Q_LEVELS.map((level) => qTokens(`estimated_${level}`)),
  ],
  kinds: () => [qKindColumn(), qNumber("amount"), qNumber("people")],
  tokens: () => [qKindColumn(), qWordColumn("token_source"), qRequestsColumn(), qTokens("input_tokens"), qTokens("output_tokens")],
  limits: () => [
    qUserColumn(), qPlaceColumn(), qDayColumn("usage_month", (row) => row.usage_month.slice(0, 7)), qWordColumn("limit_name"), qStatusColumn(), qExact("used"), qExact("limit"),
    qPercent("used_share"), qExact("projected"), qPercent("projected_share"), qDayColumn("reaches_limit_on"),
    qNumber("unknown_days"), qDayColumn("known_through"),
  ],
  values: () => [
    textColumn("usage_month", qWords().columns.usage_month, (row) => row.usage_month, (row) => element("th", { scope: "row" },
      row.is_total ? `${words.costs.total} ` : "", row.usage_month.slice(0, 7))),
    qPlaceColumn(), qNumber("seats"), qWordColumn("seats_source"), qNumber("active_seats"), qNumber("idle_seats"),
    qMoney("virtual_cost_usd"), qMoney("virtual_cost_low_usd"), qMoney("virtual_cost_high_usd"), qMoney("virtual_cost_per_seat_usd"), qMoney("usd_per_seat"),
    qMoney("subscription_to_date_usd"), qMoney("net_usd"), qMoney("subscription_usd"), qTokens("input_tokens"), qTokens("output_tokens"),
    qWordColumn("token_source"), qNumber("unknown_user_days"), qDayColumn("known_through"),
  ],
  conversations: () => [
    qUserColumn(), qPlaceColumn(), qTextColumn("conversation_id"), qNumber("requests"), qTokens("context_tokens"), qTokens("context_window_tokens"),
    qPercent("window_share"), qWordColumn("token_source"), timeColumn("started_at", qWords().columns.started_at, (row) => row.started_at),
    timeColumn("last_request_at", qWords().columns.last_request_at, (row) => row.last_request_at),
  ],
  spikes: () => [qUserColumn(), qPlaceColumn(), qDayColumn("usage_date"), qNumber("value"), qNumber("expected"), qNumber("score")],
  trends: () => [
    qUserColumn(), qPlaceColumn(), qDayColumn("first_day"), qDayColumn("last_day"), qNumber("days"), qNumber("active_days"), qNumber("interactions"),
    qNumber("daily_average"), qNumber("daily_max"), qDayColumn("daily_max_on"), qNumber("daily_min"), qNumber("active_median"), qNumber("spike_days"),
  ],
};

// Of every limit that is known, once.
const limitSources = (rows) => fill(qWords().limit_sources, { sources: [...new Set(rows.map((row) => row.limit_source).filter(Boolean))].sort().join("; ") || words.unknown });

const qKindColumn = () => textColumn("kind", qWords().columns.kind, (row) => row.kind, (row) => element("th", { scope: "row" }, row.kind));

// Estimates from activity are of no request.
const qRequestsColumn = () => ({
  ...qNumber("requests"),
  cell: (row) => (row.token_source === "activity" ? element("td", { class: "number", "data-value": "" }, "–") : numberCell(row.requests, "requests")),
});

const qStatusColumn = () => textColumn("status", qWords().columns.status, (row) => qLabel("status", row.status),
  (row) => element("td", { class: "whole" }, element("span", { class: `tag ${row.status === "ok" ? "good" : "warn"}` }, qLabel("status", row.status))));

const kindRows = (rows) => Q_COUNTS.filter((name) => name !== "interactions")
  .map((name) => ({ kind: qWords().columns[name], amount: knownSum(rows, name), people: peopleOf(rows, (row) => row[name] > 0) }))
  .filter(({ amount }) => amount !== null);

// Logged tokens by kind, which add up to the first row; then what activity alone would make them.
function tokenRows(rows) {
  const sums = qSums(rows);
  const made = (kind, requests, input, output, source) => ({ kind, requests, input_tokens: input, output_tokens: output, token_source: source });
  const kinds = ["chat", "inline", "dev"].filter((kind) => sums[`${kind}_requests`])
    .map((kind) => made(qWords().kind[kind], sums[`${kind}_requests`], sums[`${kind}_input_tokens`], sums[`${kind}_output_tokens`] ?? null, sums.token_source));
  const all = sums.requests === null ? [] : [made(qWords().kind.all, sums.requests, sums.input_tokens, sums.output_tokens, sums.token_source)];
  const estimates = Q_LEVELS.map((level) =>
    made(qWords().kind[level], null, sums[`estimated_input_tokens_${level}`], sums[`estimated_output_tokens_${level}`], "activity"));
  return [...all, ...kinds, ...estimates.filter((row) => row.input_tokens !== null)];
}

// ---- Charts --------------------------------------------------------------------------------------------------

const Q_SHADES = ["chart-1", "chart-2", "chart-3", "chart-4", "chart-5"];

function qBars(rows, bars, unit, columns) {
  const days = dayRange(qDays());
  const of = grouped(rows, (row) => row.usage_date);
  return {
    caption: qWords().chart_note,
    options: () => stackedDays(days, bars.map(({ label, value }, place) => ({
      label, shade: color(Q_SHADES[place]), values: days.map((day) => (of.has(day) ? value(of.get(day)) : null)),
    })), (sum) => `${number(sum)} ${unit}`),
    columns: () => [
      textColumn("day", words.columns.day, (row) => row.day, (row) => element("th", { scope: "row" }, row.day)), ...columns(),
    ],
    rows: () => days.map((day) => {
      const own = of.get(day) ?? [];
      return { day, people: own.length ? peopleOf(own) : null, ...qSums(own) };
    }),
  };
}

function interactionBars(rows) {
  const products = [...new Set(rows.map((row) => row.product))].sort();
  const bars = products.map((product) => ({
    label: qLabel("product", product), value: (own) => knownSum(own.filter((row) => row.product === product), "interactions"),
  }));
  return qBars(rows, bars, qWords().units.interactions, () => [qNumber("people"), ...Q_COUNTS.map((name) => qNumber(name))]);
}

function tokenBars(rows) {
  const bars = Q_TOKEN_PARTS.filter((name) => knownSum(rows, name) !== null).map((name) => ({ label: qWords().columns[name], value: (own) => knownSum(own, name) }));
  return qBars(rows, bars, words.units.tokens, () => [...Q_TOKEN_PARTS, "input_tokens", "output_tokens"].map(qTokens));
}

// ---- The section ---------------------------------------------------------------------------------------------

class QDeveloperSection {
  constructor() {
    const { titles, notes } = qWords();
    this.rows = Object.fromEntries(["user_days", "limits", "values", "conversations", "spikes", "trends"].map((name) => [name, objects(qDeveloper[name])]));
    this.remark = element("p", { class: "quiet", id: "q-developer-days" });
    this.tiles = element("dl", { class: "tiles", id: "q-developer-tiles" });
    const figure = (name, unit, prepare) => new Figure({ name, title: titles[name], unit, wide: true, prepare: () => prepare(this.shown.user_days) });
    this.figures = [figure("q-interactions", qWords().units.interactions, interactionBars), figure("q-tokens", words.units.tokens, tokenBars)];
    this.tables = Object.fromEntries(Object.keys(Q_COLUMNS).map((name) => [name, new DataTable({
      name: `q-${name}`, file: `q-developer-${name}`, label: titles[name], columns: Q_COLUMNS[name](), look: "dense", most: 15,
    })]));
    const left = qDeveloper.left_out;
    const part = (name) => element("div", { "data-subject": name }, heading(titles[name], "h3"), notes[name] ? said(notes[name]) : null,
      name === "limits" ? said(limitSources(this.rows.limits)) : null, left[name] ? said(counted(qWords().left_out, left[name])) : null, this.tables[name].place);
    this.parts = Object.fromEntries(Object.keys(this.tables).map((name) => [name, part(name)]));
    byId("q-developer-parts").append(this.remark, this.tiles, ...this.figures.map((each) => each.figure), ...Object.values(this.parts));
    watch(["zone"], () => this.show());
    this.show();
  }

  show() {
    const { first_day: first, last_day: last } = qDays();
    this.shown = Object.fromEntries(Object.entries(this.rows).map(([name, rows]) => [name, rows.filter((row) => qFits(row, state))]));
    this.shown.user_days = this.shown.user_days.filter(({ usage_date: day }) => day >= first && day <= last);
    const { user_days: days, values } = this.shown;
    const hidden = state.caller && this.rows.user_days.some(isMergedUsers) ? ` ${qWords().merged_hidden}` : "";
    this.remark.textContent = fill(qWords().shown_days, { first, last }) + hidden;
    this.fill("users", qUsers(days), days.length ? { ...qSums(days), is_total: true, active_days: new Set(days.filter(isActive).map((row) => row.usage_date)).size } : null);
    this.fill("kinds", kindRows(days));
    this.fill("tokens", tokenRows(days));
    const newest = values.filter((row) => row.usage_month === values[0].usage_month);
    this.fill("values", values, newest.length ? qMonth(newest) : null);
    for (const name of ["limits", "conversations", "spikes", "trends"]) this.fill(name, this.shown[name]);
    this.showTiles(days, newest);
    for (const figure of this.figures) {
      figure.drawn = 0;
      if (visible.has(figure)) figure.show();
    }
  }

  // A table of which nothing was published has no place; one that filters emptied keeps its own.
  fill(name, rows, foot = null) {
    this.parts[name].hidden = name in this.rows && !this.rows[name].length;
    this.tables[name].renew(rows, foot, Q_COLUMNS[name]());
  }

  showTiles(days, newest) {
    const { tiles } = qWords();
    const sums = qSums(days);
    const month = newest.length ? qMonth(newest) : null;
    const made = (name, value, ...remarks) => element("div", {}, element("dt", {}, tiles[name]),
      element("dd", { id: `q-tile-${name}` }, value === null ? missing() : strong(value), " ", ...remarks.map((text) => small(`${text} `))));
    const text = (value) => (value === null ? null : number(value));
    const tokens = sums.input_tokens === null && sums.output_tokens === null ? null : (sums.input_tokens ?? 0) + (sums.output_tokens ?? 0);
    const usd = (value) => (value === null || value === undefined ? null : signedMoney(signedPicodollars(value)));
    const near = this.shown.limits.filter(({ status }) => ["limit_reached", "warning", "reaches_limit"].includes(status)).length;
    this.tiles.replaceChildren(
      made("people", (days.some(isMergedUsers) ? "≥ " : "") + number(peopleOf(days))),
      made("seats", month && number(month.active_seats), ...(month ? [fill(tiles.of_seats, { n: number(month.seats), month: month.usage_month.slice(0, 7) })] : [])),
      made("messages", text(sums.messages)),
      made("accepted_suggestions", text(sums.accepted_suggestions), ...(sums.inline_lines === null ? [] : [fill(tiles.lines, { n: number(sums.inline_lines) })])),
      made("tokens", text(tokens), ...(sums.token_source ? [qLabel("token_source", sums.token_source)] : [])),
      made("limits", number(near)),
      made("value", month && usd(month.virtual_cost_usd), words.costs.dollars,
        ...(usd(month?.subscription_to_date_usd) ? [fill(tiles.against, { usd: usd(month.subscription_to_date_usd), month: month.usage_month.slice(0, 7) })] : [])));
  }
}
