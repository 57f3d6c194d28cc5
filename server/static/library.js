// Adds, changes and removes films, with an API key. The key is kept for this tab alone, and only on request.

import { ask } from "./ask.js";
import { renew } from "./state.js";

const KEPT = "posterity-key";

/** Set up the film forms below `root`. `poster` is a file to send with each. */
export function enhanceForms(root, poster = null) {
  for (const form of root.querySelectorAll("form.movie-form")) {
    const kept = recall();
    if (kept) {
      form.elements.key.value = kept;
      form.elements.remember.checked = true;
    }
    // One key per page: a button pressed twice adds a film once.
    const once = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      renew(form, async () => {
        const done = await send(form, form.dataset.method, body(form, poster), form.dataset.method === "POST" ? { "Idempotency-Key": once } : {});
        // The browser's cached poster is stale.
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

/** Keep a key for this tab, or forget it. */
export function remember(key) {
  try {
    if (key === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, key);
  } catch { /* storage is switched off */ }
}

/** Return the key that is kept for this tab, or null. */
export function recall() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
