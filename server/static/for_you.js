// The page "For you": the next film replaces a rated one, and the recommendations follow. The state of the page is its
// address, so "back" undoes a rating. The server renders every part.

import { importing } from "./imports.js";
import { keeping } from "./keep.js";
import { renew } from "./state.js";

const place = document.querySelector(".for-you");
const deck = place.querySelector(".deck");
const picking = place.querySelector(".picking");
const told = document.getElementById("told");
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const leaving = new Map(); // film id -> animation of its leaving card
let shown = location.search; // query of the state that is shown or loading
let asking = new AbortController();
let byKey = false; // true while a key is held down on the stars, which then only choose

/** Return the state in the address: user, someone to watch with, the order for two, and the lists rated and skipped. */
function state() {
  const given = new URLSearchParams(location.search);
  const list = (name) => given.getAll(name).flatMap((text) => text.split(",")).filter(Boolean);
  const one = (name) => given.get(name) ?? "";
  return { user: one("user"), company: list("company").join(","), together: one("together"), rated: list("rated"), skipped: list("skipped"), owned: one("owned") };
}

/** Return the address of a state. */
function address({ user, company, together, rated, skipped, owned }) {
  const users = { user: encodeURIComponent(user), company: company.split(",").map(encodeURIComponent).join(","), together: together === "mean" ? "" : together };
  const parts = { ...users, rated: rated.join(","), skipped: skipped.join(","), owned };
  const asked = Object.entries(parts).filter(([, text]) => text !== "").map(([name, text]) => `${name}=${text}`);
  return place.dataset.address + (asked.length ? `?${asked.join("&")}` : "");
}

/** Go to another state of this page, and announce `words` to screen readers. Resolve once it is shown. */
function go(wanted, words) {
  history.pushState(null, "", wanted);
  return follow(words);
}

/** Show the state in the address. */
function follow(words = "") {
  shown = location.search;
  return renew(picking, async () => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const found = await imports.ask(location.href, { signal });
    await Promise.all([...leaving.values()].map((each) => each.finished.catch(() => null)));
    if (!signal.aborted) show(found, words);
  });
}

/** Show an answered page in place of this one, and announce `words` to screen readers. */
function show(found, words) {
  const back = rememberFocus();
  deal(found.querySelector(".deck"));
  found.querySelector(".keep")?.replaceWith(place.querySelector(".keep") ?? enhanced(found.querySelector(".keep")));
  for (const selector of ["#stand", ".as-user", "#rated"]) place.querySelector(selector).replaceWith(found.querySelector(selector));
  pick(found.querySelector(".picking"));
  const company = found.querySelector("#import .company"); // none if it is shown already
  const before = place.querySelector("#import .company");
  if (company && before.dataset.company !== company.dataset.company) before.replaceWith(company);
  const order = company?.querySelector("[name=together]:checked")?.value;
  for (const each of place.querySelectorAll("#import [name=together]")) each.checked = order ? each.value === order : each.checked;
  back();
  told.textContent = [words, found.querySelector(".said.bad")?.textContent.trim(), picking.querySelector("h2").textContent, picking.querySelector("li h3 a")?.textContent]
    .filter(Boolean).join(". ");
}

// First, as it takes the events of its own part.
const imports = importing(
  place,
  (found, words) => {
    asking.abort();
    show(found, words);
  },
  (changes, words = "") => go(address({ ...state(), ...changes }), words),
);

/** Return the visitor's ratings, as texts such as "73:4.5": those in the address, then the imported ones. */
function ratings() {
  const rated = state().rated;
  const films = new Set(rated.map((text) => text.slice(0, text.lastIndexOf(":"))));
  return [...rated, ...imports.ratings().filter((text) => !films.has(text.slice(0, text.lastIndexOf(":"))))];
}

/** Keep the places of cards that stay, so that the next film replaces the rated one. */
function deal(next) {
  place.querySelector(".asking > .state")?.remove();
  if (!next.children.length) deck.before(next.closest(".asking").querySelector(".state"));
  const wanted = new Set([...next.children].map((card) => card.dataset.movie));
  const shown = new Map([...deck.children].map((card) => [card.dataset.movie, card]));
  const coming = [...next.children].filter((card) => !shown.has(card.dataset.movie));
  for (const [film, card] of shown) {
    leaving.get(film)?.cancel();
    leaving.delete(film);
    card.inert = false;
    if (wanted.has(film)) continue;
    const instead = coming.shift();
    if (!instead) {
      card.remove();
      continue;
    }
    card.replaceWith(instead);
    arrive(instead);
  }
  deck.append(...coming);
  coming.forEach(arrive);
}

