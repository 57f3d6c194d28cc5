// A film's poster, or its title as a placeholder. The same markup as in templates/cards.html.

import { element } from "./state.js";

const WIDTHS = [120, 240, 360, 480];

/** Return the element; `sizes` is the attribute of an img. It has no text alternative: the text beside it names the film. */
export function picture(movie, sizes) {
  if (!movie.has_poster) {
    return element("span", { class: `blank hue${movie.movie_id % 6}`, "aria-hidden": "true" }, [element("span", {}, [movie.title])]);
  }
  const address = (width) => `/api/v1/movies/${movie.movie_id}/poster?width=${width}`;
  return element("img", {
    src: address(240), srcset: WIDTHS.map((width) => `${address(width)} ${width}w`).join(", "), sizes, alt: "", loading: "lazy", decoding: "async",
  });
}
