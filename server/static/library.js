// Films added, changed and removed, with a key. It is kept for this tab alone, and only where that was asked for.

import { ask } from "./ask.js";
import { renew } from "./state.js";

const KEPT = "posterity-key";

/** Makes the film forms below `root` work. `poster` is the file that goes with each, where there is one already. */
export function enhanceForms(root, poster = null) {
  for (const form of root.querySelectorAll("form.movie-form")) {
    const kept = recall();
    if (kept) {
      form.elements.key.value = kept;
      form.elements.remember.checked = true;
    }
    // The same for as long as this page is: pressed twice, a film is added once.
    const once = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      renew(form, async () => {
        const done = await send(form, form.dataset.method, body(form, poster), form.dataset.method === "POST" ? { "Idempotency-Key": once } : {});
        // Whatever the browser has kept of the poster is old.
        await fetch(`/api/v1/movies/${done.movie.movie_id}/poster?width=240`, { cache: "reload" }).catch(() => {});
        location.assign(`/movies/${done.movie.movie_id}`);
      });
    });
    form.querySelector(".remove")?.addEventListener("click", (event) => {
      if (!form.reportValidity()) return;
      if (!event.target.dataset.sure) {
        event.target.dataset.sure = "yes";
        event.target.textContent = "Remove it, with its ratings";
        return;
      }
      renew(form, async () => {
        await send(form, "DELETE");
        location.assign("/");
      });
    });
  }
}

function body(form, poster) {
  const data = new FormData(form);
  data.delete("key");
  data.delete("remember");
  if (poster) data.set("poster", poster);
  else if (!data.get("poster")?.size) data.delete("poster");
  return data;
}

async function send(form, method, data, headers = {}) {
  const key = form.elements.key.value.trim();
  const done = await ask(form.getAttribute("action"), { form: data, method, headers: { ...headers, Authorization: `Bearer ${key}` } });
  remember(form.elements.remember.checked ? key : null);
  return done;
}

/** Keeps a key for this tab, or none. */
export function remember(key) {
  try {
    if (key === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, key);
  } catch { /* storage is switched off */ }
}

/** The key that is kept for this tab; null where there is none. */
export function recall() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
