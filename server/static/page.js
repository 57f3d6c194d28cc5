// The parts of every page: search suggestions, search by picture, the light and dark themes.

import { dropAnywhere } from "./drop.js";
import { suggest } from "./suggest.js";
import { watchConnection } from "./state.js";

document.querySelector(".theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is switched off: the theme lasts for this page */ }
});
suggest(document.querySelector("form.search"));
const upload = document.querySelector("form.upload");
if (upload) dropAnywhere(upload);
watchConnection();
