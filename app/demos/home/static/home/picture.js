/**
 * The picture of the fleet, without a page: where each box and each wire goes, and the same in a sentence.
 *
 * @typedef {{name: string, connections?: number, deliveries?: number, mine: boolean, gone: boolean}} Replica
 * @typedef {{x: number, y: number, width: number, height: number, kind: string, name: string, facts: string[], mine?: boolean, gone?: boolean}} Box
 * @typedef {{from: [number, number], to: [number, number], mine: boolean}} Wire
 */

/** Replicas that are drawn; of more the rest is counted in the sentence. */
export const DRAWN_LIMIT = 12;
/** Replicas for which there is room before they are known: what lies below does not move away from under a pointer. */
const ROOM = 3;
const BOX = { width: 190, height: 74, gap: 18 };
/** Between two boxes where they stand below each other, in units as all here. */
const STEP = 44;
/** Left edges and width of the others where they stand in a row: as much room before the replicas as behind. */
const ROW = [2, 257, 512, 808];
const SLIM = 150;
const WIDE = 960;
const NARROW = 400;

const count = (/** @type {number} */ number) => Math.round(number).toLocaleString("en");
/** @param {number} number @param {string} one @param {string} many */
const plural = (number, one, many) => `${count(number)} ${Math.round(number) === 1 ? one : many}`;

/** @param {Replica} replica */
function factsOf({ connections, deliveries, gone }) {
  if (gone) return ["gone"];
  return [
    ...(connections === undefined ? [] : [plural(connections, "connection", "connections")]),
    ...(deliveries === undefined ? [] : [`${count(deliveries)} deliveries/s`]),
  ];
}

/** Boxes and wires: in a row from left to right, or, where there is no room, from top to bottom.
 * @param {Replica[]} replicas @param {boolean} narrow
 */
export function layOut(replicas, narrow) {
  const drawn = replicas.slice(0, DRAWN_LIMIT);
  const tallOf = (/** @type {number} */ rows) => rows * BOX.height + (rows - 1) * BOX.gap;
  const [tall, most] = [tallOf(Math.max(drawn.length, 1)), tallOf(Math.max(drawn.length, ROOM))];
  const width = narrow ? NARROW : WIDE;
  const height = (narrow ? most + 3 * (BOX.height + STEP) : most) + 4;
  const place = (/** @type {number} */ step) =>
    narrow
      ? { x: (width - BOX.width) / 2, y: 2 + step * (BOX.height + STEP), width: BOX.width, height: BOX.height }
      : { x: ROW[step], y: (height - BOX.height) / 2, width: SLIM, height: BOX.height };
  const column = { x: narrow ? (width - BOX.width) / 2 : ROW[2], y: narrow ? place(2).y : (height - tall) / 2 };
  const you = { ...place(0), kind: "you", name: "You", facts: ["this browser"] };
  const edge = { ...place(1), kind: "edge", name: "nginx", facts: ["one address"] };
  const boxes = drawn.map((replica, i) => ({
    x: column.x,
    y: column.y + i * (BOX.height + BOX.gap),
    width: BOX.width,
    height: BOX.height,
    kind: "replica",
    name: replica.name,
    facts: factsOf(replica),
    mine: replica.mine,
    gone: replica.gone,
  }));
  const bottom = { ...place(3), ...(narrow && { y: column.y + tall + STEP }) };
  const redis = { ...bottom, kind: "redis", name: "Redis", facts: ["channel layer"] };
  const wires = narrow ? downward(you, edge, boxes, redis) : rightward(you, edge, boxes, redis);
  return { width, height, boxes: /** @type {Box[]} */ ([you, edge, ...boxes, redis]), wires };
}

/** @param {Box} one @param {Box} other @param {boolean} mine @returns {Wire} */
const across = (one, other, mine) => ({
  from: [one.x + one.width, one.y + one.height / 2],
  to: [other.x, other.y + other.height / 2],
  mine,
});

/** @param {Box} you @param {Box} edge @param {Box[]} boxes @param {Box} redis */
function rightward(you, edge, boxes, redis) {
  const living = boxes.filter(({ gone }) => !gone);
  const wires = living.flatMap((box) => [across(edge, box, Boolean(box.mine)), across(box, redis, Boolean(box.mine))]);
  return inFront([across(you, edge, boxes.some(({ mine }) => mine)), ...wires]);
}

/** From top to bottom the wires to the replicas run beside them. @param {Box} you @param {Box} edge @param {Box[]} boxes @param {Box} redis */
function downward(you, edge, boxes, redis) {
  const below = (/** @type {Box} */ one, /** @type {Box} */ other, /** @type {boolean} */ mine) => ({
    from: /** @type {[number, number]} */ ([one.x + one.width / 2, one.y + one.height]),
    to: /** @type {[number, number]} */ ([other.x + other.width / 2, other.y]),
    mine,
  });
  const living = boxes.filter(({ gone }) => !gone);
  const middle = (/** @type {Box} */ box) => box.y + box.height / 2;
  const left = living.map((box) => ({ from: [edge.x, middle(edge)], to: [box.x, middle(box)], mine: Boolean(box.mine) }));
  const right = living.map((box) => ({ from: [box.x + box.width, middle(box)], to: [redis.x + redis.width, middle(redis)], mine: Boolean(box.mine) }));
  return inFront([below(you, edge, boxes.some(({ mine }) => mine)), .../** @type {Wire[]} */ (left), .../** @type {Wire[]} */ (right)]);
}

/** One's own way is drawn over the others'. @param {Wire[]} wires */
const inFront = (wires) => wires.sort((one, other) => Number(one.mine) - Number(other.mine));

/** A wire as an SVG path: a soft S across, a bow beside the boxes where both ends are on one side.
 * @param {Wire} wire @param {boolean} narrow
 */
export function pathOf({ from: [x1, y1], to: [x2, y2] }, narrow) {
  if (!narrow) return `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  if (x1 === NARROW / 2) return `M${x1} ${y1}L${x2} ${y2}`;
  const out = x1 < NARROW / 2 ? -60 : 60;
  return `M${x1} ${y1}C${x1 + out} ${y1} ${x2 + out} ${y2} ${x2} ${y2}`;
}

/** The picture in words. @param {Replica[]} replicas */
export function inWords(replicas) {
  const living = replicas.filter(({ gone }) => !gone);
  if (!living.length) return "Your browser, nginx, the replicas and Redis.";
  const mine = living.find((replica) => replica.mine);
  const connections = living.reduce((sum, replica) => sum + (replica.connections ?? 0), 0);
  const deliveries = living.reduce((sum, replica) => sum + (replica.deliveries ?? 0), 0);
  const who = mine ? `${mine.name} answers you. ` : "";
  const all = `${plural(living.length, "replica", "replicas")}, ${plural(connections, "connection", "connections")}`;
  return `${who}${all}, ${count(deliveries)} deliveries a second.`;
}
