/**
 * A live line chart on a canvas: the last minute, one line a series, a crosshair that reads values.
 *
 * Drawn here and not by a library: time, value and a line are all it knows, in a tenth of the bytes.
 */
import { COLOURS } from "./colours.js";
import { Series, extent, inShort, marks } from "./series.js";

/** What a chart shows, in ms. */
const SPAN_MS = 60_000;
/** A silence of more, in ms, is a gap in the line: fifteen ticks that did not come, at ten a second. */
export const GAP_MS = 1_500;
/** Lines are told apart by dashes too, where there are more than colours or no colours to tell. */
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
const PADDING = { top: 8, right: 8, bottom: 20, left: 44 };

export class Chart {
  /** @type {Map<string, Series>} */ series = new Map();
  /** @type {number | null} */ #pointer = null;
  /** @type {Record<string, string>} */ #colours = {};

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(name: string) => number} indexOf Which line a name is, the same on all charts of a page.
   * @param {{zero?: boolean, gap?: number}} [axis] `zero`: whether the axis begins there, however far the values are;
   * `gap`: which silence is one, in ms.
   */
  constructor(canvas, indexOf, { zero = false, gap = GAP_MS } = {}) {
    this.canvas = canvas;
    this.zero = zero;
    this.gap = gap;
    this.indexOf = indexOf;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    canvas.addEventListener("pointermove", ({ offsetX }) => (this.#pointer = offsetX));
    canvas.addEventListener("pointerleave", () => (this.#pointer = null));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.#colours = {}));
  }

  /** @param {string} name @param {number} at ms @param {number} value */
  add(name, at, value) {
    let series = this.series.get(name);
    if (!series) this.series.set(name, (series = new Series(SPAN_MS)));
    series.add(at, value);
  }

  /** Draw the minute before `now`; returns what the crosshair reads, or null where it is not. @param {number} now */
  draw(now) {
    const { width, height } = this.#fit();
    const at = { left: PADDING.left, right: width - PADDING.right, top: PADDING.top, bottom: height - PADDING.bottom };
    const all = [...this.series.values()];
    const { least, most } = extent(all, now - SPAN_MS) ?? { least: 0, most: 1 };
    const axis = marks(least, most, this.zero);
    const [low, high] = [axis[0], axis[axis.length - 1]];
    const x = (/** @type {number} */ time) => at.right - ((now - time) / SPAN_MS) * (at.right - at.left);
    const y = (/** @type {number} */ value) => at.bottom - ((value - low) / (high - low)) * (at.bottom - at.top);
    this.context.clearRect(0, 0, width, height);
    this.#axes(axis, at, y);
    this.context.save();
    this.context.beginPath();
    this.context.rect(at.left, 0, at.right - at.left, height);
    this.context.clip();
    for (const [name, { points }] of this.series) this.#line(this.indexOf(name), points, x, y);
    this.context.restore();
    return this.#crosshair(now, at);
  }

  /** Give the canvas as many pixels as it has on the screen. */
  #fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = globalThis.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height };
  }

  /** @param {number[]} axis @param {{left: number, right: number, top: number, bottom: number}} at @param {(value: number) => number} y */
  #axes(axis, { left, right, bottom }, y) {
    const { context } = this;
    context.font = `12px ${this.#colour("--sans")}`;
    context.fillStyle = this.#colour("--muted");
    context.strokeStyle = this.#colour("--rule");
    context.lineWidth = 1;
    context.setLineDash([]);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const mark of axis) {
      const height = Math.round(y(mark)) + 0.5;
      context.beginPath();
      context.moveTo(left, height);
      context.lineTo(right, height);
      context.stroke();
      context.fillText(inShort(mark), left - 6, height);
    }
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillText("1 min ago", left, bottom + 6);
    context.textAlign = "right";
    context.fillText("now", right, bottom + 6);
  }

  /** @param {number} index @param {import("./series.js").Point[]} points @param {(t: number) => number} x @param {(v: number) => number} y */
  #line(index, points, x, y) {
    const { context } = this;
    context.strokeStyle = this.#colour(`--series-${index % COLOURS}`);
    context.setLineDash(DASHES[Math.floor(index / COLOURS) % DASHES.length]);
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.beginPath();
    let before = -Infinity;
    for (const { at, value } of points) {
      if (at - before > this.gap) context.moveTo(x(at), y(value));
      else context.lineTo(x(at), y(value));
      before = at;
    }
    context.stroke();
  }

  /** @param {number} now @param {{left: number, right: number, top: number, bottom: number}} at */
  #crosshair(now, { left, right, top, bottom }) {
    if (this.#pointer === null || this.#pointer < left || this.#pointer > right) return null;
    const { context } = this;
    context.strokeStyle = this.#colour("--edge");
    context.setLineDash([]);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(this.#pointer) + 0.5, top);
    context.lineTo(Math.round(this.#pointer) + 0.5, bottom);
    context.stroke();
    const time = now - ((right - this.#pointer) / (right - left)) * SPAN_MS;
    return { ago: now - time, values: new Map([...this.series].map(([name, line]) => [name, line.valueAt(time, this.gap)])) };
  }

  /** A custom property of the page. @param {string} name */
  #colour(name) {
    return (this.#colours[name] ||= getComputedStyle(this.canvas).getPropertyValue(name).trim());
  }
}
