// Images to draw a map from: sprite sheets in sizes halved repeatedly, tiles of many cells, and single posters for a near
// view.

import { picture } from "./ask.js";
import { posterOf } from "./picture.js";
import { site } from "./site.js";

const CELL = 32; // width of a cell in pixels on the finest level, halved on each next one; height is 1.5 times the width
const INSET = 1; // pixels between a poster and its cell's edge, so that neighbours do not touch
const LEVELS = 4; // 32, 16, 8 and 4 pixels
const ACROSS = 16; // cells across a tile on the finest level, doubled on each next one: every tile has 512 x 768 pixels
const TILES = 96; // size of the cache
const POSTERS = 400; // size of the cache
const AT_ONCE = 6; // concurrent poster requests
const HUES = 6;

/** Return the level with cells about `width` device pixels wide: slightly narrower at most, and less than twice as wide. */
export const levelFor = (width) => Math.max(0, Math.min(LEVELS - 1, Math.floor(Math.log2(CELL / (0.8 * width)))));

/** Return the largest centred part of a picture with aspect ratio 2:3: x, y, width, height. */
const covering = ({ width, height }) => {
  const [w, h] = width * 3 > height * 2 ? [(height * 2) / 3, height] : [width, (width * 3) / 2];
  return [(width - w) / 2, (height - h) / 2, w, h];
};

/** Small posters, and backgrounds of films without one. Calls `changed` whenever more can be drawn. */
export class Atlas {
  #sheets = new Map(); // sheet number -> canvases, one per level
  #asked = new Set();

  constructor(changed) {
    this.changed = changed;
    this.loaded = []; // numbers of loaded sheets, in order of arrival
    this.blanks = Array.from({ length: HUES }, (_, hue) => halved(blank(hue)));
  }

  /** Load the sheets of a map in the order of `wanted`; load sheets shared by both maps once. */
  async load(map, wanted) {
    this.shape = map.sheets;
    const waiting = () => wanted([...Array(map.sheets.count).keys()].filter((number) => !this.#asked.has(number)));
    const work = async () => {
      for (let [number] = waiting(); number !== undefined; [number] = waiting()) {
        this.#asked.add(number);
        try {
          await this.#take(number, map.snapshot);
        } catch (problem) {
          this.#asked.delete(number);
          throw problem;
        }
      }
    };
    await Promise.all([work(), work()]);
  }

  /** Return canvas, x and y of a film's small poster on a level, or of its background; null while it loads. */
  find(film, level) {
    if (film.slot < 0) return [this.blanks[film.id % HUES][level], 0, 0];
    const { across, down } = this.shape;
    const canvases = this.#sheets.get(Math.floor(film.slot / (across * down)));
    if (!canvases) return null;
    const place = film.slot % (across * down);
    return [canvases[level], (place % across) * (CELL >> level), Math.floor(place / across) * 1.5 * (CELL >> level)];
  }

  /** Return the pixels of all small posters in another size, on a background colour, to compose many moving films from. */
  pixels(width, height, ground) {
    const taken = ([whole, ...smaller], columns, rows) => {
      const source = [whole, ...smaller][levelFor(width)];
      const scaled = canvas(columns * width, rows * height);
      const pen = scaled.getContext("2d", { willReadFrequently: true });
      pen.fillStyle = ground;
      pen.fillRect(0, 0, scaled.width, scaled.height);
      pen.drawImage(source, 0, 0, scaled.width, scaled.height);
      return { pixels: new Uint32Array(pen.getImageData(0, 0, scaled.width, scaled.height).data.buffer), stride: scaled.width };
    };
    const sheets = new Map();
    for (const [number, levels] of this.#sheets) sheets.set(number, taken(levels, this.shape.across, levels[0].height / (1.5 * CELL)));
    const blanks = this.blanks.map((levels) => taken(levels, 1, 1));
    return (film) => {
      if (film.slot < 0) return { ...blanks[film.id % HUES], at: 0 };
      const sheet = sheets.get(this.sheetOf(film.slot));
      if (!sheet) return null;
      const place = film.slot % (this.shape.across * this.shape.down);
      return { ...sheet, at: Math.floor(place / this.shape.across) * height * sheet.stride + (place % this.shape.across) * width };
    };
  }

  sheetOf(slot) {
    return Math.floor(slot / (this.shape.across * this.shape.down));
  }

  async #take(number, snapshot) {
    const sheet = await picture(site(`api/v1/map/sheets/${number}?snapshot=${encodeURIComponent(snapshot)}`));
    const { across, width, height } = this.shape;
    const rows = Math.round(sheet.height / height);
    const spaced = canvas(across * CELL, rows * 1.5 * CELL);
    const pen = spaced.getContext("2d");
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < across; column++) {
        pen.drawImage(sheet, column * width, row * height, width, height, column * CELL + INSET, row * 1.5 * CELL + INSET, width, height);
      }
    }
    sheet.close();
    this.#sheets.set(number, halved(spaced));
    this.loaded.push(number);
    this.changed(number);
  }
}

/** Tiles of a map, painted once per level. */
export class Tiles {
  #kept = new Map(); // "name level x y" -> tile, most recently used last

  constructor(atlas) {
    this.atlas = atlas;
  }

  /** Return the number of cells across a tile of a level. */
  static across(level) {
    return ACROSS << level;
  }

