"""What is said of movies, matches and predictions: the same in the command and over HTTP.

As plain values for JSON; of two posters also as a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from index.answers.schemas import (
    ExplanationAnswer,
    LookAnswer,
    MatchAnswer,
    MatchId,
    MovieAnswer,
    MovieId,
    PredictionAnswer,
    PredictionId,
    Provenance,
    TasteAnswer,
)
from index.catalogue.catalogue import Movie
from index.core.errors import BadImage, UnknownMovie
from index.explain.figure import Panel, draw
from index.explain.look import LookExplanation
from index.explain.taste import TasteExplanation
from index.movie_index import MovieIndex
from index.posters.duplicates import Duplicates
from index.posters.images import decode_image, read_image
from index.ratings.model import INTERVAL, Explanation, Prediction
from index.spaces.space import Match

UNTRAINED_NOTICE = (
    "Posters are compared with untrained weights: good for trying things out, not for judging the answers."
    " For those, build with ImageNet weights."
)


def present_movie(index: MovieIndex, movie: Movie) -> MovieAnswer:
    """A movie with what ratings say of it."""
    catalogue = index.catalogue
    row = catalogue.ids.row(movie.movie_id)
    return {
        "movie_id": movie.movie_id,
        "title": movie.title,
        "year": movie.year,
        "genres": list(movie.genres),
        "imdb_id": movie.imdb_id,
        "tmdb_id": movie.tmdb_id,
        "rating_count": catalogue.rating_counts[row],
        "rating_mean": catalogue.rating_means[row],
        "has_poster": catalogue.posters[row] is not None,
    }


def present_matches(index: MovieIndex, matches: Iterable[Match]) -> list[MatchAnswer]:
    """Movies found, best first."""
    return [
        {
            "movie": present_movie(index, index.catalogue.movie(match.movie_id)),
            "score": round(match.score, 6),
            "percentile": round(match.percentile, 6),
            "spaces": list(match.spaces),
        }
        for match in matches
    ]


def present_predictions(index: MovieIndex, predictions: Iterable[Prediction]) -> list[PredictionAnswer]:
    """Predicted ratings with their interval, in the order given."""
    return [
        {
            "movie": present_movie(index, index.catalogue.movie(prediction.movie_id)),
            "rating": round(prediction.rating, 3),
            "low": round(prediction.low, 3),
            "high": round(prediction.high, 3),
            "interval": INTERVAL,
        }
        for prediction in predictions
    ]


def lean_movies(movies: Iterable[Movie]) -> list[MovieId]:
    """Movies in the lean form."""
    return [{"movie_id": movie.movie_id} for movie in movies]


def lean_matches(matches: Iterable[Match]) -> list[MatchId]:
    """Movies found in the lean form."""
    return [
        {
            "movie_id": match.movie_id,
            "score": round(match.score, 6),
            "percentile": round(match.percentile, 6),
            "spaces": list(match.spaces),
        }
        for match in matches
    ]


def lean_predictions(predictions: Iterable[Prediction]) -> list[PredictionId]:
    """Predicted ratings in the lean form."""
    return [
        {
            "movie_id": prediction.movie_id,
            "rating": round(prediction.rating, 3),
            "low": round(prediction.low, 3),
            "high": round(prediction.high, 3),
        }
        for prediction in predictions
    ]


def present_explanation(index: MovieIndex, explanation: Explanation, k: int) -> ExplanationAnswer:
    """A prediction as a sum: what anyone would be predicted, and what each of the largest contributions adds.

    Args:
        k: how many contributions are named; the others are summed.
    """
    named, rest = explanation.contributions[:k], explanation.contributions[k:]
    return {
        "base": round(explanation.base, 4),
        "contributions": [
            {
                "movie": present_movie(index, index.catalogue.movie(part.movie_id)),
                "given": part.given,
                "watched": round(part.watched, 4),
                "rated": round(part.rated, 4),
                "total": round(part.watched + part.rated, 4),
            }
            for part in named
        ],
        "others": {"count": len(rest), "total": round(sum(part.watched + part.rated for part in rest), 4)},
        "sum": round(explanation.rating, 4),
    }


def present_look(look: LookExplanation) -> LookAnswer:
    """Why two posters look alike."""
    return {
        "score": round(look.score, 6),
        "percentile": round(look.percentile, 6),
        "usual_score": round(look.usual_score, 6),
        "heat": look.comparison.heat.round(8).tolist(),
        "likeness": look.comparison.likeness.round(4).tolist(),
        "matches": [
            {
                "cell": list(match.cell),
                "other": list(match.other),
                "strength": round(match.strength, 6),
                "contribution": round(match.contribution, 8),
            }
            for match in look.comparison.matches
        ],
    }


def present_taste(taste: TasteExplanation) -> TasteAnswer:
    """Why two movies are loved alike."""
    return {
        "score": round(taste.score, 6),
        "percentile": round(taste.percentile, 6),
        "genres": list(taste.genres),
        "loved_from": round(taste.loved_from, 3),
        "lovers": taste.lovers,
        "lovers_who_rated": taste.lovers_who_rated,
        "lovers_of_both": taste.lovers_of_both,
        "raters": taste.raters,
        "lovers_of_other": taste.lovers_of_other,
    }


def draw_look(index: MovieIndex, look: LookExplanation) -> bytes:
    """The same as a PNG file.

    Raises:
        UnknownMovie: a poster is no longer there, or no longer a picture.
    """
    first, second = (_panel(index, movie_id) for movie_id in (look.movie_id, look.other_id))
    return draw(first, second, look.comparison, look_in_words(look), weights_note(index))


def look_in_words(look: LookExplanation) -> str:
    """The score, and what it is worth."""
    return (
        f"Score {look.score:.3f}: closer than {percent(look.percentile)} of random pairs,"
        f" whose mean is {look.usual_score:.3f}"
    )


def weights_note(index: MovieIndex) -> str:
    """What must be said beside a comparison of posters; nothing where the weights can be relied on."""
    weights = index.manifest.weights
    return UNTRAINED_NOTICE if weights is not None and weights["name"] == "untrained" else ""


def present_duplicates(index: MovieIndex, found: Duplicates) -> dict[str, Any]:
    """Groups of movies with the same poster, and which posters were left out."""
    return {
        "groups": [
            {
                "similarity": round(group.similarity, 4),
                "copies": [
                    {
                        "movie": present_movie(index, index.catalogue.movie(copy.movie_id)),
                        "width": copy.width,
                        "height": copy.height,
                        "bytes": copy.size,
                    }
                    for copy in group.copies
                ],
            }
            for group in found.groups
        ],
        "compared": found.compared,
        "skipped": [{"movie_id": movie_id, "reason": reason} for movie_id, reason in found.skipped.items()],
    }


def percent(share: float) -> str:
    """A share in as many digits as tell it from all: "97%", "99.8%", "99.997%"."""
    for digits in range(5):
        if round(100 * share, digits) < 100:
            return f"{100 * share:.{digits}f}%"
    return "100%"


def provenance(index: MovieIndex) -> Provenance:
    """What every reply ends with: the snapshot, and the name of the weights its posters were embedded with."""
    weights = index.manifest.weights
    return {"snapshot": index.manifest.id, "weights": None if weights is None else weights["name"]}


def _panel(index: MovieIndex, movie_id: int) -> Panel:
    movie = index.catalogue.movie(movie_id)
    try:
        return Panel(decode_image(read_image(index.poster(movie_id))), str(movie))
    except BadImage as error:
        raise UnknownMovie(f"the poster of {movie} (id {movie_id}) can no longer be read: {error}") from error
