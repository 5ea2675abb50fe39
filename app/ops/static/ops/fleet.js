/** The fleet's page for staff: each replica's row once a second, drawn while somebody looks. */
import { Chart } from "../fanout/chart.js";
import { connect } from "../fanout/client.js";
import { COLOURS } from "../fanout/colours.js";
import { showLine } from "../fanout/line.js";
import { inShort } from "../fanout/series.js";
import { whileVisible } from "../fanout/visible.js";
import { Fleet, busiest, byName, inMs, inSpan, inWords, noticeOf, stateOf, totals } from "./rules.js";

/** Ms between two drawings, and between two changes of what a screen reader may read. */
const DRAW_MS = 500;
const TELL_MS = 2_000;
/** A gap in a line, in ms: three rows that did not come. */
const GAP_MS = 3_500;

/** @typedef {import("./rules.js").Replica} Replica */
/** @typedef {ReturnType<typeof totals>} Totals */

/** Each chart: a line for each replica, or the fleet's own two. */
const FIGURES = [
  { key: "connections", title: "Connections", unit: "", of: (/** @type {Replica} */ row) => (row.connections ?? 0) + row.streams, all: (/** @type {Totals} */ sums) => inShort(sums.connections) },
  { key: "deliveries", title: "Deliveries", unit: "a second", of: (/** @type {Replica} */ row) => row.deliveries, all: (/** @type {Totals} */ sums) => inShort(sums.deliveries) },
  { key: "publications", title: "Publications", unit: "a second", of: (/** @type {Replica} */ row) => row.publications, all: (/** @type {Totals} */ sums) => inShort(sums.publications) },
  { key: "handshakes", title: "Handshakes", unit: "a second", of: (/** @type {Replica} */ row) => row.handshakes, all: (/** @type {Totals} */ sums) => inShort(sums.handshakes) },
  { key: "latency", title: "Latency", unit: "p50 and p99 (dashed)", all: (/** @type {Totals} */ sums) => `${inMs(sums.median)} · ${inMs(sums.worst)}` },
  { key: "lag", title: "Event loop lag", unit: "ms", of: (/** @type {Replica} */ row) => row.lag, all: (/** @type {Totals} */ _, /** @type {Replica[]} */ living) => inShort(Math.max(0, ...living.map(({ lag }) => lag))) },
];
const SHARES = ["p50", "p99"];

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { group = "", bounds: given = "" } = document.body.dataset;
const bounds = given.split(" ").map(Number);
const fleet = new Fleet();
/** Replicas by name, as they get their colours. @type {string[]} */ const known = [];
let [joined, refused, mine, heardAt] = [false, false, "", Date.now()];

const client = connect({ url: "/ws/" });
showLine(client);

client.on("publication", ({ data }) => {
  if (typeof data?.replica !== "string" || !Array.isArray(data.events)) return;
  heardAt = Date.now();
  fleet.take(data, heardAt);
  if (!known.includes(data.replica)) {
    known.push(data.replica);
    known.sort(byName);
  }
  const row = fleet.replicas.get(data.replica);
  const sums = totals(fleet.living, bounds);
  for (const { key, of } of FIGURES) {
    if (of && row && !row.gone) charts.get(key)?.chart.add(row.replica, heardAt, of(row));
  }
  const latency = charts.get("latency")?.chart;
  for (const [i, share] of [sums.median, sums.worst].entries()) if (share !== undefined) latency?.add(SHARES[i], heardAt, share * 1_000);
});
client.on("joined", ({ replica }) => {
  [joined, refused, mine, heardAt] = [true, false, replica, Date.now()];
});
client.on("error", ({ code }) => {
  refused ||= !joined && code === "forbidden";
});
client.on("state", ({ state }) => {
  joined &&= state === "open";
});

/** @param {string} tag @param {Record<string, unknown>} [attributes] @param {string} [text] */
function element(tag, attributes = {}, text) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Replicas have their colours in their order; the fleet's own lines have one, the second dashed. @param {string} name */
const indexOf = (name) => (SHARES.includes(name) ? SHARES.indexOf(name) * COLOURS : Math.max(known.indexOf(name), 0));

/** @param {{key: string, title: string, unit: string}} figure */
function chartOf({ key, title, unit }) {
  const figure = element("figure", { class: "chart" });
  const caption = element("figcaption", {}, `${title} `);
  caption.append(element("small", {}, unit));
  const output = element("output", { "aria-hidden": true });
  const canvas = element("canvas", { role: "img", "aria-label": `${title} over the last minute; the newest numbers are in the table` });
  const readings = element("p", { class: "readings", "aria-hidden": true });
  figure.append(caption, output, canvas, readings);
  part("charts").append(figure);
  return { chart: new Chart(/** @type {HTMLCanvasElement} */ (canvas), indexOf, { zero: true, gap: GAP_MS }), output, readings, key };
}
const charts = new Map(FIGURES.map((figure) => [figure.key, chartOf(figure)]));

