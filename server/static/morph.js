// The transition between two maps. Many small films are composed pixel by pixel: 10,000 single drawings on the canvas took
// 15 frames per second.

import { levelFor } from "./atlas.js";

const MILLISECONDS = 1100;
const SMALL = 24; // largest width of a cell in pixels for composing films by pixel

const eased = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);

/** A transition between two maps; `moved` is the shift of the view meanwhile, in cells, so that nothing jumps. */
export class Morph {
  #start = null;
  #made = null; // pixels of the films in the current size

  constructor(before, after, moved, atlas) {
    const [dx, dy] = moved;
    const both = after.films.map((film) => [film, before.of.get(film.id), film]);
    const gone = before.films.filter((film) => !after.of.has(film.id)).map((film) => [film, film, undefined]);
    // A film on one map alone keeps its place there, and is visible for half of the transition.
    this.films = [...both, ...gone].map(([film, from, to]) => {
      const [x0, y0] = from ? [from.x + dx, from.y + dy] : [to.x, to.y];
      const [x1, y1] = to ? [to.x, to.y] : [x0, y0];
      return { film, x0, y0, x1, y1, until: to ? 1 : 0.5, since: from ? 0 : 0.5 };
    });
    this.atlas = atlas;
  }

  /** Draw one frame; return false at the end. `left`, `top` and `cell` are the first cell's, in pixels of the canvas. */
  draw(pen, now, left, top, cell, ground) {
    this.#start ??= now;
    const t = Math.min(1, (now - this.#start) / MILLISECONDS);
    const part = eased(t);
    if (cell <= SMALL) this.#together(pen, part, left, top, cell, ground);
    else this.#oneByOne(pen, part, left, top, cell);
    return t < 1;
  }

  #together(pen, part, left, top, cell, ground) {
    const { width, height } = pen.canvas;
    const [w, h] = [Math.max(2, Math.round(cell)), Math.max(3, Math.round(cell * 1.5))];
    const key = `${w} ${h} ${width} ${height} ${ground} ${this.atlas.loaded.length}`;
    if (this.#made?.key !== key) {
      const look = this.atlas.pixels(w, h, ground);
      const image = new ImageData(width, height);
      this.#made = { key, image, target: new Uint32Array(image.data.buffer), looks: this.films.map(({ film }) => look(film)), ground: wordOf(ground) };
    }
    const { image, target, looks, ground: empty } = this.#made;
    target.fill(empty);
    for (let i = 0; i < this.films.length; i++) {
      const look = looks[i];
      const { x0, y0, x1, y1, since, until } = this.films[i];
      if (!look || part < since || part > until) continue;
      const x = Math.round((x0 + (x1 - x0) * part) * cell + left);
      const y = Math.round((y0 + (y1 - y0) * part) * 1.5 * cell + top);
      const first = Math.max(0, -x);
      const last = Math.min(w, width - x);
      for (let row = Math.max(0, -y); row < Math.min(h, height - y); row++) {
        const from = look.at + row * look.stride;
        const to = (y + row) * width + x;
        for (let column = first; column < last; column++) target[to + column] = look.pixels[from + column];
      }
    }
    pen.putImageData(image, 0, 0);
  }

  #oneByOne(pen, part, left, top, cell) {
    const level = levelFor(cell);
    const side = 32 >> level;
    for (const { film, x0, y0, x1, y1, since, until } of this.films) {
      const x = (x0 + (x1 - x0) * part) * cell + left;
      const y = (y0 + (y1 - y0) * part) * 1.5 * cell + top;
      if (part < since || part > until || x < -cell || y < -1.5 * cell || x > pen.canvas.width || y > pen.canvas.height) continue;
      const found = this.atlas.find(film, level);
      if (found) pen.drawImage(found[0], found[1], found[2], side, side * 1.5, x, y, cell, cell * 1.5);
    }
  }
}

/** Return a colour as one 32-bit pixel. */
function wordOf(colour) {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return new Uint32Array(pen.getImageData(0, 0, 1, 1).data.buffer)[0];
}
