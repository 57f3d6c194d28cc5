"""Why two movies are loved alike: the people who love both, against what anyone makes of the second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.ratings.model import RatingModel
from index.spaces.space import Space

_LOVED = 0.75  # of the way up the scale: 4 of 5 stars, 8 of 10


@dataclass(frozen=True, slots=True)
class TasteExplanation:
    """Why two movies are loved alike, in people; as of the snapshot's ratings."""

    movie_id: int
    other_id: int
    score: float  # inner product, what ``similar`` by taste says
    percentile: float  # share of random pairs of this catalogue that are less alike, 0 to 1
    genres: tuple[str, ...]  # that both have
    loved_from: float  # the rating from which on a movie counts as loved
    lovers: int  # of the first movie
    lovers_who_rated: int  # of these, who rated the other
    lovers_of_both: int  # of these, who love it
    raters: int  # of the other movie, all of them
    lovers_of_other: int  # of these, who love it


def explain_taste(
    space: Space, ratings: RatingModel, rows: tuple[int, int], movie_id: int, other_id: int, genres: tuple[str, ...]
) -> TasteExplanation:
    """Why two movies are loved alike.

    Args:
        space: the taste space.
        rows: of the two movies, in the catalogue that the ratings are of.
        genres: that both have.

    Raises:
        UnknownMovie: a movie has no vector there.
    """
    score = float(space.vector(movie_id) @ space.vector(other_id))
    (percentile,) = space.calibration.percentile(np.array([score], dtype=np.float32))
    low, high = ratings.scale
    loved_from = low + _LOVED * (high - low)
    (first, given), (raters, theirs) = (ratings.raters(row) for row in rows)
    lovers, lovers_of_other = first[given >= loved_from], raters[theirs >= loved_from]
    return TasteExplanation(
        movie_id,
        other_id,
        score,
        float(percentile),
        genres,
        loved_from,
        lovers.size,
        np.intersect1d(lovers, raters, assume_unique=True).size,
        np.intersect1d(lovers, lovers_of_other, assume_unique=True).size,
        raters.size,
        lovers_of_other.size,
    )
