"""The web page: the blueprint of all pages, and the home page.

Every state of the page has an address and works without scripts. Scripts request the same addresses and replace parts
of the page with parts of the response.
"""

from __future__ import annotations

from flask import Blueprint, current_app, g, render_template, request

from index.answers.serialize import UNTRAINED_NOTICE, percent
from index.catalogue.catalogue import Movie
from index.movie_index import MovieIndex
from server.pages.embed import embed_page
from server.pages.feed import ratings_feed, user_feed
from server.pages.film import film_page
from server.pages.for_you import for_you_page, recommendations_file
from server.pages.map import map_page
from server.pages.picture import guess_page, look, look_form
from server.pages.quality import quality_page
from server.pages.shelf import is_marked, tells_apart
from server.state.current_snapshot import movie_index

pages = Blueprint("pages", __name__)

TMDB_NOTICE = "This product uses the TMDB API but is not endorsed or certified by TMDB."

# Endpoint and label of the links in every page's header.
SECTIONS: tuple[tuple[str, str], ...] = (
    ("pages.for_you", "For you"),
    ("pages.map", "Map"),
    ("pages.quality", "How good is it"),
)

_SHOWN = 60  # films on the first page and search results


def _is_marked(movie: Movie) -> bool:
    """Return True for a movie to mark: on a list of the shelf alone, marks would say nothing and cover the posters."""
    alone = request.endpoint != "pages.film" and request.values.get("owned") == "true"  # of a form, too
    return not alone and is_marked(movie_index(), movie)


pages.add_app_template_filter(percent)
pages.add_app_template_test(_is_marked, "marked")
pages.add_url_rule("/movies/<movie>", "film", film_page)
pages.add_url_rule("/embed/movies/<movie>", "embed", embed_page)
pages.add_url_rule("/for-you", "for_you", for_you_page, methods=["GET", "POST"])
pages.add_url_rule("/for-you/feed.atom", "feed", ratings_feed)
pages.add_url_rule("/users/<user>/feed.atom", "user_feed", user_feed)
pages.add_url_rule("/for-you/recommendations.csv", "recommendations", recommendations_file, methods=["POST"])
pages.add_url_rule("/quality", "quality", quality_page)
pages.add_url_rule("/map", "map", map_page)
pages.add_url_rule("/look", "look_form", look_form)
pages.add_url_rule("/look", "look", look, methods=["POST"])
pages.add_url_rule("/look/guess", "guess", guess_page)


@pages.app_context_processor
def everywhere() -> dict[str, object]:
    """Return the variables of every template: the manifest, notices and links."""
    # The page of an error needs an index, too, even if the library cannot be read.
    index: MovieIndex = g.get("movie_index") or current_app.extensions["snapshot_watcher"].latest()
    weights = index.manifest.weights
    return {
        "manifest": index.manifest,
        "catalogue": index.catalogue,
        "poster_of": lambda movie: _poster_of(index, movie),
        "weights": None if weights is None else weights["name"],
        "untrained_notice": UNTRAINED_NOTICE,
        "tmdb_notice": TMDB_NOTICE,
        "can_look": "poster" in index.spaces,
        "has_shelf": tells_apart(index.catalogue),
        "can_write": current_app.extensions["config"].takes_writes,
        "sections": SECTIONS,
    }


@pages.get("/")
def home() -> str:
    """Show search results, or the most rated movies."""
    index = movie_index()
    wanted = request.args.get("q", "").strip()[:200]
    catalogue = index.catalogue
    owned = (request.args.get("owned") == "true" and catalogue.owned is not None) or None
    if wanted:
        movies = catalogue.search(wanted, _SHOWN, owned=owned)
    else:
        movies = catalogue.best_known(_SHOWN, catalogue.owned if owned else None)
    named = bool(movies) and movies[0].source_id == wanted  # an id of the data set
    exact = named or not wanted or bool(set(movies).intersection(catalogue.titled(wanted)))
    return render_template("home.html", q=wanted, movies=movies, exact=exact, owned=owned)


def _poster_of(index: MovieIndex, movie: Movie) -> dict[str, str | None] | None:
    """Return the parameters of the address of a movie's poster as it is now; None without a poster."""
    if index.catalogue.posters[index.catalogue.ids.row(movie.movie_id)] is None:
        return None
    return {"content": index.poster_content(movie.movie_id)}
