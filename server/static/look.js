// The result of a search by picture: it can be added to the library as a film, and the guess follows what is known.

import { page } from "./ask.js";
import { enhanceForms } from "./library.js";
import { renew } from "./state.js";

/** Set up the result, once it is part of the page. */
export function enhance(main, file) {
  enhanceForms(main, file);
  const form = main.querySelector(".guess form");
  if (form) follow(form, main.querySelector(".guessed"));
}

/** Renew the guess whenever the form changes. */
function follow(form, guessed) {
  let asking = new AbortController();
  const guess = () =>
    renew(guessed, async () => {
      asking.abort();
      asking = new AbortController();
      const { signal } = asking;
      const found = await page(`${form.action}?${new URLSearchParams(new FormData(form))}`, { signal });
      if (!signal.aborted) guessed.replaceChildren(...found.querySelector(".guessed").childNodes);
    });
  form.addEventListener("change", guess);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guess();
  });
}
