// Explanations of neighbours: colours where two posters are alike, and the number of people who love both films.

import { ask } from "./ask.js";
import { site } from "./site.js";
import { element, show } from "./state.js";
import { listed, percent } from "./words.js";

const CELLS = 7;
const PAUSE = 140; // milliseconds for a pointer to rest before a request
const WARM = [237, 185, 81];
const DARK = [8, 8, 14];

/** Explain every film below `shelves`: on hover, on focus and by its button. */
export function explain(film, shelves, panel) {
  const id = film.dataset.movie;
  const title = film.querySelector("h1").textContent;
  const kept = new Map(); // address -> JSON
  let asking = new AbortController();
  let timer = 0;
  let shown = null;
  let pinned = false;
  let closedAt = null; // event: where a pointer closed the panel

  const get = (address) => {
    if (!kept.has(address)) {
      const coming = ask(address);
      coming.catch(() => kept.delete(address));
      kept.set(address, coming);
    }
    return kept.get(address);
  };
  const clear = () => {
    clearTimeout(timer);
    asking.abort();
    shown?.classList.remove("explained");
    shown = null;
    pinned = false;
    panel.replaceChildren();
    panel.classList.remove("pinned");
    for (const canvas of document.querySelectorAll("canvas.heat")) canvas.remove();
  };
  const open = async (item, { pin = false } = {}) => {
    if (shown === item && !pin) return;
    clear();
    if (!shelves.contains(item)) return; // the shelf was replaced meanwhile
    asking = new AbortController();
    const { signal } = asking;
    shown = item;
    pinned = pin;
    item.classList.add("explained");
    panel.classList.toggle("pinned", pin);
    const by = item.closest("[data-by]").dataset.by;
    const spaces = item.dataset.spaces.split(" ").filter((space) => by === "blend" || space === by);
    const address = (space) => site(`api/v1/movies/${id}/explanations/${item.dataset.movie}?by=${space}`);
    try {
      const [look, taste] = await Promise.all(["poster", "taste"].map((space) => (spaces.includes(space) ? get(address(space)) : null)));
      if (signal.aborted) return;
      const other = item.querySelector(".name").textContent;
      const close = element("button", { type: "button", class: "plain close", "aria-label": "Close" }, ["×"]);
      close.addEventListener("click", (event) => {
        closedAt = event;
        const back = shown?.querySelector("button.ask");
        clear();
        back?.focus({ preventScroll: true });
      });
      const sum = item.querySelector(".shares")?.getAttribute("aria-label");
      panel.replaceChildren(element("h2", {}, ["Why ", element("i", {}, [other]), "?"]), ...(sum ? [element("p", {}, [`${sum}.`])] : []), ...(look ? ofLook(look) : []), ...(taste ? ofTaste(taste, title, other) : []), close);
      if (!look && !taste) panel.append(element("p", {}, ["They have genre, years or tags in common."]));
      if (look) for (const frame of [item.querySelector(".frame"), film.querySelector(".about .frame")]) paint(frame, look.likeness);
    } catch (problem) {
      if (signal.aborted) return;
      show(panel, problem, () => {
        clear();
        open(item, { pin });
      });
    }
  };

  const itemOf = (event) => event.target.closest?.("[data-movie]");
  shelves.addEventListener("pointerover", (event) => {
    const item = itemOf(event);
    if (event.pointerType !== "mouse" || !item || pinned || item === shown) return;
    // A film that was below the panel is not asked about until the pointer moves.
    if (closedAt && Math.hypot(event.clientX - closedAt.clientX, event.clientY - closedAt.clientY) < 2) return;
    closedAt = null;
    clearTimeout(timer);
    timer = setTimeout(() => open(item), PAUSE);
  });
  shelves.addEventListener("pointerout", (event) => {
    if (event.pointerType === "mouse" && !pinned && itemOf(event) && !itemOf(event).contains(event.relatedTarget)) clear();
  });
  shelves.addEventListener("focusin", (event) => {
    if (!pinned && event.target.matches(":focus-visible") && itemOf(event)) open(itemOf(event));
  });
  shelves.addEventListener("focusout", (event) => {
    if (!pinned && itemOf(event) && !itemOf(event).contains(event.relatedTarget)) clear();
  });
  shelves.addEventListener("click", (event) => {
    if (event.target.closest("button.ask")) open(itemOf(event), { pin: true });
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && shown && clear());
  addButtons(shelves);
  new MutationObserver(() => {
    addButtons(shelves);
    if (shown && !shelves.contains(shown)) clear();
  }).observe(shelves, { childList: true, subtree: true });
}

function addButtons(shelves) {
  for (const item of shelves.querySelectorAll("[data-spaces]:not(:has(button.ask))")) {
    item.append(element("button", { type: "button", class: "ask", "aria-label": `Why ${item.querySelector(".name").textContent}?` }, ["why?"]));
  }
}

/** Colour a poster by likeness to another: warm for alike, dark for different. The whole file was compared, so the
 *  colours cover all of it, although a frame may show less. */
function paint(frame, likeness) {
  const image = frame.querySelector("img");
  if (!image?.naturalWidth) return;
  const canvas = element("canvas", { class: "heat", width: CELLS, height: CELLS, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(CELLS, CELLS);
  const all = likeness.flat();
  const [least, most] = [Math.min(...all), Math.max(...all)];
  all.forEach((alike, at) => {
    // Half by likeness, half by rank among the parts: some differ even on near copies.
    const share = Math.max(0, Math.min(1, (alike + (alike - least) / (most - least || 1)) / 2));
    pixels.data.set(WARM.map((warm, channel) => DARK[channel] + (warm - DARK[channel]) * share), 4 * at);
    pixels.data[4 * at + 3] = 255 * (share < 0.5 ? 0.72 - 0.9 * share : 0.27 + 0.5 * (share - 0.5));
  });
  context.putImageData(pixels, 0, 0);
  const { clientWidth: width, clientHeight: height } = frame;
  const scale = Math.max(width / image.naturalWidth, height / image.naturalHeight);
  const [wide, high] = [image.naturalWidth * scale, image.naturalHeight * scale];
  Object.assign(canvas.style, { width: `${wide}px`, height: `${high}px`, left: `${(width - wide) / 2}px`, top: `${(height - high) / 2}px` });
  frame.append(canvas);
}

function ofLook(look) {
  const parts = look.likeness
    .flatMap((row, y) => row.map((alike, x) => ({ alike, place: place(y, x) })))
    .sort((one, other) => other.alike - one.alike)
    .slice(0, 8);
  const places = [...new Set(parts.filter((part) => part.alike > 0.3).map((part) => part.place))].slice(0, 2);
  const most = places.length ? ` Most alike: ${listed(places)}.` : "";
  const picture = site(`api/v1/movies/${look.movie.movie_id}/explanations/${look.other.movie_id}/picture`);
  return [
    element("p", {}, [`Their posters are closer than ${percent(look.percentile)} of pairs.${most}`]),
    element("p", { class: "small hint" }, [`The 49 parts add up to the score, ${look.score.toFixed(3)}; two at random have ${look.usual_score.toFixed(3)}. `, element("a", { href: picture }, ["Part by part"])]),
  ];
}

function ofTaste(taste, title, other) {
  const of = (part, whole) => (whole ? part / whole : 0);
  const theirs = of(taste.lovers_of_both, taste.lovers_who_rated);
  const all = of(taste.lovers_of_other, taste.raters);
  const said = [element("p", {}, [`People who love one love the other more than in ${percent(taste.percentile)} of pairs.`])];
  if (taste.lovers_who_rated) {
    said.push(
      meter(`${taste.lovers_of_both} of the ${taste.lovers_who_rated} who love ${title} and rated ${other} love it too`, theirs),
      meter(`${taste.lovers_of_other} of all ${taste.raters} who rated it love it`, all),
      element("p", { class: "small hint" }, [`Loved: rated ${+taste.loved_from.toFixed(2)} or more.`]),
    );
  }
  if (taste.genres.length) said.push(element("p", {}, [`Both are ${listed(taste.genres)}.`]));
  return said;
}

function meter(words, share) {
  const bar = element("i");
  bar.style.width = `${100 * share}%`;
  return element("div", { class: "meter" }, [element("span", {}, [words]), element("b", {}, [`${Math.round(100 * share)}%`]), element("span", { class: "bar" }, [bar])]);
}

function place(y, x) {
  const rows = ["top", "top", "middle", "middle", "middle", "bottom", "bottom"];
  const columns = ["left", "left", "centre", "centre", "centre", "right", "right"];
  const [row, column] = [rows[y], columns[x]];
  if (column === "centre") return row === "middle" ? "the centre" : `the ${row}`;
  return row === "middle" ? `the ${column} side` : `the ${row} ${column}`;
}
