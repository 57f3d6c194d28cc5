// What a dropped picture is like: it can be added to the library as a film.

import { enhanceForms } from "./library.js";

/** Makes the answer to a picture work, once it is part of the page. */
export function enhance(main, file) {
  enhanceForms(main, file);
}
