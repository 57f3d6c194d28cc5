"""The page of a movie: its neighbours by poster, by taste and by a blend with adjustable weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated

from flask import render_template, url_for
from pydantic import Field

from index.catalogue.catalogue import Movie, MovieFilter
from index.core.errors import NotComparable, SearchUnavailable, UnknownSpace
from index.movie_index import MovieIndex
from index.spaces import blend
from index.spaces.blend import BlendExplanation
from index.spaces.space import Match
from server.api.parsing import parse_page
from server.api.requests import Flag, MovieFilterQuery, Number
from server.middleware.metrics import search_seconds
from server.state.current_snapshot import movie_index

log = logging.getLogger(__name__)

Percent = Annotated[int, Field(ge=0, le=100), Number]

_NEIGHBOURS = 12
_PREVIEW = 480  # pixels: previews show no poster narrower than 200

_SHELVES = (
    ("poster", "Looks like it", "posters"),
    ("taste", "Loved like it", "films"),
    (blend.NAME, "Both, and more", "films"),
)
WORDS = {"poster": "Look", "taste": "Taste", "facts": "Facts"}  # for spaces, in the order of the sliders
_LACKING = {
    "poster": "This film has no poster here, so nothing looks like it. See the films loved like it.",
    "taste": "Nobody had rated this film at the last update, and too little is known to guess what is loved like it.",
    blend.NAME: "There is no poster, no rating and no fact of this film to go by.",
}
_GUESSED = "Loved like it, in all likelihood"  # heading of taste neighbours that are predicted from content
_AWAY = "The search does not answer just now: try again in a minute."
_NOTHING = "No film fits: choose another genre, or more years."
_MISSING = {"poster": "No posters were compared when this snapshot was built."}


class FilmQuery(MovieFilterQuery):
    """Weights of the blend, in percent, and the filter on neighbours; ``distinct`` lists each picture once."""

    poster: Percent | None = None
    taste: Percent | None = None
    facts: Percent | None = None
    distinct: Flag = True


@dataclass(frozen=True, slots=True)
class Share:
    """Contribution of a space to a blended score, as part of a bar."""

    space: str
    start: float  # percent of the bar to the left of the part
    width: float  # percent of the bar; 0 for a contribution below 0


@dataclass(frozen=True, slots=True)
class Bar:
    """Bar of the contributions to a blended score."""

    words: str  # a sum: "Score 5.2: taste 3.1 + facts 2.1"
    shares: list[Share]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Neighbours in one space or the blend, or the reason why there are none."""

    by: str
    heading: str
    pairs: str  # unit of the percentile: share of pairs of posters or of films
    films: list[tuple[Movie, Match, Bar | None]]
    hint: str = ""


