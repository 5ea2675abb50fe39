/** One board: what is published to its group, drawn at 10 Hz while somebody looks. */
import { Chart } from "../fanout/chart.js";
import { connect } from "../fanout/client.js";
import { COLOURS } from "../fanout/colours.js";
import { showLine } from "../fanout/line.js";
import { inShort } from "../fanout/series.js";
import { whileVisible } from "../fanout/visible.js";
import { CHARTS_LIMIT, COUNTED, FIGURES, FORGOTTEN_MS, SILENT_MS, byName, headline, linesOf, noticeOf } from "./rules.js";

/** Ms between two drawings: numbers come no faster. */
const DRAW_MS = 100;
/** Ms between two updates of what a screen reader may read: slower than it speaks. */
const TELL_MS = 2_000;

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { group = "", board } = document.body.dataset;
const ofFleet = board === undefined;

/** @type {Map<string, {chart: Chart, output: HTMLElement, readings: HTMLElement}>} */ const charts = new Map();
/** When a line spoke last, in ms. @type {Map<string, number>} */ const heard = new Map();
/** Lines in the order in which they got their colours. @type {string[]} */ const known = [];
let joined = false;
let quietSince = Date.now();
let mine = "";

const client = connect({ url: "/ws/" });
showLine(client);

client.on("publication", ({ data }) => {
  const now = Date.now();
  for (const { chart, line, value } of linesOf(data, ofFleet)) {
    const shown = chartOf(chart);
    if (!shown) continue;
    quietSince = now;
    heard.set(line, now);
    shown.chart.add(line, now, value);
  }
});
client.on("joined", ({ replica }) => {
  joined = true;
  mine = replica;
  quietSince = Date.now();
});
client.on("state", ({ state }) => {
  joined &&= state === "open";
});

/** A line keeps its colour for as long as the page lives. @param {string} name */
function indexOf(name) {
  if (!known.includes(name)) {
    known.push(name);
    if (ofFleet) known.sort(byName);
  }
  return known.indexOf(name);
}

/** @param {string} key */
function chartOf(key) {
  const shown = charts.get(key);
  if (shown || charts.size >= CHARTS_LIMIT) return shown;
  const figure = FIGURES.find((each) => ofFleet && each.key === key) ?? { title: key, unit: "" };
  const element = document.createElement("figure");
  element.className = "chart";
  const [caption, unit, output, canvas, readings] = ["figcaption", "small", "output", "canvas", "p"].map((tag) => document.createElement(tag));
  caption.textContent = `${figure.title} `;
  unit.textContent = figure.unit;
  caption.append(unit);
  output.setAttribute("aria-hidden", "true");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${figure.title} over the last minute; the newest numbers are in the table`);
  readings.className = "readings";
  readings.setAttribute("aria-hidden", "true");
  element.append(caption, output, canvas, readings);
  part("charts").append(element);
  const made = { chart: new Chart(/** @type {HTMLCanvasElement} */ (canvas), indexOf, { zero: COUNTED.has(key) && ofFleet }), output, readings };
  charts.set(key, made);
  return made;
}

function draw() {
  const now = Date.now();
  for (const [name, at] of heard) if (now - at > FORGOTTEN_MS) forget(name);
  for (const [key, { chart, output, readings }] of charts) {
    const cross = chart.draw(now);
    const figure = headline(key, speaking(chart, now).map(([, value]) => value));
    output.textContent = figure === undefined ? "–" : inShort(figure);
    readings.textContent = cross ? reading(cross) : "";
  }
  const sentence = noticeOf({ joined, ofFleet, quietMs: now - quietSince, any: heard.size > 0 });
  if (part("notice").textContent !== sentence) part("notice").textContent = sentence;
  legend(now);
}

/** Lines of a chart that speak now, with what they say. @param {Chart} chart @param {number} now @returns {[string, number][]} */
function speaking(chart, now) {
  const lines = /** @type {[string, number][]} */ ([]);
  for (const [name, { last }] of chart.series) if (last && (!ofFleet || now - last.at <= SILENT_MS)) lines.push([name, last.value]);
  return lines.sort(([one], [other]) => byName(one, other));
}

/** @param {{ago: number, values: Map<string, number | undefined>}} cross */
function reading({ ago, values }) {
  const told = [...values].sort(([one], [other]) => byName(one, other));
  const words = told.map(([name, value]) => (ofFleet ? `${name} ${value === undefined ? "–" : inShort(value)}` : value === undefined ? "–" : inShort(value)));
  return `${Math.round(ago / 1000)} s ago: ${words.join(", ")}`;
}

let legendShown = "";
/** @param {number} now */
function legend(now) {
  if (!ofFleet) return;
  const lines = [...heard].sort(([one], [other]) => byName(one, other));
  const state = lines.map(([name, at]) => [name, indexOf(name) % COLOURS, now - at > SILENT_MS, name === mine]);
  if (JSON.stringify(state) === legendShown) return;
  legendShown = JSON.stringify(state);
  part("legend").replaceChildren(
    ...state.map(([name, colour, silent, own]) => {
      const item = document.createElement("li");
      item.textContent = `${name}${silent ? " (gone)" : ""}`;
      item.dataset.series = String(colour);
      item.toggleAttribute("data-silent", Boolean(silent));
      item.toggleAttribute("data-mine", Boolean(own));
      return item;
    }),
  );
}

/** @param {string} name */
function forget(name) {
  heard.delete(name);
  for (const { chart } of charts.values()) chart.series.delete(name);
  if (ofFleet) return;
  charts.get(name)?.chart.canvas.closest("figure")?.remove();
  charts.delete(name);
}

/** The newest numbers as a table, for who can't see the lines. */
function tell() {
  const now = Date.now();
  const rows = [...charts].map(([key, { chart }]) => ({ key, lines: speaking(chart, now) }));
  const names = [...new Set(rows.flatMap(({ lines }) => lines.map(([name]) => name)))].sort(byName);
  const row = (/** @type {string} */ tag, /** @type {string[]} */ cells) => {
    const line = document.createElement("tr");
    cells.forEach((text, i) => {
      const cell = document.createElement(i ? tag : "th");
      cell.textContent = text;
      line.append(cell);
    });
    return line;
  };
  const titles = rows.map(({ key }) => {
    const figure = ofFleet && FIGURES.find((each) => each.key === key);
    return figure ? `${figure.title} ${figure.unit}`.trim() : key;
  });
  part("table").tHead.replaceChildren(row("th", ["Name", ...titles]));
  const cell = (/** @type {[string, number][]} */ lines, /** @type {string} */ name) => lines.find(([each]) => each === name)?.[1];
  const figures = (/** @type {string} */ name) => rows.map(({ lines }) => cell(lines, name)).map((value) => (value === undefined ? "–" : inShort(value)));
  part("table").tBodies[0].replaceChildren(...names.map((name) => row("td", [name, ...figures(name)])));
}

whileVisible(client, group, () => (quietSince = Date.now()), [draw, DRAW_MS], [tell, TELL_MS]);

const [field, help] = [part("board"), part("board-help")];
field.addEventListener("input", () => {
  field.setCustomValidity("");
  const wrong = field.value !== "" && (!field.checkValidity() || [".", ".."].includes(field.value));
  field.setCustomValidity(wrong ? help.textContent : "");
  field.setAttribute("aria-invalid", String(wrong));
});
