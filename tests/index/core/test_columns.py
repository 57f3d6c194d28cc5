from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.core.columns import Column
from index.core.ids import Edit, Ids


@settings(max_examples=30)
@given(st.data(), st.integers(0, 1200))
def test_a_column_changes_as_a_list_does(data: Any, n: int) -> None:
    ids, column = Ids(np.arange(n) * 3), Column(range(0, 3 * n, 3))
    plain = {movie_id: movie_id for movie_id in column}
    for step in range(3):
        known = st.sampled_from(sorted(plain)) if plain else st.nothing()
        deleted = data.draw(st.sets(known, max_size=4 if plain else 0))
        added = data.draw(st.sets(st.integers(0, 4000), max_size=6)) - plain.keys()
        before = tuple(column)
        changed_ids, edit = ids.edited(added, deleted)
        plain = {movie_id: value for movie_id, value in plain.items() if movie_id not in deleted}
        replaced = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(plain)), max_size=3)) if plain else (), -step)
        plain |= replaced | {movie_id: movie_id for movie_id in added}
        rows = {changed_ids.row(movie_id): value for movie_id, value in replaced.items()}
        edited = column.edited(edit, sorted(added), rows)
        assert tuple(column) == before
        ids, column = changed_ids, edited
        expected = tuple(plain[movie_id] for movie_id in sorted(plain))
        assert column == expected
        assert len(column) == len(expected)
        assert [column[row] for row in range(len(column))] == list(expected)
        assert column[-3:2:-2] == expected[-3:2:-2]


def test_a_change_shares_the_blocks_that_it_leaves() -> None:
    column = Column(range(10_000))
    edited = column.edited(Edit(np.array([5]), np.array([9_999])), ["last"], {700: "other"})
    blocks, before = edited._blocks, column._blocks  # noqa: SLF001
    assert sum(block is other for block in blocks for other in before) == len(before) - 3
    with pytest.raises(IndexError):
        edited[10_000]