def film_page(movie: str) -> str:
    """Show a movie and its neighbours."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    query = parse_page(FilmQuery)
    default = _default_weights(index)
    weights = {name: getattr(query, name) or 0 for name in default}
    if not any(weights.values()):
        weights = default
    where = query.movie_filter(index.catalogue)
    row = index.catalogue.ids.row(found.movie_id)
    return render_template(
        "film.html",
        movie=found,
        preview=preview(index, found),
        rating_count=index.catalogue.rating_counts[row],
        rating_mean=index.catalogue.rating_means[row],
        shelves=[
            _shelf(
                Shelf(by, heading, pairs, []),
                index,
                found,
                where,
                None if by != blend.NAME or weights == default else weights,
                distinct=query.distinct,
            )
            for by, heading, pairs in _SHELVES
        ],
        on_map=index.maps.show(found.movie_id),
        weights_of_blend=weights,
        words=WORDS,
        usual=weights == default,
        query=query,
    )


def preview(index: MovieIndex, movie: Movie) -> dict[str, str]:
    """Return the tags that shared links are shown by: name -> content.

    Addresses are absolute, and the poster is a JPEG: few programs that show links read WebP or AVIF.

    Source: https://ogp.me, https://developer.x.com/en/docs/x-for-websites/cards/overview/markup
    """
    row = index.catalogue.ids.row(movie.movie_id)
    count = int(index.catalogue.rating_counts[row])
    rated = (
        f"★ {index.catalogue.rating_means[row]:.1f} from {count:,} rating{'' if count == 1 else 's'}" if count else ""
    )
    facts = " · ".join(filter(None, (str(movie.year or ""), ", ".join(movie.genres), rated)))
    description = f"{facts}{'. ' if facts else ''}Films that look like it, and films loved like it."
    tags = {
        "description": description,
        "og:site_name": "Posterity",
        "og:type": "video.movie",
        "og:title": str(movie),
        "og:description": description,
        "og:url": url_for("pages.film", movie=movie.movie_id, _external=True),
        "twitter:card": "summary",
        "twitter:title": str(movie),
        "twitter:description": description,
    }
    if index.catalogue.posters[row] is None:
        return tags
    poster = url_for(
        "api.poster",
        movie=movie.movie_id,
        width=_PREVIEW,
        format="jpeg",
        content=index.poster_content(movie.movie_id),
        _external=True,
    )
    words = f"Poster of {movie}"
    return tags | {
        "og:image": poster,
        "og:image:type": "image/jpeg",
        "og:image:alt": words,
        "twitter:image": poster,
        "twitter:image:alt": words,
    }


def bar(blended: BlendExplanation) -> Bar:
    """Return the bar of a blended score, in the order of the sliders. Its widths sum to 100%.

    Its words begin with the largest contribution. Its numbers are hundredths; their sum is the score, rounding aside.
    """
    hundredths = {part.space: round(100 * part.contribution) for part in blended.parts}
    terms = [
        ("−" if value < 0 else "+", f"{WORDS[name].lower()} {abs(value) / 100:.2f}")
        for name, value in hundredths.items()
    ]
    words = " ".join(f"{sign} {term}" for sign, term in terms).removeprefix("+ ")
    total = f"{sum(hundredths.values()) / 100:.2f}".replace("-", "−")
    whole = sum(max(part.contribution, 0.0) for part in blended.parts)
    shares, start = [], 0.0
    for part in sorted(blended.parts, key=lambda part: list(WORDS).index(part.space)):
        width = 100 * max(part.contribution, 0.0) / whole if whole else 0.0
        shares.append(Share(part.space, round(start, 2), round(width, 2)))
        start += width
    return Bar(f"Score {total}: {words}", shares)


def _default_weights(index: MovieIndex) -> dict[str, int]:
    """Return the snapshot's own weights of the blend, by space, from 0 to 100."""
    largest = max(index.manifest.blend.values())
    return {name: round(100 * weight / largest) for name, weight in index.manifest.blend.items()}


def _shelf(
    empty: Shelf,
    index: MovieIndex,
    movie: Movie,
    where: MovieFilter,
    weights: dict[str, int] | None,
    *,
    distinct: bool,
) -> Shelf:
    """Return a shelf with the neighbours of a movie, or with the reason why there are none."""
    by = empty.by
    try:
        with search_seconds(by):
            matches = index.similar(movie.movie_id, _NEIGHBOURS, by=by, where=where, weights=weights, distinct=distinct)
    except NotComparable:
        return replace(empty, hint=_LACKING[by])
    except UnknownSpace:
        return replace(empty, hint=_MISSING.get(by, _LACKING[by]))
    except SearchUnavailable as error:  # the rest of the page does without
        log.warning("a film is shown without %s: %s", by, error)
        return replace(empty, hint=_AWAY)
    bars: Sequence[Bar | None] = [None] * len(matches)
    if by == blend.NAME:
        with suppress(SearchUnavailable):
            found = index.explain_blend(movie.movie_id, (match.movie_id for match in matches), weights)
            bars = [*map(bar, found)]
    films = [(index.catalogue.movie(match.movie_id), match, of) for match, of in zip(matches, bars, strict=True)]
    if by == "taste" and not index.catalogue.rating_counts[index.catalogue.ids.row(movie.movie_id)]:
        empty = replace(empty, heading=_GUESSED)
    return replace(empty, films=films, hint="" if films else _NOTHING)
