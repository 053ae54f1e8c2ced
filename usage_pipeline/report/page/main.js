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
  libraryText();
  await readPools();
  if (byId("cube-data")) cube = new Cube(new PackedColumns(await unpackBytes(byId("cube-data"))));
  if (byId("q-developer-data")) qDeveloper = await unpackJson("q-developer-data");
  if (cube) selectCosts();
  const parts = startFirstScreen();
  readAddress();
  await makeSections(parts);
  document.documentElement.dataset.ready = "true";
  performance.mark("complete");
}

// Display, filters and the verdict; gives the list of the parts that follow filters and window.
function startFirstScreen() {
  const search = new Search();
  const help = helpDialog();
  makeDisplayControls(search, help);
  listenToKeys(search, help);
  for (const table of document.querySelectorAll("#pools table[data-table]")) new PageTable(table);
  for (const details of document.querySelectorAll("main details[id]")) rememberOpen(details);
  const parts = page.windows.length ? startVerdict() : [];
  followLinks();
  followReading();
  return parts;
}

function startVerdict() {
  choosePools();
  const findings = new Findings();
  const parts = [new Verdict(), findings];
  followChoices(parts);
  makeToolbar();
  findings.show();
  return parts;
}

// ---- Sections --------------------------------------------------------------------------------------------------

// What the address names comes first, and the charts of it that the window shows are painted before anything else is
// made. The rest follows in pieces between which the page answers.
async function makeSections(parts) {
  const sections = { details: makePools, costs: makeCosts, q_developer: makeQDeveloper };
  const named = byId(anchor)?.closest("section")?.id;
  const isNamed = ([id]) => id === named;
  const inOrder = Object.entries(sections).sort((one, other) => isNamed(other) - isNamed(one));
  const place = keepPlace();
  for (const [id, make] of inOrder) {
    await make(parts, id === named);
    place.keep();
  }
  for (const table of document.querySelectorAll("main table[data-table]:not(.framed[data-table] table, #pools table)")) {
    new PageTable(table);
    await breath();
  }
  addOtherZones();
  await layOut(place);
  place.leave();
}

// What layout.css lets wait, section by section.
async function layOut(place) {
  for (const section of document.querySelectorAll("main > section")) {
    section.dataset.laid = "";
    section.getBoundingClientRect();
    place.keep();
    await breath();
  }
}

async function makePools(parts, isNamed) {
  if (!page.windows.length) return;
  pools = Object.keys(page.pools).map((target) => new PoolSection(target));
  watch(["window", "basis", "zone", "tag"], redraw);
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
  byId("open-all").addEventListener("click", () => pools.forEach((pool) => (pool.details.open = true)));
  if (isNamed) await chartsFirst();
  const [tables, details] = await Promise.all([unpackJson("tables-data"), unpackJson("details-data")]);
  for (const pool of pools) {
    pool.read(tables[pool.anchor], details[pool.anchor]);
    await breath();
  }
  if (byId("throttle-causes")) parts.push(new ThrottleSection(pools));
  await breath();
  if (byId("performance-tables")) parts.push(new PerformanceSection(pools));
  await breath();
}

// Of the pool that the address names, or of the first that is open.
async function chartsFirst() {
  const first = pools.find((pool) => pool.anchor === anchor) ?? pools.find((pool) => pool.details.open);
  first?.makeCharts();
  await drawInWindow();
}

async function makeCosts(parts, isNamed) {
  if (!cube) return;
  const section = new CostSection();
  parts.push(section);
  if (isNamed) await drawInWindow();
  section.showTables();
  await breath();
}

async function makeQDeveloper(parts, isNamed) {
  if (!qDeveloper) return;
  parts.push(new QDeveloperSection());
  if (isNamed) await drawInWindow();
  await breath();
}

// Milliseconds of work after which the browser may answer the reader.
const LONGEST_WORK = 50;

let breathed = performance.now();
async function breath() {
  if (performance.now() - breathed < LONGEST_WORK) return;
  await new Promise((done) => setTimeout(done));
  breathed = performance.now();
}

// What the address names stays where it is while sections above it grow, unless the reader goes elsewhere meanwhile.
function keepPlace() {
  const target = byId(anchor);
  const top = target?.getBoundingClientRect().top;
  const leaving = new AbortController();
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(kind, () => leaving.abort(), { signal: leaving.signal, passive: true });
  const moved = () => (target && !leaving.signal.aborted ? target.getBoundingClientRect().top - top : 0);
  return {
    keep: () => Math.abs(moved()) >= 1 && scrollBy(0, moved()),
    leave: () => leaving.abort(),
  };
}

start();
