// Stores ratings on the server for a user. The key is kept for this tab, and only on request.

import { ask } from "./ask.js";
import { recall, remember } from "./library.js";
import { site } from "./site.js";
import { element, renew } from "./state.js";

/** Make a form store the ratings that `rated` returns, such as "73:4.5"; `address` is the path of a user's page. */
export function keeping(part, rated, address) {
  const form = part.querySelector("form");
  const { user, key, remember: wanted } = form.elements;
  const said = form.querySelector(".said");
  key.value = recall() ?? "";
  wanted.checked = key.value !== "";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const left = rated();
    const all = left.length;
    // Storing a rating is idempotent, so after an error the rest can be sent again.
    renew(part, async () => {
      while (left.length) {
        said.textContent = `Keeping ${all - left.length + 1} of ${all}…`;
        const at = left[0].lastIndexOf(":");
        await ask(site(`api/v1/users/${encodeURIComponent(user.value)}/ratings/${encodeURIComponent(left[0].slice(0, at))}`), {
          method: "PUT", body: { rating: Number(left[0].slice(at + 1)) }, headers: { Authorization: `Bearer ${key.value.trim()}` },
        });
        left.shift();
      }
      remember(wanted.checked ? key.value.trim() : null);
      const link = element("a", { href: `${address}?user=${encodeURIComponent(user.value)}` }, [`See what user ${user.value} would watch next`]);
      said.replaceChildren(
        `Kept ${all} ${all === 1 ? "rating" : "ratings"} for user ${user.value}. `,
        ...("open" in part.dataset ? [link] : []),
      );
    }).finally(() => { if (left.length) said.textContent = left.length < all ? `Kept ${all - left.length} of ${all}.` : "Nothing was kept."; });
  });
}
