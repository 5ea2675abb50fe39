/** What a board shows, without a page: the fleet's figures, and what of a publication is a number. */

/** What each replica says of itself, in the order of the charts. */
export const FIGURES = [
  { key: "connections", title: "Connections", unit: "" },
  { key: "deliveries", title: "Deliveries", unit: "a second" },
  { key: "publications", title: "Publications", unit: "a second" },
  { key: "lag", title: "Event loop lag", unit: "ms" },
  { key: "cpu", title: "CPU", unit: "% of a core" },
  { key: "memory", title: "Memory", unit: "MiB" },
];

/** Of these the sum over the replicas says something, of the others the greatest. */
const SUMMED = new Set(["connections", "deliveries", "publications", "cpu", "memory"]);

/** Of these nothing is zero, and the axis begins there. */
export const COUNTED = new Set(["connections", "deliveries", "publications", "lag", "cpu"]);

/** Charts that a page draws at most: whoever may publish must not be able to stop a browser. */
export const CHARTS_LIMIT = 32;
/** Silence, in ms, after which a replica is gone, and after which it is not shown any more. */
export const SILENT_MS = 2_000;
export const FORGOTTEN_MS = 65_000;
/** Silence of all, in ms, after which the page says so. */
export const QUIET_MS = 3_000;

/** The lines that a publication continues: which chart, which line, which value.
 * @param {unknown} data @param {boolean} ofFleet
 * @returns {{chart: string, line: string, value: number}[]}
 */
export function linesOf(data, ofFleet) {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return [];
  const numbers = /** @type {Record<string, unknown>} */ (data);
  if (ofFleet) {
    const { replica } = numbers;
    if (typeof replica !== "string") return [];
    return FIGURES.filter(({ key }) => Number.isFinite(numbers[key])).map(({ key }) => ({ chart: key, line: replica, value: Number(numbers[key]) }));
  }
  return Object.entries(numbers)
    .filter(([, value]) => typeof value === "number" && Number.isFinite(value))
    .map(([name, value]) => ({ chart: name, line: name, value: Number(value) }));
}

/** web-2 comes before web-10. @param {string} one @param {string} other */
export const byName = (one, other) => one.localeCompare(other, "en", { numeric: true });

/** The figure beside a chart's title: the sum of what the lines say now, or the greatest. @param {string} chart @param {number[]} values */
export function headline(chart, values) {
  if (!values.length) return undefined;
  return SUMMED.has(chart) ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
}

/** Why there is nothing to see, in a sentence; empty when there is.
 * @param {{joined: boolean, ofFleet: boolean, quietMs: number, any: boolean}} state
 */
export function noticeOf({ joined, ofFleet, quietMs, any }) {
  if (!joined) return any ? "The charts stand still until the connection is back." : "";
  if (quietMs < QUIET_MS) return "";
  if (!ofFleet) return any ? "" : "Nothing has been published here yet. Charts appear with the first number.";
  return "The replicas say nothing at the moment: Redis may be away. The charts go on by themselves when it is back.";
}
