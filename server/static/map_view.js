// The view of a map, moved by drag, wheel, pinch and keys. A cell is 1 wide and 1.5 high.

const NEAREST = 300; // largest width of a cell in pixels
const MARGIN = 48; // largest empty margin beside the map, in pixels
const still = matchMedia("(prefers-reduced-motion: reduce)");
const eased = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);

/** Centre (x, y) in cells and scale in pixels per cell. Calls `changed` after each change. */
export class View {
  #flight = null;

  constructor(changed) {
    Object.assign(this, { changed, x: 0, y: 0, scale: 1, width: 1, height: 1, columns: 1, rows: 1 });
  }

  get whole() {
    return Math.min((this.width - 16) / this.columns, (this.height - 16) / (this.rows * 1.5));
  }

  /** Return the zoom factor; 1 shows the whole map. */
  get zoom() {
    return this.scale / this.whole;
  }

  /** Return the cell at a point of the canvas, possibly outside the map. */
  cellAt(left, top) {
    return [Math.floor(this.x + (left - this.width / 2) / this.scale), Math.floor((this.y + (top - this.height / 2) / this.scale) / 1.5)];
  }

  /** Return the point of the canvas at the upper left corner of a cell. */
  placeOf(column, row) {
    return [(column - this.x) * this.scale + this.width / 2, (row * 1.5 - this.y) * this.scale + this.height / 2];
  }

  /** Fit to another window size or another map. A view of the whole map stays one, and an animation goes on to its end. */
  fit(width, height, columns, rows) {
    const whole = (scale) => scale / this.whole < 1.01;
    const [isWhole, willBe] = [whole(this.scale), this.#flight !== null && whole(this.#flight.to.scale)];
    Object.assign(this, { width, height, columns, rows });
    if (willBe) this.#flight.to.scale = this.whole;
    this.set(isWhole ? { scale: this.whole } : {});
  }

  /** End an animation where it is. */
  halt() {
    this.#flight = null;
  }

  set({ x = this.x, y = this.y, scale = this.scale }) {
    this.scale = Math.max(Math.min(this.whole, NEAREST), Math.min(Math.max(NEAREST, this.whole), scale));
    this.x = this.#within(x, this.columns, this.width);
    this.y = this.#within(y, this.rows * 1.5, this.height);
    this.changed();
  }

  move(right, down) {
    this.halt();
    this.set({ x: this.x + right / this.scale, y: this.y + down / this.scale });
  }

  /** Zoom by a factor around a fixed point of the canvas. */
  zoomAt(factor, left = this.width / 2, top = this.height / 2) {
    this.halt();
    this.set(this.#zoomed(factor, left, top));
  }

  /** Zoom likewise, animated. */
  glide(factor) {
    this.fly(this.#zoomed(factor, this.width / 2, this.height / 2), 220);
  }

  showAll() {
    this.fly({ x: this.columns / 2, y: this.rows * 0.75, scale: this.whole }, 450);
  }

  /** Move to a view, animated unless the user prefers reduced motion. */
  fly(to, milliseconds = 750) {
    const from = { x: this.x, y: this.y, scale: this.scale };
    to = { ...from, ...to };
    if (still.matches) return this.set(to);
    this.#flight = { from, to, milliseconds, start: null };
    return this.changed();
  }

  /** Advance the animation by one step; call before each frame. */
  step(now) {
    const flight = this.#flight;
    if (!flight) return;
    flight.start ??= now;
    const t = Math.min(1, (now - flight.start) / flight.milliseconds);
    const { from, to } = flight;
    const part = eased(t);
    const scale = from.scale * (to.scale / from.scale) ** part;
    // The target moves across the window at constant speed, whatever the change of scale.
    const along = Math.abs(to.scale - from.scale) < 1e-9 ? part : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / to.scale);
    this.set({ x: from.x + (to.x - from.x) * along, y: from.y + (to.y - from.y) * along, scale });
    if (t === 1 && this.#flight === flight) this.#flight = null;
  }

  #zoomed(factor, left, top) {
    const scale = Math.max(this.whole, Math.min(Math.max(NEAREST, this.whole), this.scale * factor));
    const kept = 1 / this.scale - 1 / scale;
    return { x: this.x + (left - this.width / 2) * kept, y: this.y + (top - this.height / 2) * kept, scale };
  }

  #within(at, length, seen) {
    const most = Math.max(0, seen / 2 - MARGIN) / this.scale;
    return length * this.scale <= seen - 2 * MARGIN || most > length / 2 ? length / 2 : Math.max(most, Math.min(length - most, at));
  }
}

/** Handle drags, pinches, wheel and keys of a canvas. `act` has hover(left, top), tap(left, top, touch), open(), escape(). */
export function steer(canvas, view, act) {
  const held = new Map(); // pointer id -> last position
  let moved = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const middle = () => [...held.values()].reduce(([x, y], [left, top]) => [x + left / held.size, y + top / held.size], [0, 0]);
  const spread = () => {
    const [first, second] = [...held.values()];
    return Math.hypot(first[0] - second[0], first[1] - second[1]) || 1;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!held.size) moved = 0;
    held.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return act.hover(...place(event));
    const before = middle();
    const apart = held.size === 2 ? spread() : 1;
    held.set(event.pointerId, place(event));
    const after = middle();
    moved += Math.hypot(after[0] - before[0], after[1] - before[1]);
    if (moved < 5 && held.size === 1) return undefined;
    canvas.classList.add("dragged");
    act.hover(-1, -1);
    view.move(before[0] - after[0], before[1] - after[1]);
    if (held.size === 2) view.zoomAt(spread() / apart, ...after);
    return undefined;
  });
  const release = (event) => {
    if (!held.delete(event.pointerId)) return;
    if (held.size) moved = Infinity;
    canvas.classList.remove("dragged");
    if (event.type === "pointerup" && moved < 5) act.tap(...place(event), event.pointerType === "touch");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => held.size || act.hover(-1, -1));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 400 : 1;
    view.zoomAt(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.01 : 0.0018)), ...place(event));
  }, { passive: false });
  const keys = {
    ArrowLeft: () => view.move(-90, 0), ArrowRight: () => view.move(90, 0), ArrowUp: () => view.move(0, -90), ArrowDown: () => view.move(0, 90),
    "+": () => view.glide(1.5), "=": () => view.glide(1.5), "-": () => view.glide(1 / 1.5), 0: () => view.showAll(),
    Enter: act.open, Escape: act.escape,
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
