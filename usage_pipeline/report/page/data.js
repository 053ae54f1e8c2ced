// The page's data and words, and how its packed parts are read.
// No build step: render.py joins the files of this folder into one script, in the order of its list.

const byId = (id) => document.getElementById(id);

const page = JSON.parse(byId("page-data").textContent);
const words = page.labels;

const ALL = "ALL"; // the pool's sum over its profiles, as marts.usage_statistics writes it

// The packed parts are JSON strings of what packing.py writes.
async function unpackBytes(script) {
  const stream = new Blob([bytesOf(JSON.parse(script.textContent))]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unpackText = async (id) => new TextDecoder().decode(await unpackBytes(byId(id)));

const unpackJson = async (id) => JSON.parse(await unpackText(id));

// A table that comes by column, as one object for each row.
function objects(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])));
}

const endpointName = (type) => words.endpoint[type] ?? type ?? words.unknown;

const poolTitle = (pool) => `${pool.model_name} · ${endpointName(pool.endpoint_type)} · ${pool.account_name} · ${pool.region}`;
