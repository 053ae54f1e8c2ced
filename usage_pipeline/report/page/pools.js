// One pool's section: its data, its elements, and the look of each profile, the same in every chart and table.
// Not here: what its tables and charts show (pool_tables.js, pool_charts.js, pool_days.js).

const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
const COLORS = ["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6"];

class PoolSection {
  constructor(anchor) {
    this.anchor = anchor;
    this.facts = page.pools[anchor];
    this.columns = null;
    this.more = null;
    this.profile = ALL;
    this.profiles = new Map(this.facts.profiles.map((profile) => [profile.profile_id, profile]));
    this.order = this.facts.order;
    this.details = byId(anchor);
    this.place = this.details.querySelector(".follows-window");
    this.isMade = false;
    this.details.addEventListener("toggle", () => this.show());
    watch(["window", "basis", "tag"], () => this.isMade && this.showTables());
    watch(["zone"], () => this.isMade && this.makeAgain());
  }

  // Of most pools nothing is read, because they stay closed.
  get tables() {
    return (this.knownTables ??= Object.fromEntries(["statistics", "contributions"].map((name) => [name, objects(this.columns[name])])));
  }

  get days() {
    return (this.knownDays ??= Object.fromEntries(Object.entries(this.columns.days).map(([kind, days]) => [kind, objects(days)])));
  }

  // Charts over time need none of it.
  read(tables, details) {
    this.columns = tables;
    this.more = details;
    this.show();
  }

  // What is closed is made when it is opened.
  show() {
    if (!this.details.open || !this.columns || this.isMade) return;
    this.isMade = true;
    if (!this.charts) this.makeCharts();
    this.charts.append(...dayFigures(this).map(({ figure }) => figure));
    this.contributions = contributionTable(this);
    this.statistics = new StatisticsTable(this);
    this.place.append(
      heading(words.sections.contributions), this.contributions.place,
      this.statistics.place,
      ...throttleTables(this), ...reservationFacts(this.more.reservation), ...performanceOfPool(this), ...heatMap(this),
      ...dayTables(this),
    );
    this.showTables();
  }

  makeCharts() {
    this.charts = element("div", { class: "charts" }, ...CHARTS.map((chart) => poolFigure(this, chart).figure));
    this.place.replaceChildren(heading(words.sections.charts), this.charts);
  }

  makeAgain() {
    this.isMade = false;
    this.charts = null;
    this.show();
  }

  showTables() {
    showContributions(this);
    this.statistics.show();
  }

  name(profileId) {
    return profileId === ALL ? words.all_profiles : this.profiles.get(profileId)?.profile_name ?? profileId;
  }

  look(profileId) {
    if (profileId === ALL) return { color: color("chart-all"), dash: "solid", width: 1.6 };
    const place = Math.max(this.order.indexOf(profileId), 0);
    return {
      color: color(COLORS[place % COLORS.length]),
      dash: DASHES[Math.floor(place / COLORS.length + (place % COLORS.length)) % DASHES.length],
      width: 1.3,
    };
  }

  // Whether the chosen tag is on the profile; all are when none is chosen.
  isTagged(profileId) {
    return !state.tag || hasTag(this.profiles.get(profileId)?.tags, state.tag);
  }

  // Of the chosen minutes; latency exists of minutes with traffic only.
  statistic(profileId, metric) {
    const rows = this.tables.statistics.filter(
      (row) => row.profile_id === profileId && row.metric === metric && row.window_name === state.window,
    );
    return rows.find((row) => row.basis === state.basis) ?? rows.find((row) => row.basis === "active");
  }
}
