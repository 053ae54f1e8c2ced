// Times in the zone that the reader chose. UTC unless said otherwise; days of tables are UTC days in every zone.
// Not here: which zone is chosen (state.js). Nothing here touches the page.

const UTC = "UTC";
const MINUTE = 60000;
const DAY = 1440 * MINUTE;

const clocks = new Map();

// Throws a RangeError for a zone that the browser does not know.
function clock(zone) {
  if (!clocks.has(zone)) {
    const look = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    clocks.set(zone, new Intl.DateTimeFormat("en-US", { ...look, timeZone: zone }));
  }
  return clocks.get(zone);
}

function isZone(zone) {
  try {
    return Boolean(zone && clock(zone));
  } catch {
    return false;
  }
}

// 2026-11-15 10:27
function minuteIn(zone, time) {
  if (zone === UTC) return new Date(time).toISOString().slice(0, 16).replace("T", " ");
  const part = Object.fromEntries(clock(zone).formatToParts(time).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`;
}

// Milliseconds that the zone's clocks are ahead of UTC.
const zoneOffset = (zone, time) =>
  zone === UTC ? 0 : Date.parse(`${minuteIn(zone, time).replace(" ", "T")}Z`) - Math.floor(time / MINUTE) * MINUTE;

const TICK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 10080].map((minutes) => minutes * MINUTE);
const MOST_TICKS = 9;

// Round times of the zone's own clocks between two times, for a chart's axis.
function ticks(zone, from, to) {
  const step = TICK_STEPS.find((candidate) => (to - from) / candidate <= MOST_TICKS) ?? TICK_STEPS.at(-1);
  const found = [];
  for (let local = Math.ceil((from + zoneOffset(zone, from)) / step) * step; ; local += step) {
    const time = local - zoneOffset(zone, local - zoneOffset(zone, local));
    if (time > to) return found;
    if (time >= from) found.push(time);
  }
}

// The day at midnight, else the time of day.
function tickLabel(zone, time) {
  const [day, hour] = minuteIn(zone, time).split(" ");
  return hour === "00:00" ? day.slice(5) : hour;
}
