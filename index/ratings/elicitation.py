"""What to have rated by someone new: films that they are likely to know, and that say much of their taste."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.spaces.space import Space

CANDIDATES = 240  # beyond these few films are known to many
TOO_NEAR = 0.9  # a film says little that is new where this share of random pairs is less alike
MOST_STEPS = 11

_STEPS = tuple(Decimal(step) for step in ("0.5", "1", "2", "5", "10", "20", "50", "100"))


def asking_order(catalogue: Catalogue, taste: Space) -> list[int]:
    """Movie ids in the order in which to have them rated: whoever rates or skips one is asked the next.

    The most rated films with posters come first, but each round leaves out those that are loved like one that was taken
    in it already; they wait for the next round. Only movies with a place in ``taste`` are asked about.
    """
    known = [movie.movie_id for movie in catalogue.best_known(len(catalogue)) if movie.movie_id in taste.ids]
    known = known[:CANDIDATES]
    if not known:
        return []
    vectors = taste.vectors.rows(taste.ids.rows(known))
    near = np.interp(TOO_NEAR, taste.calibration.shares, taste.calibration.scores)
    alike = vectors @ vectors.T > near
    order: list[int] = []
    waiting = np.arange(len(known))
    while waiting.size:
        free = np.ones(len(known), dtype=np.bool_)
        taken = []
        for at in waiting.tolist():
            if free[at]:
                taken.append(at)
                free &= ~alike[at]
        order += [known[at] for at in taken]
        waiting = np.setdiff1d(waiting, taken)
    return order


def rating_steps(scale: tuple[float, float]) -> list[float]:
    """The ratings to choose from, ascending: half a star apart, or as far as leaves no more than eleven.

    Whole steps are counted from the highest rating down.
    """
    low, high = (Decimal(str(end)) for end in scale)
    step = next((step for step in _STEPS if (high - low) / step < MOST_STEPS), (high - low) / (MOST_STEPS - 1))
    count = int((high - low) / step) + 1 if step else 1
    return [float(high - step * at) for at in reversed(range(count))]
