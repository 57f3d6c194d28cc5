// Ratings from elsewhere: an export is dropped or chosen, the server reads it and forgets it, and this browser keeps the
// ratings until the visitor clears them. They are sent with every request of this page.

import { Problem, page } from "./ask.js";
import { forget, keep, kept } from "./kept.js";
import { renew } from "./state.js";

const LARGEST = 50 * 2 ** 20; // bytes; the server's limit

const PREFIX = /^with[0-9]?_/; // of the members of someone to watch with

/** Set up the import of ratings, of the visitor and of someone to watch with.
 *
 * `show(found, words)` shows the other parts of an answered page, `visit(changes, words)` goes to another state of it.
 * Return the function that requests a state of this page with the ratings that are kept, and the one that returns the
 * visitor's own, as texts such as "73:4.5".
 */
export function importing(place, show, visit) {
  const name = place.dataset.address;
  const part = () => place.querySelector("#import");
  const same = (other) => part().querySelector(`.other[data-without="${CSS.escape(other.dataset.without)}"]`);
  const company = () => new URLSearchParams(location.search).getAll("company").flatMap((text) => text.split(",")).filter(Boolean);
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
      const size = added.reduce((sum, [, value]) => sum + (value instanceof File ? value.size : 0), 0);
      if (size > LARGEST) throw new Problem("wrong", "This is too large", `It has ${(size / 2 ** 20).toFixed(1)} MiB; 50 MiB are the most.`);
      const found = await ask(location.href, { added });
      const next = found.querySelector("#import");
      const inputs = [...next.querySelectorAll("#kept input")];
      const { only, both } = mine ?? {};
      mine = inputs.length ? { ...Object.fromEntries(inputs.map((each) => [each.name, each.value])), ...(only && { only }), ...(both && { both }) } : null;
      const stays = mine === null ? (await forget(name), true) : await keep(name, mine);
      if (whole) {
        // What was read from a file earlier is asked for once: the questions about it stay.
        const left = part().querySelector("#found");
        if (left && mine?.source && !next.querySelector("#found")) next.querySelector(".actions")?.before(left);
        for (const other of next.querySelectorAll(".other")) {
          const found = same(other)?.querySelector(".found");
          if (found && !other.querySelector(".found")) other.querySelector(".others").after(found);
        }
        part().replaceWith(next);
      } else {
        part().querySelector("#kept").replaceWith(next.querySelector("#kept"));
        for (const other of next.querySelectorAll(".other")) same(other)?.querySelector(".others")?.replaceWith(other.querySelector(".others"));
      }
      if (!stays) for (const hint of part().querySelectorAll("#kept .needs-script, .others .needs-script")) hint.textContent = "This browser does not keep them: they last until this page is closed.";
      part().querySelector(".status").textContent = "";
      show(found, words || part().querySelector(".counts")?.textContent || "");
    }).finally(() => {
      const status = part().querySelector(".status");
      if (status) status.textContent = "";
    });
  }

  function read(files, member) {
    const heading = member === "file" ? "#kept #importing" : ".company > summary";
    return bring([...files].map((file) => [member, file]), "").then(() => part().querySelector(heading)?.focus({ preventScroll: true }));
  }

  /** Take the chosen films, and remove their questions. */
  function take(chosen) {
    const added = chosen.filter((input) => input.value).map((input) => [input.name, input.value]);
    const list = chosen[0].closest(".uncertain");
    const removed = () => {
      for (const input of chosen) input.closest("li").remove();
      (list.querySelector("li input") ?? part().querySelector("#importing")).focus({ preventScroll: true });
      if (!list.querySelector("li")) list.remove();
    };
    if (!added.length) return removed();
    return bring(added, "", { whole: false }).then(() => part().querySelector(".state.wrong") || removed());
  }

  /** Forget one of the others: by the prefix of an export's members, or by user. */
  async function leave(without) {
    if (PREFIX.test(without)) {
      mine = Object.fromEntries(Object.entries(mine ?? {}).filter(([member]) => !member.startsWith(without) && member !== "both"));
      if (!Object.keys(mine).some((member) => member !== "only")) mine = null;
      await bring([], "Without them");
    } else {
      await visit({ company: company().filter((user) => user !== without).join(",") }, "Without them");
    }
    part().querySelector(".company > summary").focus({ preventScroll: true });
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
    if (target.type === "file" && target.files.length) read(target.files, target.name);
    if (target.name === "together") visit({ together: target.value }, target.parentElement.textContent.trim());
    else if (target.type === "radio" && !byKey) take([target]);
    if (target.name === "company" && target.value.trim()) {
      visit({ company: [...new Set([...company(), target.value.trim()])].join(",") }).then(() => part().querySelector(".company > summary").focus({ preventScroll: true }));
    }
    if (target.type === "checkbox") {
      mine = { ...mine, [target.name]: target.checked ? "on" : "" };
      if (!target.checked) delete mine[target.name];
      bring([], target.parentElement.textContent.trim() + (target.checked ? "" : ": no longer"), { whole: false });
    }
  });
  place.addEventListener("click", ({ target }) => {
    if (target.matches("#import .forget")) clear();
    if (target.matches("#import .alone")) leave(target.closest(".other").dataset.without);
    if (target.matches("#import .first")) take([...target.closest(".uncertain").querySelectorAll("li")].map((each) => each.querySelector("input")));
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
    if (chosen.length) take(chosen.filter((input) => input.closest(".uncertain") === chosen[0].closest(".uncertain")));
    else if (event.submitter?.closest(".company")) part().querySelector(".field [name=company]")?.focus();
  });

  // Files that are no pictures, dropped anywhere on this page; pictures are compared with posters, as on every page.
  const isExport = (event) => [...(event.dataTransfer?.items ?? [])].some(({ kind, type }) => kind === "file" && !type.startsWith("image/"));
  for (const type of ["dragover", "dragleave", "drop"]) {
    addEventListener(type, (event) => {
      if (!isExport(event)) return;
      event.preventDefault();
      event.stopPropagation();
      part().classList.toggle("over", type === "dragover" || (type === "dragleave" && event.relatedTarget !== null));
      if (type === "drop") read(event.dataTransfer.files, event.target.closest?.(".other, .company")?.querySelector(":scope > label input[type=file], :scope > .row input[type=file]")?.name ?? "file");
    }, true);
  }

  kept(name).then((record) => {
    if (!record || mine) return;
    mine = record;
    bring([], "");
  });
  return { ask, ratings: () => (mine?.ratings ?? "").split(",").filter(Boolean) };
}
