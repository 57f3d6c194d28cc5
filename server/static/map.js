// The poster map: every film in a cell of its own, drawn on one canvas, redrawn only after a change.

import { ask } from "./ask.js";
import { Atlas, Posters, Tiles, drawBlank, levelFor } from "./atlas.js";
import { View, steer } from "./map_view.js";
import { Morph } from "./morph.js";
import { site } from "./site.js";
import { element, renew } from "./state.js";
import { suggest } from "./suggest.js";

const SINGLE = 260; // largest number of films in view for which single posters are requested
const PAINTING = 9; // milliseconds per frame for painting tiles
const NEAR = 110; // width in pixels of a film after flying to it
const NAMED = 8; // films listed as in the middle

const section = document.querySelector(".map");
const stage = section.querySelector(".map-stage");
const canvas = stage.querySelector("canvas");
const pen = canvas.getContext("2d", { alpha: false });
const tip = section.querySelector(".map-tip");
const said = stage.querySelector("[role=status]");
const named = section.querySelector(".map-middle ul");
const owned = section.querySelector(".map-owned input"); // null if the films are not told apart
const still = matchMedia("(prefers-reduced-motion: reduce)");

const maps = new Map(); // by -> map
let map = null; // the current map
let morph = null; // transition between the maps
let hovered = null; // films
let focused = null;
let colours = {};
let waiting = 0; // id of the requested animation frame
let settling = 0;

const atlas = new Atlas(draw);
const tiles = new Tiles(atlas);
const posters = new Posters(draw);
const view = new View(() => {
  clearTimeout(settling);
  settling = setTimeout(settle, 250);
  draw();
});
const ratio = () => Math.min(2, devicePixelRatio || 1);

function draw() {
  waiting ||= requestAnimationFrame(frame);
}

function frame(now) {
  waiting = 0;
  if (!map) return;
  view.step(now);
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let done = true;
  if (morph) {
    const r = ratio();
    const [left, top] = view.placeOf(0, 0);
    if (!morph.draw(pen, now, left * r, top * r, view.scale * r, colours.ground)) morph = null;
  } else {
    done = drawTiles(now);
    drawSingles();
  }
  for (const [film, colour, width] of [[hovered, colours.text, 2], [focused, colours.accent, 3]]) if (film) mark(film, colour, width);
  section.dataset.ready = String(done && !morph && atlas.loaded.length >= map.sheets.count);
  if (!done || morph) draw();
}

/** Draw the view of the map. Return false if a tile still needs painting. */
function drawTiles(now) {
  const r = ratio();
  const level = levelFor(view.scale * r);
  const size = Tiles.across(level);
  const [left, top, right, bottom] = seen();
  const began = performance.now();
  const mayPaint = () => performance.now() - began < PAINTING;
  const edge = ([x, y]) => [Math.round(x * r), Math.round(y * r)];
  let done = true;
  for (let y = Math.floor(top / size); y <= Math.floor(bottom / size); y++) {
    for (let x = Math.floor(left / size); x <= Math.floor(right / size); x++) {
      const tile = tiles.get(map, level, x, y, mayPaint);
      done &&= tile.done;
      if (!tile.canvas) continue;
      const [x0, y0] = edge(view.placeOf(x * size, y * size));
      const [x1, y1] = edge(view.placeOf((x + 1) * size, (y + 1) * size));
      pen.drawImage(tile.canvas, x0, y0, x1 - x0, y1 - y0);
    }
  }
  return done;
}

/** Draw single posters and titles over the tiles if few films are in view. */
function drawSingles() {
  const films = inView(SINGLE);
  if (!films) return posters.want([], 120);
  const r = ratio();
  const cell = view.scale * r;
  const side = (cell * 30) / 32;
  const width = [120, 240].find((each) => each >= side * 0.9) ?? 480;
  for (const film of films) {
    const [x, y] = view.placeOf(film.x, film.y).map((at) => at * r + cell / 32);
    const sharp = film.poster && cell > 34 && posters.find(film.id, width);
    if (sharp) pen.drawImage(sharp.picture, ...sharp.part, x, y, side, side * 1.5);
    else if (!film.poster) drawBlank(pen, film, x, y, side, side * 1.5, r);
  }
  return posters.want(cell > 34 ? films.filter((film) => film.poster).sort(byDistance) : [], width);
}

/** Outline a film; from far away also draw a ring around it, to make it easy to find. */
function mark(film, colour, width) {
  const r = ratio();
  const [x, y] = view.placeOf(film.x, film.y).map((at) => at * r);
  const cell = view.scale * r;
  const line = width * r;
  pen.lineWidth = line;
  pen.strokeStyle = colour;
  pen.strokeRect(x - line / 2, y - line / 2, cell + line, cell * 1.5 + line);
  if (film !== focused || cell > 40 * r) return;
  pen.beginPath();
  pen.arc(x + cell / 2, y + cell * 0.75, 22 * r, 0, 2 * Math.PI);
  pen.lineWidth = line + 3 * r;
  pen.strokeStyle = colours.ground;
  pen.stroke();
  pen.lineWidth = line;
  pen.strokeStyle = colour;
  pen.stroke();
}

