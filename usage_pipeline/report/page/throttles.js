// Throttled minutes: by pool and cause for the chosen days, and each pool's minutes, users and victims.
// Not here: how a cause is found (marts.throttle_events).

const causeName = (cause) => words.causes[cause]?.label ?? cause;

const withinDays = (rows, { first_day: first, last_day: last }) => rows.filter(({ usage_date: day }) => day >= first && day <= last);

// One row per pool and cause.
function causeRows(sections) {
  return sections.flatMap((pool) => {
    const byCause = new Map();
    for (const row of withinDays(objects(pool.more.throttling?.causes ?? {}), chosenDays())) {
      const sum = byCause.get(row.cause) ?? { pool, cause: row.cause, throttled_minutes: 0, certain_minutes: 0, throttles: 0 };
      for (const name of ["throttled_minutes", "certain_minutes", "throttles"]) sum[name] += row[name];
      byCause.set(row.cause, sum);
    }
    return [...byCause.values()];
  });
}

const poolColumn = (of = (row) => row.pool) => ({
  key: "pool", label: words.columns.pool, value: (row) => poolTitle(of(row).facts),
  cell: (row) => {
    const { facts, anchor: target } = of(row);
    return element("th", { scope: "row" }, element("a", { href: `#${target}` }, element("span", { class: "model" }, facts.model_name), " ",
      element("span", { class: "endpoint" }, endpointName(facts.endpoint_type))),
    element("span", { class: "place" }, `${facts.account_name} · `, element("span", { class: "whole" }, facts.region)));
  },
});

const causeColumn = () => textColumn("cause", words.columns.cause, (row) => causeName(row.cause), (row) =>
  element("td", { class: "text" }, causeName(row.cause), element("small", {}, words.causes[row.cause]?.meaning ?? "")));

class ThrottleSection {
  constructor(sections) {
    this.sections = sections;
    this.table = new DataTable({
      name: "causes", label: words.sections.throttles, look: "dense",
      rowAttributes: (row) => ({ "data-pool": row.pool.facts.pool_id }),
      columns: [
        poolColumn(), causeColumn(),
        numberColumn("throttles", words.columns.throttled, null),
        numberColumn("throttled_minutes", words.columns.throttled_minutes, null),
        numberColumn("certain_minutes", words.columns.certain_minutes, null),
      ],
    });
    this.none = element("p", { class: "quiet" });
    byId("throttle-causes").append(this.table.place, this.none);
    this.show();
  }

  show() {
    const rows = causeRows(this.sections.filter(({ anchor: target }) => shownPools.has(target)));
    rows.sort((one, other) => other.throttles - one.throttles);
    this.table.renew(rows);
    this.table.place.hidden = rows.length === 0;
    const { first_day: first, last_day: last } = chosenDays();
    this.none.textContent = rows.length ? "" : fill(words.throttling.none, { first, last });
  }
}

// ---- One pool ------------------------------------------------------------------------------------------------

function throttleTables(pool) {
  const found = pool.more.throttling;
  if (!found) return [];
  const events = objects(found.events);
  const parts = [heading(words.throttling.events), said(fill(words.throttling.events_note, { n: number(events.length), minutes: counted(words.throttling.minutes, found.minutes) })), eventTable(pool, events)];
  const consumers = objects(found.consumers);
  if (consumers.length) parts.push(heading(words.throttling.consumers), said(words.throttling.consumers_note), userTable(pool, "consumers", consumers, true));
  const victims = objects(found.victims);
  if (victims.length) parts.push(heading(words.throttling.victims), userTable(pool, "victims", victims, false));
  const storms = objects(found.storms);
  if (storms.length) parts.push(heading(words.throttling.storms), said(words.throttling.storms_note), stormTable(pool, storms));
  return parts;
}

const said = (text) => element("p", { class: "under" }, text);

function poolTable(pool, name, label, columns, rows) {
  return new DataTable({ name, label: `${label}, ${pool.facts.title}`, file: `${name}-${pool.facts.pool_id}`, columns, rows, look: "dense", most: 10 }).place;
}

function eventTable(pool, events) {
  const storm = { true: words.yes, false: words.no, null: null };
  return poolTable(pool, "events", words.throttling.events, [
    timeColumn("ts", words.columns.when, (row) => row.ts),
    textColumn("cause", words.columns.cause, (row) => causeName(row.cause)),
    textColumn("is_certain", words.columns.certain, (row) => (row.is_certain ? words.yes : words.no)),
    numberColumn("throttles", words.columns.throttled, words.units.requests),
    numberColumn("invocations", words.columns.invocations, words.units.requests),
    numberColumn("consumed_tokens", words.columns.consumed_tokens, words.units.tokens),
    numberColumn("reserved_tokens", words.columns.reserved_tokens, words.units.tokens),
    numberColumn("tpm_limit", words.columns.tpm_limit, words.quota_kind.tpm.unit),
    numberColumn("rpm_limit", words.columns.rpm_limit, words.quota_kind.rpm.unit),
    textColumn("is_retry_storm", words.columns.retry_storm, (row) => storm[row.is_retry_storm]),
  ], events);
}

function userTable(pool, name, rows, isConsumer) {
  const profile = textColumn("profile_name", words.columns.profile, (row) => row.profile_name,
    (row) => element("th", { scope: "row" }, row.profile_name, element("small", { class: "mono" }, row.profile_id)));
  const measured = isConsumer
    ? [
      textColumn("application", words.costs.subject.application, (row) => row.application),
      textColumn("role_or_user", words.costs.subject.caller, (row) => row.role_or_user),
      numberColumn("tokens", words.columns.consumed_tokens, words.units.tokens),
      numberColumn("invocations", words.columns.invocations, words.units.requests),
    ]
    : [numberColumn("throttles", words.columns.throttled, words.units.requests)];
  return poolTable(pool, name, words.throttling[name], [profile, ...measured, numberColumn("minutes", words.columns.throttled_minutes, null)], rows);
}

function stormTable(pool, storms) {
  return poolTable(pool, "storms", words.throttling.storms, [
    timeColumn("start", words.columns.from, (row) => row.start), timeColumn("end", words.columns.until, (row) => row.end),
    numberColumn("minutes", words.columns.minutes, null),
    numberColumn("throttles", words.columns.throttled, words.units.requests),
    numberColumn("invocations", words.columns.invocations, words.units.requests),
  ], storms);
}

function reservationFacts(reservation) {
  if (!reservation) return [];
  const fact = (name, text) => element("div", {}, element("dt", {}, words.reservation[name]), element("dd", {}, text));
  const tokens = (value) => (value === null ? missing() : `${number(value)} ${words.units.tokens}`);
  const held = element("span", {}, tokens(reservation.reserved_peak));
  if (reservation.reserved_peak_at) held.append(` · ${minute(reservation.reserved_peak_at)} ${state.zone}`);
  const share = reservation.for_nothing_share === null ? "" : ` · ${percent(reservation.for_nothing_share)}`;
  const nothing = element("span", {}, tokens(reservation.for_nothing_tokens), share);
  return [
    heading(words.reservation.title),
    element("dl", { class: "facts" },
      fact("initial", tokens(reservation.initial_reservation_tokens)), fact("settled", tokens(reservation.settled_tokens)),
      fact("for_nothing", nothing), fact("reserved_peak", held)),
    said(fill(words.reservation.note, { minutes: number(reservation.minutes), estimated: number(reservation.estimated_minutes) })),
  ];
}
