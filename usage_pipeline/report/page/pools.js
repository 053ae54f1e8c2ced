// One pool's section: its data, its elements, and the look of each profile, the same in every chart and table.
// Not here: what its tables and charts show (pool_tables.js, pool_charts.js, pool_days.js).

const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
const COLORS = ["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6"];

class PoolSection {
  constructor(anchor, tables, details) {
    this.anchor = anchor;
    this.facts = page.pools[anchor];
    this.columns = tables;
    this.more = details;
    this.profile = ALL;
    this.profiles = new Map(this.facts.profiles.map((profile) => [profile.profile_id, profile]));
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

  get order() {
    return (this.knownOrder ??= this.profilesByUse());
  }

  // What is closed is made when it is opened.
  show() {
    if (!this.details.open || this.isMade) return;
    this.isMade = true;
    if (!this.areChartsMade) this.makeCharts();
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
    this.areChartsMade = true;
    const made = [...CHARTS.map((chart) => poolFigure(this, chart)), ...dayFigures(this)];
    this.place.replaceChildren(heading(words.sections.charts), element("div", { class: "charts" }, ...made.map(({ figure }) => figure)));
  }

  makeAgain() {
    this.isMade = false;
    this.areChartsMade = false;
    this.show();
  }

  showTables() {
    showContributions(this);
    this.statistics.show();
  }

  // Most used first in the longest window, so that colours do not change with the window.
  profilesByUse() {
    const longest = page.windows.at(-1).name;
    const used = this.tables.contributions
      .filter((row) => row.window_name === longest && row.basis === "all")
      .map((row) => row.profile_id);
    return [...new Set([...used, ...this.profiles.keys()])];
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
