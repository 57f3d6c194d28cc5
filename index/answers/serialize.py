"""JSON values of movies, matches, predictions and explanations, for the commands and the HTTP API.

The comparison of two posters is also drawn as a figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from index.answers.schemas import (
    BlendAnswer,
    ContentAnswer,
    Copied,
    ExplanationAnswer,
    GroupPickAnswer,
    GroupPickId,
    LookAnswer,
    MatchAnswer,
    MatchId,
    MovieAnswer,
    MovieId,
    PredictionAnswer,
    PredictionId,
    Provenance,
    TasteAnswer,
    UserAnswer,
)
from index.catalogue.catalogue import Movie, MovieFilter
from index.core.errors import BadImage, UnknownMovie
from index.explain.figure import Panel, draw
from index.explain.look import LookExplanation
from index.explain.taste import TasteExplanation
from index.movie_index import MovieIndex
from index.posters.duplicates import Duplicates
from index.posters.images import decode_image, read_image
from index.ratings.groups import GroupPick
from index.ratings.model import INTERVAL, ContentParts, Explanation, Prediction, UserOrRatings
from index.spaces import blend as blends
from index.spaces.blend import BlendExplanation
from index.spaces.space import Match

UNTRAINED_NOTICE = (
    "Posters are compared with untrained weights: good for a demo, not for judging results."
    " For good results, build with ImageNet weights."
)


def present_movie(index: MovieIndex, movie: Movie) -> MovieAnswer:
    """Return a movie with its rating statistics."""
    catalogue = index.catalogue
    row = catalogue.ids.row(movie.movie_id)
    shown: MovieAnswer = {
        "movie_id": movie.movie_id,
        "title": movie.title,
        "year": movie.year,
        "genres": list(movie.genres),
        "imdb_id": movie.imdb_id,
        "tmdb_id": movie.tmdb_id,
        "rating_count": catalogue.rating_counts[row],
        "rating_mean": catalogue.rating_means[row],
        "has_poster": catalogue.posters[row] is not None,
        "poster_content": index.poster_content(movie.movie_id),
    }
    if movie.source_id is not None:
        shown["source_id"] = movie.source_id
    if catalogue.owned is not None:
        shown["owned"] = catalogue.owns(movie.movie_id)
    return shown


def present_user(index: MovieIndex, user_id: int) -> UserAnswer:
    """Return a user's number, and the data set's own id if that is no number."""
    name = index.users.name(user_id)
    return {"user_id": user_id} if name is None else {"user_id": user_id, "source_id": name}


def present_matches(index: MovieIndex, matches: Iterable[Match]) -> list[MatchAnswer]:
    """Return matches in the given order."""
    matches = list(matches)
    shown: list[MatchAnswer] = [
        {
            "movie": present_movie(index, index.catalogue.movie(match.movie_id)),
            "score": round(match.score, 6),
            "percentile": round(match.percentile, 6),
            "spaces": list(match.spaces),
        }
        for match in matches
    ]
    _count_copies(shown, matches)
    return shown


def explained_matches(
    index: MovieIndex, movie_id: int, matches: Iterable[Match], by: str, weights: Mapping[str, float] | None
) -> list[MatchAnswer]:
    """Return matches of a movie by poster or blend with their explanations, in the given order.

    Args:
        index: that answered.
        movie_id: of the query.
        matches: of it.
        by: ``poster`` or ``blend``.
        weights: of the blend; None for the snapshot's.
    """
    shown = present_matches(index, matches)
    other_ids = [match["movie"]["movie_id"] for match in shown]
    if by == blends.NAME:
        for match, blended in zip(shown, index.explain_blend(movie_id, other_ids, weights), strict=True):
            explanation = present_blend(blended)
            match["explanation"], match["score"] = explanation, explanation["score"]  # equal, rounding aside
    else:
        for match, other_id in zip(shown, other_ids, strict=True):
            match["explanation"] = present_look(index.explainer.look(movie_id, other_id))
    return shown


def present_predictions(index: MovieIndex, predictions: Iterable[Prediction]) -> list[PredictionAnswer]:
    """Return predicted ratings with their intervals, in the given order."""
    return [
        {
            "movie": present_movie(index, index.catalogue.movie(prediction.movie_id)),
            "rating": _rounded(prediction.rating),
            "low": _rounded(prediction.low),
            "high": _rounded(prediction.high),
            "interval": INTERVAL,
        }
        for prediction in predictions
    ]


def lean_movies(movies: Iterable[Movie]) -> list[MovieId]:
    """Return the ids of movies, for ``fields=ids``."""
    return [{"movie_id": movie.movie_id} for movie in movies]


def lean_matches(matches: Iterable[Match]) -> list[MatchId]:
    """Return matches with ids instead of movies, for ``fields=ids``."""
    matches = list(matches)
    shown: list[MatchId] = [
        {
            "movie_id": match.movie_id,
            "score": round(match.score, 6),
            "percentile": round(match.percentile, 6),
            "spaces": list(match.spaces),
        }
        for match in matches
    ]
    _count_copies(shown, matches)
    return shown


def lean_predictions(predictions: Iterable[Prediction]) -> list[PredictionId]:
    """Return predicted ratings with ids instead of movies, for ``fields=ids``."""
    return [
        {
            "movie_id": prediction.movie_id,
            "rating": _rounded(prediction.rating),
            "low": _rounded(prediction.low),
            "high": _rounded(prediction.high),
        }
        for prediction in predictions
    ]


def present_group(index: MovieIndex, picks: Iterable[GroupPick]) -> list[GroupPickAnswer]:
    """Return recommendations for a group, in the given order."""
    return [
        {
            "movie": present_movie(index, index.catalogue.movie(lean["movie_id"])),
            "mean": lean["mean"],
            "least": lean["least"],
            "predictions": lean["predictions"],
        }
        for lean in lean_group(picks)
    ]


def lean_group(picks: Iterable[GroupPick]) -> list[GroupPickId]:
    """Return recommendations for a group with ids instead of movies, for ``fields=ids``."""
    return [
        {
            "movie_id": pick.movie_id,
            "mean": _rounded(pick.mean),
            "least": _rounded(pick.least),
            "predictions": [
                {
                    "rating": _rounded(each.rating),
                    "low": _rounded(each.low),
                    "high": _rounded(each.high),
                    "given": given,
                }
                for each, given in zip(pick.predictions, pick.given, strict=True)
            ],
        }
        for pick in picks
    ]


def present_explanation(index: MovieIndex, explanation: Explanation, k: int) -> ExplanationAnswer:
    """Return a prediction as a sum of the base, the ``k`` largest contributions, and the total of the others.

    It adds up as rounded: the base takes the difference.
    """
    named, rest = explanation.contributions[:k], explanation.contributions[k:]
    others = sum(part.watched + part.rated for part in rest)
    totals = [round(part.watched, 4) + round(part.rated, 4) for part in named]
    shown: ExplanationAnswer = {
        "base": rounded_base(explanation.rating, [*totals, others], 4),
        "contributions": [
            {
                "movie": present_movie(index, index.catalogue.movie(part.movie_id)),
                "given": part.given,
                "watched": round(part.watched, 4),
                "rated": round(part.rated, 4),
                "total": round(total, 4),
            }
            for part, total in zip(named, totals, strict=True)
        ],
        "others": {"count": len(rest), "total": round(others, 4)},
        "sum": round(explanation.rating, 4),
    }
    if explanation.content is not None:
        shown["content"] = present_content(explanation.content)
    return shown


def rounded_base(total: float, parts: Iterable[float], digits: int) -> float:
    """Return the base of a sum such that the total, as rounded, is the sum of the base and the parts as rounded."""
    return round(round(total, digits) - sum(round(part, digits) for part in parts), digits)


def present_content(parts: ContentParts) -> ContentAnswer:
    """Return the prediction by content as a sum."""
    return {
        "share": round(parts.share, 4),
        "usual": round(parts.usual, 4),
        "genres": round(parts.genres, 4),
        "year": round(parts.year, 4),
        "similar": round(parts.similar, 4),
        "poster": round(parts.poster, 4),
        "ratings": round(parts.ratings, 4),
    }


def add_explanations(index: MovieIndex, user: UserOrRatings, shown: Sequence[PredictionAnswer], k: int) -> None:
    """Add to predictions for a user the contributions to each, as ``present_explanation`` returns them."""
    explanations = index.users.explain(user, [each["movie"]["movie_id"] for each in shown])
    for each, explanation in zip(shown, explanations, strict=True):
        each["explanation"] = present_explanation(index, explanation, k)


def add_rankings(
    index: MovieIndex,
    user: UserOrRatings,
    shown: Iterable[PredictionAnswer],
    k: int,
    watched: Sequence[int] = (),
    *,
    where: MovieFilter | None = None,
    new: bool = False,
) -> None:
    """Add to recommendations for a user the ``k`` largest contributions to the rank of each that trees ordered.

    The list is of ``Users.recommend`` with the same ``watched``, ``where`` and ``new``.
    """
    answers = {each["movie"]["movie_id"]: each for each in shown}
    ranks = index.users.explain_ranks(user, list(answers), watched, where=where, new=new)
    for movie_id, explanation in ranks.items():
        parts = [part.contribution for part in explanation.contributions]
        total, others = explanation.base + sum(parts), sum(parts[k:])
        answers[movie_id]["ranking"] = {
            "base": rounded_base(total, [*parts[:k], others], 4),
            "features": [
                {
                    "feature": part.name,
                    "value": _rounded(part.value),
                    "contribution": round(part.contribution, 4),
                }
                for part in explanation.contributions[:k]
            ],
            "others": {"count": len(parts[k:]), "total": round(others, 4)},
            "sum": round(total, 4),
        }


def present_look(look: LookExplanation) -> LookAnswer:
    """Return an explanation of poster similarity."""
    return {
        "score": round(look.score, 6),
        "percentile": round(look.percentile, 6),
        "usual_score": round(look.baseline_score, 6),
        "heat": look.comparison.cells.round(8).tolist(),
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


def present_blend(blend: BlendExplanation) -> BlendAnswer:
    """Return an explanation of a blended score; the score is the sum of the contributions as they are rounded."""
    millionths = [round(part.contribution * 1e6) for part in blend.parts]
    return {
        "score": sum(millionths) / 1e6,
        "percentile": round(blend.percentile, 6),
        "parts": [
            {
                "space": part.space,
                "weight": part.weight,
                "score": round(part.score, 6),
                "percentile": round(part.percentile, 6),
                "contribution": each / 1e6,
            }
            for part, each in zip(blend.parts, millionths, strict=True)
        ],
    }


def present_taste(taste: TasteExplanation) -> TasteAnswer:
    """Return an explanation of taste similarity."""
    return {
        "score": round(taste.score, 6),
        "percentile": round(taste.percentile, 6),
        "genres": list(taste.genres),
        "loved_from": round(taste.liked_from, 3),
        "lovers": taste.liked,
        "lovers_who_rated": taste.liked_and_rated,
        "lovers_of_both": taste.liked_both,
        "raters": taste.raters,
        "lovers_of_other": taste.liked_other,
    }


def draw_look(index: MovieIndex, look: LookExplanation) -> bytes:
    """Draw an explanation of poster similarity as a PNG file.

    Raises:
        UnknownMovie: a poster is missing or damaged.
    """
    first, second = (_panel(index, movie_id) for movie_id in (look.movie_id, look.other_id))
    return draw(first, second, look.comparison, look_in_words(look), weights_note(index))


def look_in_words(look: LookExplanation) -> str:
    """Return a sentence with the score, its percentile and the mean score of random pairs."""
    return (
        f"Score {look.score:.3f}: closer than {percent(look.percentile)} of random pairs,"
        f" whose mean is {look.baseline_score:.3f}"
    )


def weights_note(index: MovieIndex) -> str:
    """Return a warning for snapshots with untrained weights, else an empty string."""
    weights = index.manifest.weights
    return UNTRAINED_NOTICE if weights is not None and weights["name"] == "untrained" else ""


def present_duplicates(index: MovieIndex, found: Duplicates) -> dict[str, Any]:
    """Return groups of movies with the same poster, and the skipped posters with reasons."""
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
    """Format a share as a percentage with just enough digits to differ from 100%: "97%", "99.8%", "99.997%"."""
    for digits in range(5):
        if round(100 * share, digits) < 100:
            return f"{100 * share:.{digits}f}%"
    return "100%"


def provenance(index: MovieIndex) -> Provenance:
    """Return the members of every response: the snapshot, and the name of its VGG16 weights."""
    weights = index.manifest.weights
    return {"snapshot": index.manifest.id, "weights": None if weights is None else weights["name"]}


def _count_copies(shown: Iterable[Copied], matches: Iterable[Match]) -> None:
    for each, match in zip(shown, matches, strict=True):
        if match.copies is not None:
            each["copies"] = match.copies


def _rounded(value: float) -> float | None:
    """Return a number, rounded; None for NaN."""
    return None if math.isnan(value) else round(value, 3)


def _panel(index: MovieIndex, movie_id: int) -> Panel:
    movie = index.catalogue.movie(movie_id)
    try:
        return Panel(decode_image(read_image(index.poster(movie_id))), str(movie))
    except BadImage as error:
        raise UnknownMovie(f"the poster of {movie} (id {movie_id}) can no longer be read: {error}") from error