/** Move recommendations that stay to their new places; fade others in and out. */
function pick(next) {
  const list = picking.querySelector(".picks");
  const films = next.querySelector(".picks");
  if (!list || !films) return picking.replaceChildren(...next.childNodes);
  const before = new Map([...list.children].map((each) => [each.dataset.movie, each]));
  const places = new Map([...before].map(([film, each]) => [film, each.getBoundingClientRect()]));
  for (const each of films.children) {
    const kept = before.get(each.dataset.movie);
    if (!kept) continue;
    each.querySelector(".frame").replaceWith(kept.querySelector(".frame")); // the poster is loaded already
    const open = kept.querySelector("details")?.open;
    if (open && each.querySelector("details")) each.querySelector("details").open = true;
  }
  picking.querySelector("h2").textContent = next.querySelector("h2").textContent;
  picking.querySelector(".whose")?.replaceWith(next.querySelector(".whose"));
  list.replaceChildren(...films.children);
  picking.querySelector(".unrated").replaceWith(next.querySelector(".unrated"));
  picking.querySelector(".hint")?.replaceWith(next.querySelector(".hint"));
  if (still()) return undefined;
  for (const each of list.children) {
    const from = places.get(each.dataset.movie);
    const to = each.getBoundingClientRect();
    const steps = from ? [{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: "none" }] : [{ opacity: 0 }, { opacity: 1 }];
    each.animate(steps, { duration: 260, easing: "cubic-bezier(.2, .8, .2, 1)" });
  }
  return undefined;
}

/** Fade in a card that is on the page already: an animation that begins in the fetched document stays at its first step. */
function arrive(card) {
  if (!still()) card.animate([{ opacity: 0, transform: "translateY(.8rem)" }, { opacity: 1, transform: "none" }], { duration: 220, easing: "ease-out" });
}

function leave(card) {
  if (!card.closest(".deck")) return;
  const steps = [{ opacity: 1 }, { opacity: 0, transform: "translateY(-1rem) scale(.95)" }];
  leaving.set(card.dataset.movie, card.animate(steps, { duration: still() ? 0 : 160, easing: "ease-in", fill: "forwards" }));
}

/** Return a function that restores the focus, to the same element or to the one that replaced it. */
function rememberFocus() {
  const held = document.activeElement;
  const list = held?.closest(".deck, .given");
  if (!list) {
    const inside = held?.closest(".for-you");
    return () => inside && !held.isConnected && document.getElementById("asking").focus({ preventScroll: true });
  }
  const at = [...list.children].indexOf(held.closest("li"));
  const name = list.classList[0];
  return () => {
    if (held.isConnected && document.activeElement === held) return;
    const items = place.querySelectorAll(`.${name} > li`);
    const item = items[Math.min(at, items.length - 1)];
    (item?.querySelector("input:checked") ?? item?.querySelector(".stars input") ?? document.getElementById("asking")).focus({ preventScroll: true });
  };
}

/** Rate the film of a card with its chosen stars. */
function rate(form) {
  const card = form.closest("li");
  const chosen = form.querySelector(".stars input:checked");
  if (!chosen) return;
  const { rated, ...rest } = state();
  const film = card.dataset.movie;
  const at = rated.findIndex((text) => text.slice(0, text.lastIndexOf(":")) === film);
  if (rated[at] === chosen.value) return;
  const now = at < 0 ? [...rated, chosen.value] : rated.with(at, chosen.value);
  leave(card);
  go(address({ ...rest, rated: now }), `Rated ${card.dataset.title}: ${chosen.parentElement.title}`);
}

function skip(card) {
  const { skipped, ...rest } = state();
  leave(card);
  go(address({ ...rest, skipped: [...skipped, card.dataset.movie] }), `Skipped ${card.dataset.title}`);
}

/** Show under the stars the rating that the pointer is over or a key has chosen. */
function say(label, words = "") {
  const chosen = label?.closest("form").querySelector(".chosen");
  if (!chosen) return;
  chosen.dataset.before ??= chosen.textContent;
  chosen.textContent = `${label.title}${words}`;
}

function unsay(stars) {
  const chosen = stars.closest("form").querySelector(".chosen");
  if (chosen.dataset.before !== undefined) chosen.textContent = chosen.dataset.before;
}

/** Set up the form that stores ratings. Typed values survive a new state of the page. */
function enhanced(keep) {
  keeping(keep, ratings, place.dataset.address);
  return keep;
}

// Arrow keys choose stars and Enter rates; a click rates at once.
place.addEventListener("keydown", (event) => {
  const stars = event.target.closest(".stars");
  if (!stars) return;
  byKey = event.key.startsWith("Arrow") || event.key === " ";
  if (event.key === "Enter" || (event.key === " " && event.target.checked)) {
    event.preventDefault();
    rate(stars.closest("form"));
  }
});
addEventListener("keyup", () => { byKey = false; });
place.addEventListener("change", (event) => {
  const stars = event.target.closest(".stars");
  if (!stars) return;
  if (byKey) say(event.target.closest("label"), ": Enter rates");
  else rate(stars.closest("form"));
});
place.addEventListener("pointerover", (event) => event.pointerType === "mouse" && say(event.target.closest(".stars label")));
place.addEventListener("pointerout", (event) => event.pointerType === "mouse" && event.target.closest(".stars") && unsay(event.target.closest(".stars")));
place.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.closest(".keep")) return;
  event.preventDefault();
  if (form.matches(".as-user")) go(address({ ...state(), user: form.elements.user.value }), "");
  else if (event.submitter?.name === "skipped") skip(form.closest("li"));
  else rate(form);
});
place.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (!link || link.pathname !== place.dataset.address || !plain) return;
  event.preventDefault();
  go(link.getAttribute("href"), link.getAttribute("aria-label") ?? link.textContent);
});
// Not if only the fragment of the address changes.
addEventListener("popstate", () => place.isConnected && location.search !== shown && follow("As it was"));
if (place.querySelector(".keep")) enhanced(place.querySelector(".keep"));