/** Return the first column, first row, last column and last row in view. */
function seen() {
  const [left, top] = view.cellAt(0, 0);
  const [right, bottom] = view.cellAt(view.width, view.height);
  return [Math.max(0, left), Math.max(0, top), Math.min(map.columns - 1, right), Math.min(map.rows - 1, bottom)];
}

/** Return the films in view; null if there are more than `most`. */
function inView(most) {
  const [left, top, right, bottom] = seen();
  if ((right - left + 1) * (bottom - top + 1) > most) return null;
  const found = [];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const film = filmIn(x, y);
      if (film) found.push(film);
    }
  }
  return found;
}

function filmIn(x, y) {
  return x >= 0 && y >= 0 && x < map.columns && y < map.rows ? map.films[map.cells[y * map.columns + x]] ?? null : null;
}

const distance = (film) => Math.hypot(film.x + 0.5 - view.x, 1.5 * (film.y + 0.5) - view.y);
const byDistance = (first, second) => distance(first) - distance(second);

/** Return the films nearest to the middle, nearest first. */
function middle(most) {
  const [x, y] = [Math.floor(view.x), Math.floor(view.y / 1.5)];
  for (let reach = 2; reach <= 2 * Math.max(map.columns, map.rows); reach *= 2) {
    const found = [];
    for (let row = y - reach; row <= y + reach; row++) for (let column = x - reach; column <= x + reach; column++) found.push(filmIn(column, row));
    const films = found.filter(Boolean);
    if (films.length >= Math.min(most, map.films.length)) return films.sort(byDistance).slice(0, most);
  }
  return [...map.films].sort(byDistance).slice(0, most);
}

const titled = (film) => (film.year ? `${film.title} (${film.year})` : film.title);
const opened = (film) => film && location.assign(site(`movies/${film.id}`));

/** Update the address and the list of films in the middle, after all movement has ended. */
function settle() {
  if (!map) return;
  const state = new URLSearchParams({ by: map.by });
  if (owned?.checked) state.set("owned", "true");
  if (view.zoom > 1.01) for (const [name, value] of [["x", view.x], ["y", view.y], ["zoom", view.zoom]]) state.set(name, value.toFixed(2));
  if (focused) state.set("film", focused.id);
  history.replaceState(null, "", `?${state}`);
  const films = middle(NAMED);
  named.replaceChildren(...films.map((film) => element("li", {}, [element("a", { href: site(`movies/${film.id}`) }, [titled(film)])])));
  const [left, top, right, bottom] = seen();
  const number = Math.min(map.films.length, (right - left + 1) * (bottom - top + 1));
  said.textContent = films.length ? `${number} films in view. In the middle: ${titled(films[0])}.` : "There is no film on this map.";
}

function hover(left, top) {
  const film = left < 0 || !map ? null : filmIn(...view.cellAt(left, top));
  tip.hidden = !film;
  canvas.classList.toggle("pointing", Boolean(film));
  if (film) {
    tip.textContent = titled(film);
    tip.style.left = `${Math.max(8, Math.min(left + 14, view.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${top + 24 + tip.offsetHeight > view.height ? top - tip.offsetHeight - 10 : top + 20}px`;
  }
  if (film !== hovered) {
    hovered = film;
    draw();
  }
}

function tap(left, top, touch) {
  const film = map && filmIn(...view.cellAt(left, top));
  if (!film) return;
  // A finger cannot pick among small posters, so zoom in first.
  if (touch && view.scale < 40) flyTo(film);
  else opened(film);
}

function flyTo(film) {
  focused = film;
  view.fly({ x: film.x + 0.5, y: 1.5 * (film.y + 0.5), scale: Math.max(NEAR, view.scale) });
}

/** Return a map from the server, of all films or of those on the shelf, with the drawing state of each film. */
async function load(by) {
  const shelf = owned?.checked ?? false;
  const name = shelf ? `${by} shelf` : by;
  if (maps.has(name)) return maps.get(name);
  const found = await ask(site(`api/v1/map?by=${by}${shelf ? "&owned=true" : ""}`));
  const alone = new Set(found.unlisted);
  const films = found.movie_ids.map((id, at) => ({
    id, x: found.x[at], y: found.y[at], slot: found.slots[at], title: found.titles[at], year: found.years[at], poster: found.slots[at] >= 0 || alone.has(id), content: found.contents[at],
  }));
  const cells = new Int32Array(found.columns * found.rows).fill(-1);
  films.forEach((film, at) => { cells[film.y * found.columns + film.x] = at; });
  const made = { name, by, columns: found.columns, rows: found.rows, sheets: found.sheets, snapshot: found.snapshot, films, cells, of: new Map(films.map((film) => [film.id, film])) };
  maps.set(name, made);
  return made;
}

