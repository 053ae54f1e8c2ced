// A pool's tables: what each profile adds, statistics of the chosen window, each quota's days, throttles, speed.
// Not here: how a table works (tables.js).

const CONTRIBUTION_COLUMNS = [
  "consumed_tokens", "throttles", "invocations", "tpm_p50", "tpm_p90", "tpm_average", "rpm_p50", "rpm_p90",
  "rpm_average", "tpd_p50", "tpd_p90", "tpd_average",
];
const STATISTIC_COLUMNS = ["p50", "p90", "p95", "p99", "p999", "max", "average", "total", "data_points"];

function columnUnit(column) {
  const kind = column.split("_")[0];
  if (kind in words.quota_kind) return words.quota_kind[kind].unit;
  return column === "consumed_tokens" ? words.units.tokens : words.units.requests;
}

// A number; or why there is none: unknown, or nothing happened that it could be taken of.
function valueCell(value, column, statistic) {
  const isRead = statistic && statistic.covered_minutes + statistic.coarse_minutes > 0;
  if (value !== null || !isRead || statistic.unknown_periods) {
    const cell = numberCell(value, column);
    if (value !== null) cell.title = String(value);
    return cell;
  }
  return element("td", { class: "number", "data-column": column, "data-value": "", title: words.statistics_text.no_minutes }, "–");
}

// ---- Contributions -------------------------------------------------------------------------------------------

function contributionTable(pool) {
  return new DataTable({
    name: "contributions", label: `${words.sections.contributions}, ${pool.facts.title}`, file: `contributions-${pool.facts.pool_id}`,
    columns: [], rowAttributes: (row) => ({ "data-profile": row.profile_id }),
  });
}

function showContributions(pool) {
  const rows = pool.tables.contributions.filter(
    (row) => row.window_name === state.window && row.basis === state.basis && pool.isTagged(row.profile_id),
  );
  // A window shorter than a day has no tokens per day.
  const columns = CONTRIBUTION_COLUMNS.filter((name) => !name.startsWith("tpd_") || rows.some((row) => row[name] !== null));
  pool.contributions.renew(rows, null, [
    textColumn("profile", words.columns.profile, (row) => pool.name(row.profile_id), (row) => profileHead(pool, row.profile_id)),
    textColumn("tags", words.columns.tags, (row) => tagText(pool, row.profile_id), (row) => element("td", {}, tagChips(pool, row.profile_id))),
    numberColumn("share", words.columns.share, null, (row) => row.share, shareText),
    ...columns.map((name) => ({
      ...numberColumn(name, words.columns[name], columnUnit(name)),
      cell: (row) => valueCell(row[name], name, pool.statistic(row.profile_id, "tpm") ?? pool.statistic(ALL, "tpm")),
    })),
  ]);
}

function profileHead(pool, profileId) {
  const profile = pool.profiles.get(profileId);
  const look = pool.look(profileId);
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.borderTopColor = look.color;
  swatch.style.borderTopStyle = look.dash === "solid" ? "solid" : look.dash[0] > 3 ? "dashed" : "dotted";
  const kind = words.profile_kind[profile?.profile_kind] ?? "";
  return element("th", { scope: "row" },
    element("span", { class: "name", title: pool.name(profileId) }, swatch, pool.name(profileId)),
    element("small", {}, kind, " ", element("span", { class: "mono" }, profileId)));
}

const tagPairs = (pool, profileId) => {
  const tags = pool.profiles.get(profileId)?.tags;
  return tags && Object.entries(tags).map(([key, value]) => `${key}=${value}`);
};

const tagText = (pool, profileId) => tagPairs(pool, profileId)?.join("; ") ?? null;

function tagChips(pool, profileId) {
  const pairs = tagPairs(pool, profileId);
  if (!pairs) return missing();
  return pairs.length ? element("div", { class: "chips" }, ...pairs.map((pair) => element("span", { title: pair }, pair))) : "–";
}

// ---- Statistics ----------------------------------------------------------------------------------------------

class StatisticsTable {
  constructor(pool) {
    this.pool = pool;
    this.remark = element("p", { class: "under" });
    this.table = new DataTable({
      name: "statistics", label: `${words.sections.statistics}, ${pool.facts.title}`, file: `statistics-${pool.facts.pool_id}`, look: "dense",
      rowAttributes: (row) => ({ "data-metric": row.metric, "data-profile": row.profile_id }),
      columns: this.columns(),
    });
    this.place = element("div", {}, this.choice(), this.table.place, this.remark);
  }

