// The result of a search by picture, which can be added to the library as a film.

import { enhanceForms } from "./library.js";

/** Set up the result, once it is part of the page. */
export function enhance(main, file) {
  enhanceForms(main, file);
}
