"""Lists of matches in which each picture is once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from index.core.arrays import BoolArray
from index.core.ids import Ids
from index.posters.copies import Groups
from index.spaces.space import Match


def distinct_matches(
    find: Callable[[BoolArray | None], list[Match]],
    k: int,
    copies: Groups,
    ids: Ids,
    allowed: BoolArray | None = None,
    scored: Ids | None = None,
    queried: Collection[int] = (),
) -> list[Match]:
    """Return the ``k`` best matches with different posters, each with its number of copies.

    Args:
        find: mask of catalogue rows -> the ``k`` best matches among them.
        k: number of matches.
        copies: movies with the same picture as poster.
        ids: of the catalogue.
        allowed: mask of catalogue rows that may be returned; None for all.
        scored: ids of the movies with a score; None for all.
        queried: movies of the query, which are never returned.
    """
    others = allowed
    while True:
        found = find(others)
        hidden: set[int] = set()  # copies of matches before them
        repeated = False
        for match in found:
            repeated |= match.movie_id in hidden
            if match.movie_id not in hidden:
                hidden.update(set(copies.get(match.movie_id, ())) - {match.movie_id})
        if not repeated or len(found) < k:
            break
        # Search again without the copies: the matches that are left stay, and others follow them.
        others = np.ones(len(ids), dtype=np.bool_) if others is None else others.copy()
        others[ids.rows(sorted(hidden))] = False

    def copies_of(match: Match) -> int:
        return sum(
            1
            for other in copies.get(match.movie_id, ())
            if other not in {match.movie_id, *queried}
            and (allowed is None or allowed[ids.row(other)])
            and (scored is None or other in scored)
        )

    return [replace(match, copies=copies_of(match)) for match in found if match.movie_id not in hidden]
