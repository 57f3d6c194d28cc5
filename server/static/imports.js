// Ratings from elsewhere: an export is dropped or chosen, the server reads it and forgets it, and this browser keeps the
// ratings until the visitor clears them. They are sent with every request of this page.

import { Problem, page } from "./ask.js";
import { forget, keep, kept } from "./kept.js";
import { renew } from "./state.js";

const LARGEST = 50 * 2 ** 20; // bytes; the server's limit

/** Set up the import of ratings; `show(found, words)` shows the other parts of an answered page.
 *
 * Return the function that requests a state of this page, with the ratings that are kept.
 */
export function importing(place, show) {
  const name = place.dataset.address;
  const part = () => place.querySelector("#import");
  let mine = null; // members of the form, by name

  function ask(address, { signal, added = [] } = {}) {
    const members = [...Object.entries(mine ?? {}), ...added];
    if (!members.length) return page(address, { signal });
    const body = new FormData();
    for (const [member, value] of members) body.append(member, value);
    return page(address, { method: "POST", body, signal });
  }

  /** Request the page with more members, keep the ratings in it and show it; of the import its state or all of it. */
  function bring(added, words, { whole = true } = {}) {
    return renew(part(), async () => {
      part().querySelector(".status").textContent = "Reading it…";
      const file = added.find(([, value]) => value instanceof File)?.[1];
      if (file?.size > LARGEST) throw new Problem("wrong", "This file is too large", `It has ${(file.size / 2 ** 20).toFixed(1)} MiB; 50 MiB are the most.`);
      const found = await ask(location.href, { added });
      const next = found.querySelector("#import");
      const inputs = [...next.querySelectorAll("#kept input")];
      mine = inputs.length ? { ...Object.fromEntries(inputs.map((each) => [each.name, each.value])), ...(mine?.only && { only: "on" }) } : null;
      const stays = mine === null || (await keep(name, mine));
      if (whole) part().replaceWith(next);
      else part().querySelector("#kept").replaceWith(next.querySelector("#kept"));
      if (!stays) part().querySelector("#kept .needs-script").textContent = "This browser does not keep them: they last until this page is closed.";
      part().querySelector(".status").textContent = "";
      show(found, words || part().querySelector(".counts")?.textContent || "");
    }).finally(() => {
      const status = part().querySelector(".status");
      if (status) status.textContent = "";
    });
  }

  function read(file) {
    return bring([["file", file]], "").then(() => part().querySelector("#kept #importing")?.focus({ preventScroll: true }));
  }

  /** Take the chosen films, and remove their questions. */
  function take(chosen) {
    const added = chosen.filter((input) => input.value).map((input) => [input.name, input.value]);
    const list = part().querySelector(".uncertain");
    const removed = () => {
      for (const input of chosen) input.closest("li").remove();
      (list.querySelector("li input") ?? part().querySelector("#importing")).focus({ preventScroll: true });
      if (!list.querySelector("li")) list.remove();
    };
    if (!added.length) return removed();
    return bring(added, "", { whole: false }).then(() => part().querySelector(".state.wrong") || removed());
  }

  async function clear() {
    mine = null;
    await forget(name);
    await bring([], "Your ratings are cleared");
    part().querySelector("input")?.focus({ preventScroll: true });
  }

  let byKey = false; // true while an arrow key is held down, which only chooses
  place.addEventListener("keydown", (event) => { byKey = event.key.startsWith("Arrow"); });
  addEventListener("keyup", () => { byKey = false; });
  place.addEventListener("change", ({ target }) => {
    if (!target.closest("#import")) return;
    if (target.type === "file" && target.files.length) read(target.files[0]);
    if (target.type === "radio" && !byKey) take([target]);
    if (target.type === "checkbox") {
      mine = { ...mine, only: target.checked ? "on" : "" };
      if (!target.checked) delete mine.only;
      bring([], target.checked ? "Only your watchlist" : "All films", { whole: false });
    }
  });
  place.addEventListener("click", ({ target }) => {
    if (target.matches("#import .forget")) clear();
    if (target.matches("#import .first")) take([...part().querySelectorAll(".uncertain li")].map((each) => each.querySelector("input")));
  });
  // Before others see the event: the rest of the page takes rated films by it.
  place.addEventListener("submit", (event) => {
    if (!event.target.closest("#import")) return;
    event.stopImmediatePropagation();
    if (event.submitter?.matches(".list")) {
      event.submitter.formAction = event.submitter.formAction.split("?")[0] + location.search;
      return;
    }
    event.preventDefault();
    const chosen = [...event.target.querySelectorAll(".uncertain input:checked")];
    if (chosen.length) take(chosen);
  });

  // Files that are no pictures, dropped anywhere on this page; pictures are compared with posters, as on every page.
  const isExport = (event) => [...(event.dataTransfer?.items ?? [])].some(({ kind, type }) => kind === "file" && !type.startsWith("image/"));
  for (const type of ["dragover", "dragleave", "drop"]) {
    addEventListener(type, (event) => {
      if (!isExport(event)) return;
      event.preventDefault();
      event.stopPropagation();
      part().classList.toggle("over", type === "dragover" || (type === "dragleave" && event.relatedTarget !== null));
      if (type === "drop") read(event.dataTransfer.files[0]);
    }, true);
  }

  kept(name).then((record) => {
    if (!record || mine) return;
    mine = record;
    bring([], "");
  });
  return ask;
}
