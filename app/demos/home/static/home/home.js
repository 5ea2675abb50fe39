/** The front page: a picture of the fleet, as its replicas see themselves. */
import { connect } from "../fanout/client.js";
import { showLine } from "../fanout/line.js";
import { whileVisible } from "../fanout/visible.js";
import { DRAWN_LIMIT, inWords, layOut, pathOf } from "./picture.js";

const SVG = "http://www.w3.org/2000/svg";
/** Ms between two drawings: a picture, not a chart. */
const DRAW_MS = 500;
/** Silence, in ms, after which a replica is gone, and after which it is not drawn any more. */
const SILENT_MS = 2_000;
const FORGOTTEN_MS = 10_000;
/** Silence of all, in ms, after which the page says so. */
const QUIET_MS = 3_000;
/** Ms between two changes of the sentence: slower than a screen reader speaks. */
const TELL_MS = 2_000;

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { group = "" } = document.body.dataset;
const narrow = matchMedia("(max-width: 44rem)");
/** @type {Map<string, {at: number, connections?: number, deliveries?: number}>} */ const replicas = new Map();
let [joined, mine, quietSince, toldAt] = [false, "", Date.now(), 0];

const client = connect({ url: "/ws/" });
showLine(client);

client.on("publication", ({ data }) => {
  if (typeof data?.replica !== "string") return;
  const { replica, connections, deliveries } = data;
  quietSince = Date.now();
  replicas.set(replica, { at: quietSince, connections: connections ?? undefined, deliveries });
});
client.on("joined", ({ replica }) => {
  [joined, mine, quietSince] = [true, replica, Date.now()];
});
client.on("state", ({ state }) => {
  joined &&= state === "open";
});

/** @param {string} tag @param {Record<string, unknown>} attributes @param {string} [text] */
function element(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** @param {import("./picture.js").Box} box */
function drawn({ x, y, width, height, kind, name, facts, mine: own, gone }) {
  const group = element("g", { class: [kind, own && "mine", gone && "gone"].filter(Boolean).join(" ") });
  group.append(element("rect", { class: "box", x, y, width, height, rx: 10 }));
  const first = y + height / 2 + 6 - facts.length * 9;
  group.append(element("text", { class: "name", x: x + 16, y: first }, name));
  facts.forEach((fact, i) => group.append(element("text", { class: "fact", x: x + 16, y: first + 19 * (i + 1) }, fact)));
  return group;
}

function draw() {
  const now = Date.now();
  for (const [name, { at }] of replicas) if (now - at > FORGOTTEN_MS && joined) replicas.delete(name);
  const all = [...replicas]
    .map(([name, { at, ...facts }]) => ({ name, ...facts, mine: joined && name === mine, gone: now - at > SILENT_MS }))
    .sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
  const { width, height, boxes, wires } = layOut(all, narrow.matches);
  part("picture").setAttribute("viewBox", `0 0 ${width} ${height}`);
  part("picture").replaceChildren(
    ...wires.map((wire) => element("path", { class: wire.mine ? "wire mine" : "wire", d: pathOf(wire, narrow.matches) })),
    ...boxes.map(drawn),
  );
  tell(all, now);
}

/** @param {import("./picture.js").Replica[]} all @param {number} now */
function tell(all, now) {
  const notice = !joined || now - quietSince < QUIET_MS ? "" : "The replicas say nothing at the moment: Redis may be away. The picture goes on by itself when it is back.";
  if (part("notice").textContent !== notice) part("notice").textContent = notice;
  if (now - toldAt < TELL_MS) return;
  toldAt = now;
  const more = all.length > DRAWN_LIMIT ? ` The first ${DRAWN_LIMIT} are drawn.` : "";
  const words = inWords(all) + more;
  if (part("picture-words").textContent !== words) part("picture-words").textContent = words;
}

narrow.addEventListener("change", draw);
whileVisible(client, group, () => (quietSince = Date.now()), [draw, DRAW_MS]);