  /** Return the canvas of a tile. If it needs painting and `mayPaint` returns false, return the old one or null. */
  get(map, level, x, y, mayPaint) {
    const key = `${map.name} ${level} ${x} ${y}`;
    let tile = this.#kept.get(key);
    this.#kept.delete(key);
    if ((!tile || this.#stale(tile)) && mayPaint()) tile = this.#paint(map, level, x, y, tile);
    if (!tile) return { canvas: null, done: false };
    this.#kept.set(key, tile);
    while (this.#kept.size > TILES) this.#kept.delete(this.#kept.keys().next().value);
    return { canvas: tile.canvas, done: !this.#stale(tile) };
  }

  #stale(tile) {
    return this.atlas.loaded.length > tile.seen && this.atlas.loaded.slice(tile.seen).some((number) => tile.missing.has(number));
  }

  #paint(map, level, x, y, before) {
    const size = ACROSS << level;
    const side = CELL >> level;
    const made = before?.canvas ?? canvas(ACROSS * CELL, ACROSS * CELL * 1.5);
    const pen = made.getContext("2d");
    pen.clearRect(0, 0, made.width, made.height); // half transparent edges would add up
    const missing = new Set();
    for (let row = y * size; row < Math.min(map.rows, (y + 1) * size); row++) {
      for (let column = x * size; column < Math.min(map.columns, (x + 1) * size); column++) {
        const film = map.films[map.cells[row * map.columns + column]];
        if (!film) continue;
        const found = this.atlas.find(film, level);
        if (!found) missing.add(this.atlas.sheetOf(film.slot));
        else pen.drawImage(found[0], found[1], found[2], side, side * 1.5, (column - x * size) * side, (row - y * size) * side * 1.5, side, side * 1.5);
      }
    }
    return { canvas: made, missing, seen: this.atlas.loaded.length };
  }
}

/** Single posters, in the width of the view. Calls `changed` whenever one has loaded. */
export class Posters {
  #kept = new Map(); // "id width" -> picture and the part to draw; null without a poster
  #asked = new Set();
  #waiting = [];
  #pause = 0;

  constructor(changed) {
    this.changed = changed;
  }

  /** Return a film's loaded poster in a width or the next smaller one, with the part to draw; else null. */
  find(id, width) {
    for (const each of [width, 480, 240, 120]) {
      const key = `${id} ${each}`;
      const found = each <= width ? this.#kept.get(key) : undefined;
      if (found) {
        this.#kept.delete(key);
        this.#kept.set(key, found); // most recently used: evicted last
        return found;
      }
    }
    return null;
  }

  /** Request the posters of films in order. Drop earlier requests that have not started. */
  want(films, width) {
    this.#waiting = films.filter(({ id }) => !this.#kept.has(`${id} ${width}`) && !this.#asked.has(`${id} ${width}`)).map((film) => [film, width]);
    this.#next();
  }

  #next() {
    while (this.#asked.size < AT_ONCE && this.#waiting.length && performance.now() >= this.#pause) this.#take(...this.#waiting.shift());
  }

  async #take({ id, content }, width) {
    const key = `${id} ${width}`;
    this.#asked.add(key);
    try {
      const response = await fetch(posterOf(id, width, content));
      if (response.status === 429 || response.status === 503) this.#wait(Number(response.headers.get("Retry-After")) || 2);
      else {
        const found = response.ok ? await createImageBitmap(await response.blob()) : null;
        this.#kept.set(key, found && { picture: found, part: covering(found) });
        while (this.#kept.size > POSTERS) this.#kept.delete(this.#kept.keys().next().value);
        this.changed();
      }
    } catch {
      this.#wait(5); // the server is unreachable: the small poster stays
    } finally {
      this.#asked.delete(key);
      this.#next();
    }
  }

  #wait(seconds) {
    this.#pause = performance.now() + 1000 * seconds;
    setTimeout(this.changed, 1000 * seconds);
  }
}

/** Draw the background of a film without a poster, with its title if there is room. */
export function drawBlank(pen, film, x, y, width, height, ratio) {
  const { sky, land } = hues()[film.id % HUES];
  const ground = pen.createLinearGradient(x, y, x + width / 3, y + height);
  ground.addColorStop(0, sky);
  ground.addColorStop(1, land);
  pen.fillStyle = ground;
  pen.fillRect(x, y, width, height);
  if (width < 56 * ratio) return;
  const size = Math.max(11 * ratio, width / 8);
  pen.font = `${size}px "Instrument Serif", Georgia, serif`;
  pen.fillStyle = "#f6f2ea";
  pen.textBaseline = "alphabetic";
  const lines = wrapped(pen, film.title, width * 0.84).slice(0, 6);
  lines.forEach((line, at) => pen.fillText(line, x + width * 0.08, y + height * 0.93 - (lines.length - 1 - at) * size * 1.1, width * 0.84));
}

function wrapped(pen, text, width) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function canvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** Return a canvas and its halvings. Cell edges fall on whole pixels, so neighbours do not bleed into each other. */
function halved(whole) {
  const levels = [whole];
  while (levels.length < LEVELS) {
    const last = levels.at(-1);
    const half = canvas(last.width / 2, last.height / 2);
    half.getContext("2d").drawImage(last, 0, 0, half.width, half.height);
    levels.push(half);
  }
  return levels;
}

function blank(hue) {
  const made = canvas(CELL, CELL * 1.5);
  drawBlank(made.getContext("2d"), { id: hue, title: "" }, INSET, INSET, CELL - 2 * INSET, 1.5 * CELL - 3 * INSET, 1);
  return made;
}

let known = null;

/** Return the background colours of the style sheet. */
function hues() {
  known ??= Array.from({ length: HUES }, (_, hue) => {
    const probe = document.createElement("i");
    probe.className = `hue${hue}`;
    probe.hidden = true;
    document.body.append(probe);
    const style = getComputedStyle(probe);
    const found = { sky: style.getPropertyValue("--sky").trim(), land: style.getPropertyValue("--land").trim() };
    probe.remove();
    return found;
  });
  return known;
}
