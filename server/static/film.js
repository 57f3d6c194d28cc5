// A film's page: sliders weigh the blend, filters narrow the shelves, and every neighbour has an explanation.

import { page } from "./ask.js";
import { enhanceForms } from "./library.js";
import { renew } from "./state.js";
import { explain } from "./why.js";

const controls = document.querySelector(".controls");
const shelves = document.querySelector(".shelves");
const reset = controls.querySelector("a.button");
let asking = new AbortController();

/** Return the address of the state of the controls. */
function address() {
  const given = [...new FormData(controls)].filter(([, value]) => value !== "");
  return `${controls.getAttribute("action")}?${new URLSearchParams(given)}`;
}

/** Replace the shelves by those of another state of this page. */
async function change(which) {
  asking.abort();
  asking = new AbortController();
  const wanted = address();
  const { signal } = asking;
  await renew(shelves, async () => {
    const found = await page(wanted, { signal });
    for (const shelf of shelves.querySelectorAll(which)) move(shelf, found.getElementById(shelf.id));
    history.replaceState(null, "", wanted);
    reset.hidden = found.querySelector(".controls a.button").hidden;
  });
}

/** Move films that stay to their new places; fade others in and out. */
function move(shelf, next) {
  const before = new Map([...shelf.querySelectorAll("[data-movie]")].map((each) => [each.dataset.movie, each]));
  const places = new Map([...before].map(([id, each]) => [id, each.getBoundingClientRect()]));
  for (const fresh of next.querySelectorAll("[data-movie]")) {
    const kept = before.get(fresh.dataset.movie);
    if (!kept) continue;
    // The poster is loaded already; its caption may be new.
    for (const part of [".score", ".shares"]) kept.querySelector(part)?.replaceWith(fresh.querySelector(part));
    fresh.replaceWith(kept);
  }
  shelf.replaceChildren(...next.childNodes);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const film of shelf.querySelectorAll("[data-movie]")) {
    const from = places.get(film.dataset.movie);
    const to = film.getBoundingClientRect();
    const steps = from ? [{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: "none" }] : [{ opacity: 0 }, { opacity: 1 }];
    film.animate(steps, { duration: 260, easing: "cubic-bezier(.2, .8, .2, 1)" });
  }
}

controls.querySelector(".weights").addEventListener("input", (event) => {
  event.target.parentElement.querySelector("output").value = event.target.value;
  change("#by-blend");
});
controls.querySelector(".filters").addEventListener("change", () => {
  const { year_from: from, year_to: to } = controls.elements;
  to.min = from.value || from.min;
  if (controls.reportValidity()) change(".shelf");
});
controls.addEventListener("submit", (event) => {
  event.preventDefault();
  change(".shelf");
});

enhanceForms(document);
explain(document.querySelector(".film"), shelves, document.getElementById("why"));
