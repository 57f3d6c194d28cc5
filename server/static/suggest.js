// Suggestions of films below the search box: a combobox with a listbox (WAI-ARIA 1.2).

import { ask } from "./ask.js";
import { element } from "./state.js";
import { picture } from "./picture.js";
import { site } from "./site.js";

const SHOWN = 8;
const PAUSE = 90; // milliseconds between two keys of a fast typist

/**
 * Add suggestions to a search form. Without a chosen suggestion, Enter searches.
 * `name` is unique to each form of a page. `pick` gets the id of the chosen film; its default opens the film's page.
 */
export function suggest(form, { name = "suggestions", pick = open, slash = true } = {}) {
  const input = form.querySelector("input");
  const list = element("ul", { class: "suggestions", id: name, role: "listbox", "aria-label": "Films", hidden: true });
  const said = element("p", { class: "for-readers", role: "status" });
  form.append(list, said);
  for (const [attribute, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", list.id], ["aria-autocomplete", "list"]]) {
    input.setAttribute(attribute, value);
  }
  let asking = new AbortController();
  let timer = 0;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const chosen = () => list.querySelector("[aria-selected=true]");
  const close = () => {
    clearTimeout(timer);
    asking.abort();
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (option) => {
    chosen()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const take = (option) => {
    pick(Number(option.dataset.movie));
    close();
  };
  const look = async () => {
    const wanted = input.value.trim();
    asking.abort();
    if (!wanted) return close();
    asking = new AbortController();
    let rows;
    try {
      const shelf = form.elements.owned ? "&owned=true" : "";
      const found = await ask(site(`api/v1/movies?limit=${SHOWN}&q=${encodeURIComponent(wanted)}${shelf}`), { signal: asking.signal });
      rows = found.results.map((movie) => row(movie, name));
      said.textContent = `${rows.length} ${rows.length === 1 ? "film fits" : "films fit"}`;
      if (!rows.length) rows = [element("li", { class: "said", role: "presentation" }, [`No film is called “${wanted}”, or anything like it.`])];
    } catch (problem) {
      if (problem.name === "AbortError") return undefined;
      said.textContent = problem.title;
      rows = [element("li", { class: "said bad", role: "presentation" }, [`${problem.title}: ${problem.detail}`])];
    }
    const kept = chosen()?.dataset.movie; // chosen while the request was running
    list.replaceChildren(...rows);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(options().find((option) => option.dataset.movie === kept));
    return undefined;
  };

  input.addEventListener("input", () => {
    choose(null);
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  input.addEventListener("focus", () => input.value.trim() && list.hidden && look());
  input.addEventListener("keydown", (event) => {
    const all = options();
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault(); // otherwise the browser empties the box
      close();
    } else if (["ArrowDown", "ArrowUp"].includes(event.key) && all.length) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = all.indexOf(chosen());
      choose(all[at < 0 && step < 0 ? all.length - 1 : at + step] ?? null);
    } else if (event.key === "Enter" && chosen()) {
      event.preventDefault();
      take(chosen());
    }
  });
  // Runs before the box loses the focus, which closes the list.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || close());
  addEventListener("pageshow", close);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (slash && event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
}

const open = (movieId) => location.assign(site(`movies/${movieId}`));

function row(movie, name) {
  const facts = [movie.year, movie.genres.slice(0, 2).join(", ")].filter(Boolean).join(" · ");
  return element("li", { role: "option", id: `${name}-${movie.movie_id}`, "aria-selected": "false", "data-movie": movie.movie_id }, [
    element("span", { class: "frame" }, [picture(movie, "2.2rem")]),
    element("span", {}, [movie.title]),
    element("span", { class: "detail" }, [facts]),
  ]);
}
