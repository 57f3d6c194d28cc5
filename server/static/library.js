// Adds, changes and removes films, with an API key. The key is kept for this tab alone, and only on request.

import { ask } from "./ask.js";
import { site } from "./site.js";
import { renew } from "./state.js";

const KEPT = "posterity-key";

// Values of a merge patch by field: null deletes one.
const VALUES = {
  title: (text) => text,
  year: (text) => (text ? Number(text) : null),
  genres: (text) => text.split(",").map((genre) => genre.trim()).filter(Boolean),
  imdb_id: (text) => text || null,
  tmdb_id: (text) => (text ? Number(text) : null),
};

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
        const done = form.dataset.method === "PATCH" ? await change(form) : await send(form, { method: "POST", form: body(form, poster), headers: { "Idempotency-Key": once } });
        location.assign(site(`movies/${done.movie.movie_id}`));
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
        await send(form, { method: "DELETE" });
        location.assign(site(""));
      });
    });
  }
}

function body(form, poster) {
  const data = new FormData(form);
  data.delete("key");
  data.delete("remember");
  if (poster) data.set("poster", poster);
  return data;
}

/** Send the changed fields as a JSON merge patch, so that no one else's change is undone; then another poster. */
async function change(form) {
  const patch = {};
  for (const { name, value, defaultValue } of form.querySelectorAll("[name]:not([type=file], [name=key], [name=remember])")) {
    if (value !== defaultValue) patch[name] = VALUES[name](value.trim());
  }
  const done = await send(form, { method: "PATCH", body: patch });
  const [file] = form.elements.poster.files;
  if (!file) return done;
  const data = new FormData();
  data.set("poster", file);
  return send(form, { method: "PUT", form: data }, "/poster");
}

async function send(form, options, more = "") {
  const key = form.elements.key.value.trim();
  const headers = { ...options.headers, Authorization: `Bearer ${key}` };
  const done = await ask(form.getAttribute("action") + more, { ...options, headers });
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
