// Stores ratings on the server for a user, and deletes them again. The key is kept for this tab, and only on request.

import { ask } from "./ask.js";
import { recall, remember } from "./library.js";
import { site } from "./site.js";
import { element, renew } from "./state.js";

/** Make a form store the ratings that `rated` returns, such as "73:4.5"; `address` is the path of a user's page. */
export function keeping(part, rated, address) {
  const form = part.querySelector("form");
  const { user, key, remember: wanted } = form.elements;
  const said = form.querySelector(".said");
  const away = form.querySelector(".delete");
  key.value = recall() ?? "";
  wanted.checked = key.value !== "";

  async function send(options) {
    const headers = { Authorization: `Bearer ${key.value.trim()}` };
    const done = await ask(site(`api/v1/users/${encodeURIComponent(user.value)}/ratings`), { ...options, headers });
    remember(wanted.checked ? key.value.trim() : null);
    return done;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    said.textContent = "";
    renew(part, async () => {
      const ratings = rated().map((text) => {
        const at = text.lastIndexOf(":");
        return { movie: text.slice(0, at), rating: Number(text.slice(at + 1)) };
      });
      const { stored, ignored } = await send({ body: { ratings } });
      const link = element("a", { href: `${address}?user=${encodeURIComponent(user.value)}` }, [`See what user ${user.value} would watch next`]);
      said.replaceChildren(
        `Kept ${stored} ${stored === 1 ? "rating" : "ratings"} for user ${user.value}. `,
        ignored.length ? `${ignored.length} are of films that are not here. ` : "",
        ...("open" in part.dataset ? [link] : []),
      );
    }).finally(() => { said.textContent ||= "Nothing was kept."; });
  });
  away.addEventListener("click", () => {
    if (!form.reportValidity()) return;
    const sure = `Delete all ratings of user ${user.value}`;
    if (away.textContent !== sure) {
      away.textContent = sure;
      return;
    }
    said.textContent = "";
    renew(part, async () => {
      await send({ method: "DELETE" });
      away.textContent = "Delete them again";
      said.textContent = `User ${user.value} has no ratings on this server any more.`;
    });
  });
  user.addEventListener("input", () => { away.textContent = "Delete them again"; });
}
