// One pool's points over time, unpacked, and cut to the chosen window. Not here: how they are drawn (pool_charts.js).

const unpackedSeries = new Map();

function seriesOf(anchor) {
  if (!unpackedSeries.has(anchor)) {
    unpackedSeries.set(anchor, unpackBytes(document.querySelector(`script[data-series="${CSS.escape(anchor)}"]`)).then((bytes) => new PoolSeries(new PackedColumns(bytes))));
  }
  return unpackedSeries.get(anchor);
}

class PoolSeries {
  constructor(packed) {
    this.packed = packed;
    this.levels = packed.header.levels;
    this.limits = packed.header.limits;
    this.expanded = new Map();
  }

  level(windowName) {
    return this.levels.find((level) => level.windows.includes(windowName)) ?? null;
  }

  // One value per period of the level: undefined where the period had no use, null where its value is unknown. No list
  // at all where the level does not have the series.
  values(level, columns, name) {
    if (!columns || !(name in columns)) return null;
    const reference = columns[name];
    if (!this.expanded.has(reference)) {
      const places = this.packed.column(columns, "at");
      const step = level.step_seconds * 1000;
      const dayOf = (i) => Math.floor((Date.parse(level.start) + places[i] * step) / DAY);
      const values = this.packed.column(columns, name, dayOf);
      const found = new Array(level.points).fill(undefined);
      places.forEach((place, i) => (found[place] = values[i]));
      this.expanded.set(reference, found);
    }
    return this.expanded.get(reference);
  }

  // The same of a profile, whose periods can be longer than the level's: each period of the level has the value of the
  // profile's period that it lies in.
  profileValues(level, profileId, name) {
    const columns = level.profiles[profileId];
    const [step, longer] = [level.step_seconds, level.profile_step_seconds];
    if (step === longer) return this.values(level, columns, name);
    const [start, profileStart] = [Date.parse(level.start), Date.parse(level.profile_start)];
    const place = (i) => Math.floor((start - profileStart + i * step * 1000) / (longer * 1000));
    const own = { start: level.profile_start, step_seconds: longer, points: place(level.points - 1) + 1 };
    const values = this.values(own, columns, name);
    return values && Array.from({ length: level.points }, (_, i) => values[place(i)]);
  }

  // [time, value] of every minute that is marked at any granularity; null where marks are too many to have values.
  markers(name) {
    const columns = this.packed.header.markers[name];
    if (!columns) return [];
    const from = Date.parse(this.packed.header.markers_from);
    const values = this.hasMarkedValues(name) ? this.packed.column(columns, "value") : null;
    return this.packed.column(columns, "minute").map((place, i) => [from + place * MINUTE, values && values[i]]);
  }

  hasMarkedValues(name) {
    return "value" in (this.packed.header.markers[name] ?? { value: null });
  }
}

// The chosen window's part of a pool's points, on the time axis.
class Plot {
  constructor(pool, series) {
    this.pool = pool;
    this.series = series;
    this.level = series.level(state.window);
    const { start, end } = chosenWindow();
    [this.start, this.end] = [Date.parse(start), Date.parse(end)];
    this.covered = (page.covered[pool.facts.scope] ?? []).map((stretch) => [Date.parse(stretch.start), Date.parse(stretch.end)]);
    this.times = [];
    if (!this.level) return;
    this.step = this.level.step_seconds * 1000;
    const levelStart = Date.parse(this.level.start);
    this.first = Math.max(Math.floor((this.start - levelStart) / this.step), 0);
    const last = Math.min(Math.ceil((this.end - levelStart) / this.step), this.level.points);
    this.times = Array.from({ length: Math.max(last - this.first, 0) }, (_, i) => levelStart + (this.first + i) * this.step);
    this.isRead = this.times.map((time) => this.covered.some(([from, to]) => time + this.step > from && time < to));
  }

  ofPool(name) {
    return this.level && this.series.values(this.level, this.level.pool, name);
  }

  // What was not read is a gap also within a longer period of the profile.
  ofProfile(profileId, name) {
    const values = this.level && this.series.profileValues(this.level, profileId, name);
    return values && this.areProfilesCoarser ? values.map((value, i) => (this.isRead[i - this.first] ? value : undefined)) : values;
  }

  get areProfilesCoarser() {
    return this.level !== null && this.level.profile_step_seconds > this.level.step_seconds;
  }

  // [time, value] of a series. An idle period that was read is 0; what is unknown or was not read is a gap.
  points(values, { whenIdle = 0, whenUnknown = null } = {}) {
    return this.times.map((time, i) => {
      const value = values?.[this.first + i];
      if (value === undefined) return [time, this.isRead[i] ? whenIdle : null];
      return [time, value ?? whenUnknown];
    });
  }

  // The running total of a day holds until midnight; before the first known value of the first day it is unknown.
  runningTotal(values) {
    let total = null;
    return this.times.map((time, i) => {
      if (time % DAY === 0) total = 0;
      total = values?.[this.first + i] ?? total;
      return [time, this.isRead[i] ? total : null];
    });
  }

  // A mark without a value has the minute's own where minutes are drawn, and else stands on the quota's line.
  markers(name) {
    const found = this.series.markers(name).filter(([time]) => time >= this.start && time < this.end);
    if (this.series.hasMarkedValues(name)) return found;
    const steps = this.limitSteps(name);
    const minutes = this.areMinutes ? this.ofPool(name) : null;
    const levelStart = this.level && Date.parse(this.level.start);
    const quota = (time) => steps.filter(([from]) => from <= time).at(-1)?.[1] ?? null;
    return found.map(([time]) => [time, minutes ? minutes[(time - levelStart) / MINUTE] : quota(time)]);
  }

  areOnQuota(name) {
    return !this.areMinutes && !this.series.hasMarkedValues(name);
  }

  get areMinutes() {
    return this.level?.step_seconds === 60;
  }

  // The quota's value along the window, a point where it changed; none when it is unknown throughout.
  limitSteps(kind) {
    const changes = this.series.limits[kind];
    const newest = this.pool.facts.limits[kind];
    const changed = changes?.length ? changes.map(({ since, value }) => [Date.parse(since), value]) : [[this.start, newest]];
    const before = changed.filter(([time]) => time <= this.start).at(-1) ?? changed[0];
    const later = changed.filter((step) => step !== before && step[0] > this.start && step[0] < this.end);
    const steps = [[this.start, before[1]], ...later];
    steps.push([this.end, steps.at(-1)[1]]);
    return steps.every(([, value]) => value === null || value === undefined) ? [] : steps;
  }

  highest(lines) {
    return Math.max(0, ...lines.map((line) => line.data.reduce((most, [, value]) => Math.max(most, value ?? 0), 0)));
  }

  // Stretches of the window that were not read, for the grey ground.
  unread() {
    const gaps = [];
    let from = this.start;
    for (const [start, end] of this.covered) {
      if (end <= this.start || start >= this.end) continue;
      if (start > from) gaps.push([from, start]);
      from = Math.max(from, end);
    }
    if (from < this.end) gaps.push([from, this.end]);
    return gaps;
  }
}