/** Show a map, with a transition from the one before. */
function showMap(by, state = null) {
  return renew(section, async () => {
    const next = await load(by);
    const before = map;
    map = next;
    hovered = null;
    if (focused) focused = map.of.get(focused.id) ?? null;
    canvas.setAttribute("aria-label", `Map of ${map.films.length} posters, ${by === "poster" ? "alike ones" : "films loved alike"} near each other`);
    if (before && before.by !== map.by) moveOver(before);
    else if (before) view.halt();
    else {
      measure();
      if (state) restore(state);
    }
    view.changed();
    await atlas.load(map, bySight);
  });
}

/** Return the numbers of the sheets, by descending share in view. */
function bySight(numbers) {
  const [left, top, right, bottom] = seen();
  const counts = new Map(numbers.map((number) => [number, 0]));
  for (const film of map.films) {
    if (film.slot < 0 || film.x < left || film.x > right || film.y < top || film.y > bottom) continue;
    const number = atlas.sheetOf(film.slot);
    if (counts.has(number)) counts.set(number, counts.get(number) + 1);
  }
  return numbers.sort((first, second) => counts.get(second) - counts.get(first));
}

/** Start the transition between the maps. In a near view, the film in the middle stays there. */
function moveOver(before) {
  const whole = view.zoom < 1.3;
  const now = map;
  map = before;
  const anchor = focused ? before.of.get(focused.id) : middle(1)[0];
  map = now;
  const old = { x: view.x, y: view.y };
  const to = anchor && map.of.get(anchor.id);
  view.halt();
  view.fit(view.width, view.height, map.columns, map.rows);
  if (!whole && to) view.set({ x: old.x + to.x - anchor.x, y: old.y + 1.5 * (to.y - anchor.y) });
  if (still.matches) return;
  morph = new Morph(before, now, [view.x - old.x, (view.y - old.y) / 1.5], atlas);
}

/** Show the view in the address. */
function restore(state) {
  const number = (name) => (state.has(name) && Number.isFinite(Number(state.get(name))) ? Number(state.get(name)) : undefined);
  focused = map.of.get(number("film")) ?? null;
  if (state.has("zoom")) view.set({ scale: view.whole * Math.max(1, number("zoom") ?? 1), x: number("x"), y: number("y") });
  else if (focused) flyTo(focused);
  else view.set({ x: map.columns / 2, y: map.rows * 0.75, scale: view.whole });
  if (state.has("film") && !focused) said.textContent = "That film is not on this map.";
}

function measure() {
  const top = section.getBoundingClientRect().top + scrollY;
  section.style.height = `max(22rem, calc(100dvh - ${Math.round(top)}px))`;
  const { clientWidth, clientHeight } = stage;
  canvas.width = Math.round(clientWidth * ratio());
  canvas.height = Math.round(clientHeight * ratio());
  if (map) view.fit(clientWidth, clientHeight, map.columns, map.rows);
}

function paintedAnew() {
  const style = getComputedStyle(document.documentElement);
  colours = Object.fromEntries(["ground", "text", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  draw();
}

steer(canvas, view, {
  hover, tap,
  open: () => opened(focused ?? (map && middle(1)[0])),
  escape: () => { focused = null; view.changed(); },
});
section.querySelector(".map-zoom").addEventListener("click", (event) => {
  const how = event.target.closest("button")?.dataset.zoom;
  if (how === "all") view.showAll();
  else if (how) view.glide(how === "in" ? 1.8 : 1 / 1.8);
});
section.querySelector(".map-ways")?.addEventListener("change", (event) => showMap(event.target.value));
owned?.addEventListener("change", () => showMap(map?.by ?? section.dataset.by));
const find = section.querySelector(".map-find");
const pick = (id) => {
  const film = map?.of.get(id);
  if (film) {
    flyTo(film);
    canvas.focus({ preventScroll: true });
  } else said.textContent = "That film is not on this map.";
  find.classList.toggle("missed", !film);
};
suggest(find, { name: "found", pick, slash: false });
find.addEventListener("submit", (event) => {
  event.preventDefault();
  const q = new FormData(find).get("q").trim();
  if (q) renew(section, async () => pick((await ask(site(`api/v1/movies?limit=1&q=${encodeURIComponent(q)}`))).results[0]?.movie_id));
});
new ResizeObserver(measure).observe(document.body);
addEventListener("resize", measure);
new MutationObserver(paintedAnew).observe(document.documentElement, { attributeFilter: ["data-theme"] });
document.fonts.ready.then(draw);
paintedAnew();
measure();
showMap(section.dataset.by, new URLSearchParams(location.search));