  choice() {
    const { pool } = this;
    const select = element("select", { "aria-label": words.statistics_text.for });
    const ids = new Set(pool.tables.statistics.map((row) => row.profile_id));
    for (const id of [ALL, ...pool.order]) if (ids.has(id)) select.append(new Option(pool.name(id), id));
    select.value = pool.profile;
    select.addEventListener("change", () => {
      pool.profile = select.value;
      this.show();
    });
    return element("div", { class: "with-choice" }, heading(words.sections.statistics), select);
  }

  columns() {
    return [
      textColumn("metric", words.columns.metric, (row) => words.metrics[row.metric].label, metricHead),
      { ...textColumn("unit", words.columns.unit, (row) => words.metrics[row.metric].unit), cell: (row) => element("td", { class: "unit" }, words.metrics[row.metric].unit) },
      ...STATISTIC_COLUMNS.map((name) => ({
        ...numberColumn(name, words.columns[name], null), cell: (row) => valueCell(row[name], name, row),
      })),
    ];
  }

  show() {
    const rows = Object.keys(words.metrics).map((metric) => this.pool.statistic(this.pool.profile, metric)).filter(Boolean);
    this.table.renew(rows);
    const known = new Set(this.pool.tables.statistics.map((row) => row.profile_id));
    const used = new Set(this.pool.tables.contributions.map((row) => row.profile_id));
    const leftOut = [...used].filter((id) => !known.has(id)).length;
    this.remark.textContent = [
      rows.length ? readMinutes(rows[0]) : words.statistics_text.none,
      leftOut ? counted(words.statistics_text.left_out, leftOut) : null,
    ].filter(Boolean).join(" ");
  }
}

function readMinutes({ covered_minutes: covered, coarse_minutes: coarse, window_minutes: length }) {
  const said = [fill(words.statistics_text.covered, { covered: number(covered), window: number(length) })];
  if (coarse) said.push(fill(words.statistics_text.coarse, { coarse: number(coarse) }));
  return said.join(" ");
}

function metricHead(row) {
  const { label, note } = words.metrics[row.metric];
  const said = [
    note,
    row.basis === state.basis ? null : words.statistics_text.active_only,
    row.unknown_periods ? counted(words.statistics_text.unknown_periods, row.unknown_periods) : null,
    row.partial_days ? counted(words.statistics_text.partial_days, row.partial_days) : null,
  ];
  return element("th", { scope: "row" }, label, " ", element("span", { class: "unit" }, said.filter(Boolean).join(" · ")));
}

// ---- Day by day ----------------------------------------------------------------------------------------------

const DAY_COLUMNS = [
  ["limit_value", "limit"], ["peak", "peak"], ["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99_active", "p99_active"],
  ["minutes_over_80pct", "over_80"], ["minutes_over_limit", "over"], ["throttles", "throttles"], ["throttled_minutes", "throttled_minutes"],
];

// One table for each quota, made when it is opened.
function dayTables(pool) {
  return Object.entries(pool.days).map(([kind, days]) => {
    const title = `${words.sections.days}: ${words.quota_kind[kind].label}`;
    const details = element("details", { class: "folded" }, element("summary", {}, title));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(dayTable(pool, kind, days, title).place);
    });
    return details;
  });
}

function dayTable(pool, kind, days, title) {
  // Percentiles are of minutes: a day's running total and means of longer periods have none.
  const isUnmeasured = (row, name) => row[name] === null && (kind === "tpd" || row.resolution_seconds > 60) && /^p\d/.test(name);
  return new DataTable({
    name: "days", label: `${title}, ${pool.facts.title}`, file: `days-${kind}-${pool.facts.pool_id}`, look: "dense", rows: [...days].reverse(), most: 31,
    columns: [
      { ...textColumn("day", words.columns.day, (row) => row.usage_date), cell: (row) => element("th", { scope: "row" }, row.usage_date) },
      ...DAY_COLUMNS.map(([name, label]) => ({
        ...numberColumn(name, words.columns[label], null),
        cell: (row) => (isUnmeasured(row, name) ? element("td", { class: "number", "data-value": "" }, "–") : numberCell(row[name], name)),
      })),
      percentColumn("utilization_peak", words.columns.utilization_peak),
      timeColumn("when", words.columns.when, (row) => row.worst_minute),
    ],
  });
}
