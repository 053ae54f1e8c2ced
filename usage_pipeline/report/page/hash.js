// What the reader chose, as the address's fragment: #anchor?window=1day&account=… Only what differs from the beginning.
// Not here: what is chosen (state.js). Nothing here touches the page.

// Texts by name; `sort` by table's name, `open` by anchor: "1" opened, "0" closed by the reader.
const MAPS = ["sort", "open"];

function formatHash(state, initial, anchor) {
  const chosen = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (MAPS.includes(name)) {
      for (const key of Object.keys(value).sort()) chosen.append(name, `${key}~${value[key]}`);
    } else if (value !== initial[name]) {
      chosen.append(name, value);
    }
  }
  const text = chosen.toString();
  return text ? `#${anchor}?${text}` : `#${anchor}`;
}

function readHash(hash, initial) {
  const [anchor, text = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const state = { ...initial };
  for (const name of MAPS) state[name] = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (!(name in state)) continue;
    if (!MAPS.includes(name)) {
      state[name] = value;
      continue;
    }
    const at = value.lastIndexOf("~");
    if (at > 0) state[name][value.slice(0, at)] = value.slice(at + 1);
  }
  return { anchor: safeDecode(anchor), state };
}

function safeDecode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
