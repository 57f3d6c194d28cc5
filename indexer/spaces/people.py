"""Movies that share people, from the people of each movie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.catalogue.movie import Movie
from index.ratings.content import SharedPeople
from indexer.spaces.facts import Labels, people_matrix

MOST_SHARING = 200  # movies kept of those that share people with one
_BLOCK = 1000  # movies per block


def shared_people(movies: Sequence[Movie], labels: Labels) -> SharedPeople | None:
    """Return the movies that share people, by the cosine of their people; None if none do."""
    matrix = people_matrix(movies, labels)
    starts, rows, similarity = np.zeros(len(movies) + 1, dtype=np.int64), [], []
    for begin in range(0, len(movies), _BLOCK):
        block = (matrix[begin : begin + _BLOCK] @ matrix.T).tocsr()
        for at in range(block.shape[0]):
            part = slice(*block.indptr[at : at + 2])
            others, values = block.indices[part], block.data[part]
            others, values = others[others != begin + at], values[others != begin + at]
            nearest = np.sort(np.lexsort((others, -values))[:MOST_SHARING])
            rows.append(others[nearest])
            similarity.append(values[nearest])
            starts[begin + at + 1] = nearest.size
    if not starts.any():
        return None
    joined = np.concatenate(rows).astype(np.int32), np.concatenate(similarity).astype(np.float32)
    return SharedPeople(np.cumsum(starts), *joined)
