/**
 * Numbers over time, and the scale that shows them: pure.
 *
 * @typedef {{at: number, value: number}} Point `at` in ms.
 */

/** The last points of one line; older ones than `span` ms are forgotten. */
export class Series {
  /** @type {Point[]} */ points = [];

  /** @param {number} span */
  constructor(span) {
    this.span = span;
  }

  /** @param {number} at @param {number} value */
  add(at, value) {
    this.points.push({ at, value });
    const first = this.points.findIndex((point) => point.at >= at - this.span);
    // One point before the span's begin is kept: the line reaches the edge. Rarely: a shift a point costs more.
    if (first > 64) this.points.splice(0, first - 1);
  }

  get last() {
    return this.points.at(-1);
  }

  /** The value at a time: that of the last point before it, if that is not long ago. @param {number} at @param {number} gap */
  valueAt(at, gap) {
    const point = this.points.findLast((each) => each.at <= at);
    return point && at - point.at <= gap ? point.value : undefined;
  }
}

/** The least and the greatest value of these lines since a time; undefined when there is none.
 * @param {Series[]} all @param {number} since
 */
export function extent(all, since) {
  let [least, most] = [Infinity, -Infinity];
  for (const { points } of all) {
    for (let i = points.length - 1; i >= 0 && points[i].at >= since; i -= 1) {
      least = Math.min(least, points[i].value);
      most = Math.max(most, points[i].value);
    }
  }
  return least <= most ? { least, most } : undefined;
}

/** Round marks of an axis that holds these values, with zero where it is not far, or always: 2 to 5 steps of 1, 2 or 5.
 * @param {number} least @param {number} most @param {boolean} [zero] @returns {number[]}
 */
export function marks(least, most, zero = false) {
  const low = least > 0 && (zero || least < most * 0.8) ? 0 : Math.min(least, most);
  const range = Math.max(most - low, Math.abs(most) * 0.1, 1e-9);
  const raw = range / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(most / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A number for people, short. @param {number} value */
export function inShort(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 2 });
}
