// Puts the page together, in the order in which a reader needs it. Not here: what any part does.

const liveTable = (name) => [...liveTables].find((table) => table.name === name && table instanceof PageTable);

let pools = [];

// Everything that follows filters and window, when the chosen pools and calls are known.
function followChoices(parts) {
  watch([...FILTERS, "window"], () => {
    if (cube) selectCosts();
    choosePools();
    hideOthers();
    for (const part of parts) part.show();
  });
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    byId("old-browser").hidden = false;
    return;
  }
  document.documentElement.dataset.scripted = "true";
  if (byId("chart-library")) libraryText();
  await readPools();
  const search = new Search();
  const help = helpDialog();
  makeDisplayControls(search, help);
  listenToKeys(search, help);
  for (const table of document.querySelectorAll("main table[data-table]")) new PageTable(table);
  for (const details of document.querySelectorAll("main details[id]:not(.pool)")) rememberOpen(details);
  if (byId("cube-data")) cube = new Cube(new PackedColumns(await unpackBytes(byId("cube-data"))));
  if (cube) selectCosts();
  if (byId("q-developer-data")) qDeveloper = await unpackJson("q-developer-data");
  const parts = page.windows.length ? await startPools() : [];
  if (cube) parts.push(new CostSection());
  if (qDeveloper) parts.push(new QDeveloperSection());
  followLinks();
  followReading();
  readAddress();
  document.documentElement.dataset.ready = "true";
}

// The parts of the page that follow filters and window; the first screen before all others.
async function startPools() {
  choosePools();
  const findings = new Findings();
  const parts = [new Verdict(), findings];
  followChoices(parts);
  makeToolbar();
  findings.show();
  const [tables, details] = await Promise.all([unpackJson("tables-data"), unpackJson("details-data")]);
  pools = Object.keys(page.pools).map((target) => new PoolSection(target, tables[target], details[target]));
  if (byId("throttle-causes")) parts.push(new ThrottleSection(pools));
  if (byId("performance-tables")) parts.push(new PerformanceSection(pools));
  watch(["window", "basis", "zone", "tag"], redraw);
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
  byId("open-all").addEventListener("click", () => pools.forEach((pool) => (pool.details.open = true)));
  return parts;
}

start();
