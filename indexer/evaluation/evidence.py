"""Evidence of likeness in the data themselves: triplets of movies, the second nearer to the first than the third.

co_liked: one user liked the first two in held-out ratings. series: their titles begin alike. tags: they share a tag.
people: they share two people, such as the director and an actor. The third movie lacks the relation and has about as
many ratings as the second. Each kind is asked of spaces that do not use its data; titles are used by none.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray, Int64Array
from indexer.datasets.training import Training
from indexer.spaces.facts import PEOPLE, Labels

KINDS = ("series", "tags", "people")  # beside co_liked

_WINDOW = 60  # ranks of popularity to either side, from which a third movie is drawn
_MOST_SHARING = 60  # movies; a title or label of more tells little
_MOST_TRIPLETS = 20_000
_MIN_RATINGS = 5
_SUBTITLE = re.compile(r"[:(]|\s-\s|\b(?:part|episode|chapter|vol)\b", re.IGNORECASE)
_NUMBER = re.compile(r"[\s,]+(?:[0-9]{1,2}|[ivx]{1,4})$")


@dataclass(frozen=True, slots=True)
class Triplets:
    """Triplets of movies, as rows."""

    groups: Int64Array  # (q,) what is resampled as a whole: user rows of co-liked triplets, rows of first movies else
    anchors: Int64Array  # (q,) first movies
    others: Int64Array  # (2, q) second and third movies


def evidence(
    training: Training, tags: Mapping[int, Sequence[str]], labels: Labels, rng: np.random.Generator
) -> dict[str, Triplets]:
    """Return the triplets of each of ``KINDS`` that the data have."""
    ids = [movie.movie_id for movie in training.movies]
    known = np.bincount(training.movie_rows, minlength=len(ids)) >= _MIN_RATINGS
    titles = [{series_title(movie)} - {""} for movie in training.movies]
    of_tags = [{" ".join(tag.split()).casefold() for tag in tags.get(movie_id, ())} for movie_id in ids]
    people = [{person for kind in PEOPLE for person in labels.get(kind, {}).get(movie_id, ())} for movie_id in ids]
    # Of any movie it is known if it belongs to a series; others lack the relation only if they have tags, or people.
    kinds = {
        "series": (titles, 1, known),
        "tags": (of_tags, 1, _any(of_tags)),
        "people": (people, 2, known & _any(people)),
    }
    found = {
        name: _triplets(_pairs(values, least, usable), usable, training, rng)
        for name, (values, least, usable) in kinds.items()
    }
    return {name: triplets for name, triplets in found.items() if triplets.anchors.size}


def series_title(movie: Movie) -> str:
    """Return the title without what tells the parts of a series apart: "Toy Story 2" and "Toy Story" are the same."""
    title = movie.title.casefold()
    title = _SUBTITLE.split(title, maxsplit=1)[0].strip(" ,")
    return _NUMBER.sub("", title)


def _any(values: Iterable[set[str]]) -> BoolArray:
    return np.array([bool(each) for each in values])


def _pairs(values: Sequence[set[str]], least: int, usable: BoolArray) -> Int64Array:
    """Return ordered pairs (p, 2) of usable rows that share at least ``least`` values."""
    rows_with: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(usable).tolist():
        for value in values[row]:
            rows_with[value].append(row)
    shared = Counter(
        pair for rows in rows_with.values() if len(rows) <= _MOST_SHARING for pair in combinations(rows, 2)
    )
    pairs = np.array(sorted(pair for pair, n in shared.items() if n >= least), dtype=np.int64).reshape(-1, 2)
    return np.concatenate([pairs, pairs[:, ::-1]])


def _triplets(pairs: Int64Array, usable: BoolArray, training: Training, rng: np.random.Generator) -> Triplets:
    """Return triplets with third movies drawn from the usable rows near the second in number of ratings."""
    counts = np.bincount(training.movie_rows, minlength=usable.size)
    pool = np.flatnonzero(usable)
    pool = pool[np.lexsort((rng.random(pool.size), counts[pool]))]
    rank = np.zeros(usable.size, dtype=np.int64)
    rank[pool] = np.arange(pool.size)
    chosen = pairs[rng.permutation(len(pairs))[:_MOST_TRIPLETS]]
    drawn = rank[chosen[:, 1]] + rng.integers(-_WINDOW, _WINDOW + 1, len(chosen))
    third = pool[np.clip(drawn, 0, pool.size - 1)] if pool.size else np.empty(0, np.int64)
    related = set(map(tuple, pairs.tolist()))
    kept = [a != c and (a, c) not in related for a, c in zip(chosen[:, 0].tolist(), third.tolist(), strict=True)]
    chosen, third = chosen[kept], third[kept]
    return Triplets(chosen[:, 0], chosen[:, 0], np.stack([chosen[:, 1], third]))
