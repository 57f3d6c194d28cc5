"""The web page: search, pick a film, see what is like it by look and by taste; or drop a poster."""

from __future__ import annotations

import base64

from flask import Blueprint, current_app, g, render_template, request

from index.catalogue import Movie
from index.errors import UnknownMovie, UnknownSpace
from index.images import decode_image, thumbnail
from index.movie_index import MovieIndex
from index.present import UNTRAINED_NOTICE, percent
from index.space import Match
from server.metrics import search_seconds
from server.served import movie_index
from server.uploads import UploadQueue, uploaded_picture

pages = Blueprint("pages", __name__)

TMDB_NOTICE = "This product uses the TMDB API but is not endorsed or certified by TMDB."

_SHOWN = 48  # films on the first page and search results
_NEIGHBOURS = 12


pages.add_app_template_filter(percent)


@pages.app_context_processor
def everywhere() -> dict[str, object]:
    """What every page shows: the data set's terms and which weights posters are compared with."""
    # A page that says that the library cannot be read is a page, too.
    index: MovieIndex = g.get("movie_index") or current_app.extensions["served"].latest()
    weights = index.manifest.weights
    return {
        "manifest": index.manifest,
        "catalogue": index.catalogue,
        "has_poster": lambda movie: _has_poster(index, movie),
        "weights": None if weights is None else weights["name"],
        "untrained_notice": UNTRAINED_NOTICE,
        "tmdb_notice": TMDB_NOTICE,
        "can_look": "poster" in index.spaces,
    }


@pages.get("/")
def home() -> str:
    """Search results, or the films that most people know."""
    index = movie_index()
    wanted = request.args.get("q", "").strip()[:200]
    movies = index.catalogue.search(wanted, _SHOWN) if wanted else index.catalogue.best_known(_SHOWN)
    return render_template("home.html", q=wanted, movies=movies)


@pages.get("/movies/<movie>")
def film(movie: str) -> str:
    """A film and its neighbours."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    row = index.catalogue.ids.row(found.movie_id)
    return render_template(
        "film.html",
        movie=found,
        rating_count=index.catalogue.rating_counts[row],
        rating_mean=index.catalogue.rating_means[row],
        by_look=_neighbours(index, found, "poster"),
        by_taste=_neighbours(index, found, "taste"),
    )


@pages.post("/look")
def look() -> str:
    """Films whose posters look like an uploaded picture."""
    index = movie_index()
    picture = uploaded_picture()
    queue: UploadQueue = current_app.extensions["upload_queue"]

    def compared() -> tuple[list[Match], bytes]:
        with search_seconds("picture"):
            matches = index.similar_to_poster(picture, _NEIGHBOURS * 2)
        return matches, thumbnail(decode_image(picture))

    matches, small = queue.run(compared)
    preview = base64.b64encode(small).decode()
    return render_template("look.html", preview=preview, matches=_with_movies(index, matches))


def _neighbours(index: MovieIndex, movie: Movie, by: str) -> list[tuple[Movie, Match]]:
    try:
        with search_seconds(by):
            matches = index.similar(movie.movie_id, _NEIGHBOURS, by=by)
    except (UnknownMovie, UnknownSpace):
        return []
    return _with_movies(index, matches)


def _with_movies(index: MovieIndex, matches: list[Match]) -> list[tuple[Movie, Match]]:
    return [(index.catalogue.movie(match.movie_id), match) for match in matches]


def _has_poster(index: MovieIndex, movie: Movie) -> bool:
    return index.catalogue.posters[index.catalogue.ids.row(movie.movie_id)] is not None
