"""Taste similarity of two movies: how many users like both, against the base rate of the second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.ratings.model import LIKED, RatingModel
from index.spaces.space import Space


@dataclass(frozen=True, slots=True)
class TasteExplanation:
    """Taste similarity of two movies in numbers of users, as of the snapshot's ratings."""

    movie_id: int
    other_id: int
    score: float  # inner product, as in ``similar`` by taste
    percentile: float  # share of random pairs of the catalogue with a lower score, 0 to 1
    genres: tuple[str, ...]  # common to both
    liked_from: float  # lowest rating that counts as liked
    liked: int  # users who like the first movie
    liked_and_rated: int  # of these, users who rated the other movie
    liked_both: int  # of these, users who like it
    raters: int  # users who rated the other movie
    liked_other: int  # of these, users who like it


def explain_taste(
    space: Space, ratings: RatingModel, rows: tuple[int, int], movie_id: int, other_id: int, genres: tuple[str, ...]
) -> TasteExplanation:
    """Count the users who like both movies.

    Args:
        space: taste space.
        ratings: model with the training ratings.
        rows: movie rows of the two movies in ``ratings``.
        movie_id: first movie.
        other_id: other movie.
        genres: common to both.

    Raises:
        UnknownMovie: a movie has no vector in the space.
    """
    score = float(space.vector(movie_id) @ space.vector(other_id))
    (percentile,) = space.calibration.percentile(np.array([score], dtype=np.float32))
    low, high = ratings.scale
    liked_from = low + LIKED * (high - low)
    (first_raters, first_ratings), (raters, other_ratings) = (ratings.raters(row) for row in rows)
    liked, liked_other = first_raters[first_ratings >= liked_from], raters[other_ratings >= liked_from]
    return TasteExplanation(
        movie_id,
        other_id,
        score,
        float(percentile),
        genres,
        liked_from,
        liked.size,
        np.intersect1d(liked, raters, assume_unique=True).size,
        np.intersect1d(liked, liked_other, assume_unique=True).size,
        raters.size,
        liked_other.size,
    )
