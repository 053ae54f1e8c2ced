// Columns of numbers and their text as packing.py writes them, whose head says what each form and key means. Nothing here
// touches the page.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%:()*+-;,=.?@^_`{|}~";
const digitOf = new Uint8Array(128);
for (let digit = 0; digit < DIGITS.length; digit += 1) digitOf[DIGITS.charCodeAt(digit)] = digit;

// The bytes of text in base 85: four of every five digits, the highest first. The last digits can be fewer than five; those
// that they lack count as the highest one.
function bytesOf(text) {
  const bytes = new Uint8Array(Math.floor((text.length * 4) / 5));
  for (let at = 0, from = 0; from < text.length; from += 5) {
    let value = 0;
    for (let i = from; i < from + 5; i += 1) value = value * 85 + (i < text.length ? digitOf[text.charCodeAt(i)] : 84);
    for (let shift = 24; shift >= 0 && at < bytes.length; shift -= 8) bytes[at++] = value >>> shift;
  }
  return bytes;
}

class PackedColumns {
  constructor(bytes) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    this.header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    this.body = bytes.subarray(4 + length);
    this.known = new Map();
  }

  // The values of a column that an object of the header names; null where nothing is known. `dayOf` gives the UTC day
  // of a place, for running totals.
  column(columns, name, dayOf = null) {
    const reference = columns[name];
    if (!this.known.has(reference)) this.known.set(reference, this.read(columns, reference, dayOf));
    return this.known.get(reference);
  }

  read(columns, reference, dayOf) {
    const reader = { body: this.body, at: reference.at };
    if (reference.form === "places") return readPlaces(reader);
    const values = new Array(readVarint(reader)).fill(null);
    const places = readPlaces(reader);
    const steps = readPlanes(reader, places.length, reference.form === "exact");
    places.forEach((place, i) => {
      const step = reference.signed ? (steps[i] % 2 ? -(steps[i] + 1) / 2 : steps[i] / 2) : steps[i];
      values[place] = reference.scale ? step / reference.scale : step;
    });
    if (reference.below) return subtracted(this.column(columns, reference.below, dayOf), values);
    return reference.after ? running(this.column(columns, reference.after, dayOf), values, dayOf) : values;
  }
}

const subtracted = (above, values) =>
  values.map((value, i) => (value === null || above[i] === null ? null : above[i] - value));

function running(steps, values, dayOf) {
  let total = 0;
  let day = null;
  return values.map((value, i) => {
    if (value === null) return null;
    if (dayOf(i) !== day) total = 0;
    day = dayOf(i);
    total += (steps[i] ?? 0) + value;
    return total;
  });
}

// Seven bits a byte, the lowest first.
function readVarint(reader) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.body[reader.at++];
    value += (byte % 128) * factor;
    if (byte < 128) return value;
  }
}

function readPlaces(reader) {
  const places = [];
  let place = 0;
  for (let pairs = readVarint(reader); pairs > 0; pairs -= 1) {
    place += readVarint(reader);
    for (let present = readVarint(reader); present > 0; present -= 1) places.push(place++);
  }
  return places;
}

const EXACT_BYTES = 6; // more would not fit a Number whatever their value is

// First the lowest byte of every value, then the second of every value.
function readPlanes({ body, at }, count, isExact) {
  const width = body[at];
  const values = new Array(count).fill(0);
  const add = (plane, factor) => {
    const first = at + 1 + plane * count;
    for (let i = 0; i < count; i += 1) values[i] += body[first + i] * factor;
  };
  for (let plane = 0; plane < (isExact ? Math.min(width, EXACT_BYTES) : width); plane += 1) add(plane, 256 ** plane);
  if (!isExact) return values;
  return values.map((low, i) => {
    let value = BigInt(low);
    for (let plane = EXACT_BYTES; plane < width; plane += 1) {
      value += BigInt(body[at + 1 + plane * count + i]) << BigInt(8 * plane);
    }
    return value;
  });
}
