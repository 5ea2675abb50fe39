/** The arena on its canvas. */
import { COLOURS } from "./rules.js";

const PLAYER_RADIUS = 17;
const GEM_RADIUS = 13;
const GRID = 75;
/** A name is never smaller, in CSS pixels, however small the arena is. */
const LEAST_TEXT = 11;

export class Stage {
  /** @type {Record<string, string>} */ #colours = {};

  /** @param {HTMLCanvasElement} canvas @param {{width: number, height: number}} walls */
  constructor(canvas, walls) {
    this.canvas = canvas;
    this.walls = walls;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.#colours = {}));
  }

  /** The place in the arena below a pointer. @param {{offsetX: number, offsetY: number}} pointer */
  placeOf({ offsetX, offsetY }) {
    const { clientWidth, clientHeight } = this.canvas;
    return { x: (offsetX / clientWidth) * this.walls.width, y: (offsetY / clientHeight) * this.walls.height };
  }

  /**
   * @param {import("./rules.js").Gem[]} gems
   * @param {import("./rules.js").Shown[]} others
   * @param {(import("./rules.js").Shown & {settled: number}) | null} own `settled`: the part of its arrival that has passed.
   */
  draw(gems, others, own) {
    const { context } = this;
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = globalThis.devicePixelRatio || 1;
    const [wide, high] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    const scale = wide / this.walls.width;
    context.setTransform(scale, 0, 0, high / this.walls.height, 0, 0);
    context.clearRect(0, 0, this.walls.width, this.walls.height);
    this.#grid();
    for (const gem of gems) this.#gem(gem);
    context.font = `${Math.max(15, LEAST_TEXT / (clientWidth / this.walls.width))}px ${this.#colour("--sans")}`;
    for (const player of others) this.#player(player, 1);
    if (own) this.#player(own, own.settled, true);
  }

  #grid() {
    const { context } = this;
    context.strokeStyle = this.#colour("--rule");
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = GRID; x < this.walls.width; x += GRID) context.rect(x, -1, 0, this.walls.height + 2);
    for (let y = GRID; y < this.walls.height; y += GRID) context.rect(-1, y, this.walls.width + 2, 0);
    context.stroke();
    context.globalAlpha = 1;
  }

  /** @param {{x: number, y: number}} gem */
  #gem({ x, y }) {
    const { context } = this;
    context.fillStyle = this.#colour("--gem");
    context.beginPath();
    context.moveTo(x, y - GEM_RADIUS);
    context.lineTo(x + GEM_RADIUS * 0.8, y);
    context.lineTo(x, y + GEM_RADIUS);
    context.lineTo(x - GEM_RADIUS * 0.8, y);
    context.closePath();
    context.fill();
  }

  /** @param {import("./rules.js").Shown} player @param {number} settled @param {boolean} [own] */
  #player({ x, y, name, colour }, settled, own = false) {
    const { context } = this;
    context.fillStyle = context.strokeStyle = this.#colour(`--series-${colour % COLOURS}`);
    context.lineWidth = 4;
    context.beginPath();
    context.arc(x, y, PLAYER_RADIUS, 0, 2 * Math.PI);
    if (settled >= 1) {
      context.fill();
    } else {
      // Who has just come is a ring that fills: it takes no gems yet.
      context.globalAlpha = 0.3;
      context.fill();
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, y, PLAYER_RADIUS, -Math.PI / 2, (settled * 2 - 0.5) * Math.PI);
      context.stroke();
    }
    if (own) {
      context.strokeStyle = this.#colour("--ink");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, PLAYER_RADIUS + 5, 0, 2 * Math.PI);
      context.stroke();
    }
    context.fillStyle = this.#colour("--ink");
    context.textAlign = "center";
    context.textBaseline = y < 50 ? "top" : "bottom";
    const half = context.measureText(name).width / 2;
    const at = Math.min(Math.max(x, half + 4), this.walls.width - half - 4);
    context.fillText(name, at, y < 50 ? y + PLAYER_RADIUS + 9 : y - PLAYER_RADIUS - 9);
  }

  /** A custom property of the page. @param {string} name */
  #colour(name) {
    return (this.#colours[name] ||= getComputedStyle(this.canvas).getPropertyValue(name).trim());
  }
}