/** Change what differs, so that a selection and a reader's place are kept. @param {Element} place @param {string} text */
function set(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** @param {HTMLTableSectionElement} body @param {{cells: string[], numbers: number, data?: Record<string, string>}[]} rows */
function fill(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach(({ cells, numbers, data = {} }, i) => {
    const row = body.rows[i] ?? body.insertRow();
    cells.forEach((text, column) => {
      const cell = row.cells[column] ?? row.appendChild(element(column ? "td" : "th", column ? {} : { scope: "row" }));
      if (column >= cells.length - numbers) cell.className = "number";
      set(cell, text);
    });
    for (const [name, value] of Object.entries(data)) if (row.dataset[name] !== value) row.dataset[name] = value;
  });
}

function draw() {
  const now = Date.now();
  const [all, living] = [fleet.all, fleet.living];
  const sums = totals(living, bounds);
  for (const { key, all: told } of FIGURES) {
    const shown = charts.get(key);
    if (!shown) continue;
    const cross = shown.chart.draw(now);
    set(shown.output, living.length ? told(sums, living) : "–");
    set(shown.readings, cross ? reading(cross) : "");
  }
  set(part("summary"), inWords(all, sums));
  set(part("notice"), noticeOf({ joined, refused, any: all.length > 0, quietMs: now - heardAt }));
  replicas(all);
  groups(living);
  events();
}

/** @param {{ago: number, values: Map<string, number | undefined>}} cross */
function reading({ ago, values }) {
  const told = [...values].sort(([one], [other]) => byName(one, other)).map(([name, value]) => `${name} ${value === undefined ? "–" : inShort(value)}`);
  return `${Math.round(ago / 1_000)} s ago: ${told.join(", ")}`;
}

/** @param {Replica[]} all */
function replicas(all) {
  const body = part("replicas").tBodies[0];
  const rows = all.map((row) => {
    const { kind, words, more } = stateOf(row);
    const figures = row.gone ? ["–", "–", "–", "–"] : [inShort((row.connections ?? 0) + row.streams), `${row.memory.toFixed(0)} MiB`, `${inShort(row.lag)} ms`, inSpan(row.uptime)];
    return { cells: [row.replica, words + (more && `: ${more}`), ...figures, String(row.pid), row.version], numbers: 0, data: { kind, replica: row.replica, series: String(indexOf(row.replica) % COLOURS), mine: String(joined && row.replica === mine) } };
  });
  fill(body, rows);
  all.forEach((row, i) => {
    for (const column of [2, 3, 4, 5, 6]) body.rows[i].cells[column].className = "number";
    progress(body.rows[i].cells[1], row);
  });
}

/** How far a drain is, beside its words. @param {HTMLTableCellElement} cell @param {Replica} row */
function progress(cell, row) {
  const shown = row.state === "draining" && !row.gone && row.most > 0;
  if (!shown) return;
  const bar = /** @type {HTMLProgressElement} */ (element("progress", { max: row.most, "aria-label": "Clients that are gone" }));
  bar.value = row.most - (row.connections ?? 0);
  cell.append(" ", bar);
}

/** @param {Replica[]} living */
function groups(living) {
  const found = busiest(living);
  fill(
    part("groups").tBodies[0],
    found.map(({ name, subscriptions, publications, deliveries }) => ({ cells: [name, inShort(subscriptions), inShort(publications), inShort(deliveries)], numbers: 3 })),
  );
  const most = Math.max(0, ...living.map(({ group_count: count }) => count));
  set(part("groups-note"), most > found.length ? `Of the busiest of each replica; one of them has clients in ${most.toLocaleString("en")} groups.` : "");
}

let eventsShown = "";
function events() {
  const newest = fleet.events.map(({ key }) => key).join();
  if (newest === eventsShown) return;
  eventsShown = newest;
  const list = part("events");
  const shown = new Map([...list.children].map((item) => [item.dataset.key, item]));
  list.replaceChildren(...fleet.events.map((event) => shown.get(event.key) ?? eventItem(event)));
}

/** @param {import("./rules.js").Event} event */
function eventItem({ key, at, kind, replica, text }) {
  const item = element("li", { "data-kind": kind });
  item.dataset.key = key;
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  const words = when.toLocaleString([], { ...(!today && { month: "short", day: "numeric" }), hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const said = element("p");
  said.append(element("strong", {}, replica), ` ${text}`);
  item.append(element("time", { datetime: when.toISOString() }, words), said);
  return item;
}

/** The newest rates as a table, for who can't see the lines. */
function tell() {
  const heads = part("table").tHead;
  if (!heads.rows.length) fill(heads, [{ cells: ["Replica", ...FIGURES.filter(({ of }) => of).map(({ title, unit }) => `${title} ${unit}`.trim())], numbers: 0 }]);
  fill(
    part("table").tBodies[0],
    fleet.living.map((row) => ({ cells: [row.replica, ...FIGURES.flatMap(({ of }) => (of ? [inShort(of(row))] : []))], numbers: 0 })),
  );
}

whileVisible(client, group, () => (heardAt = Date.now()), [draw, DRAW_MS], [tell, TELL_MS]);
