"""Preference elicitation: the movies a new user should rate first, well known and of diverse taste."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.spaces.space import Space

CANDIDATES = 240  # the most rated movies; few users know the others
MAX_PERCENTILE = 0.9  # of the taste score of two movies in one round: above it the second rating adds little
MAX_STEPS = 11

_STEPS = tuple(Decimal(step) for step in ("0.5", "1", "2", "5", "10", "20", "50", "100"))


def elicitation_order(catalogue: Catalogue, taste: Space) -> list[int]:
    """Return movie ids in the order in which to ask for ratings.

    The most rated movies with posters come first. Each round skips movies too similar in taste to an earlier one of
    the round; they move to the next round. Movies without a vector in ``taste`` are left out.
    """
    candidates = [movie.movie_id for movie in catalogue.best_known(CANDIDATES, taste.ids)]
    if not candidates:
        return []
    vectors = taste.vectors.rows(taste.ids.rows(candidates))
    max_score = np.interp(MAX_PERCENTILE, taste.calibration.shares, taste.calibration.scores)
    similar = vectors @ vectors.T > max_score
    order: list[int] = []
    remaining = np.arange(len(candidates))
    while remaining.size:
        eligible = np.ones(len(candidates), dtype=np.bool_)
        chosen = []
        for position in remaining.tolist():
            if eligible[position]:
                chosen.append(position)
                eligible &= ~similar[position]
        order += [candidates[position] for position in chosen]
        remaining = np.setdiff1d(remaining, chosen)
    return order


def rating_steps(scale: tuple[float, float]) -> list[float]:
    """Return the ratings to choose from, ascending: in steps of 0.5, or the smallest round step that gives at most 11.

    Steps are counted down from the highest rating, so the lowest may be left out.
    """
    low, high = (Decimal(str(end)) for end in scale)
    step = next((step for step in _STEPS if (high - low) / step < MAX_STEPS), (high - low) / (MAX_STEPS - 1))
    count = int((high - low) / step) + 1 if step else 1
    return [float(high - step * i) for i in reversed(range(count))]
