// A film's poster, or its title as a placeholder. The same markup as in templates/cards.html.

import { site } from "./site.js";
import { element } from "./state.js";

const WIDTHS = [120, 240, 360, 480];

/** Return the address of a poster; one of a known `content` is requested once. */
export const posterOf = (id, width, content) =>
  site(`api/v1/movies/${id}/poster?width=${width}${content ? `&content=${content}` : ""}`);

/** Return the element; `sizes` is the attribute of an img. It has no text alternative: the text beside it names the film. */
export function picture(movie, sizes) {
  if (!movie.has_poster) {
    return element("span", { class: `blank hue${movie.movie_id % 6}`, "aria-hidden": "true" }, [element("span", {}, [movie.title])]);
  }
  const address = (width) => posterOf(movie.movie_id, width, movie.poster_content);
  return element("img", {
    src: address(240), srcset: WIDTHS.map((width) => `${address(width)} ${width}w`).join(", "), sizes, alt: "", loading: "lazy", decoding: "async",
  });
}
