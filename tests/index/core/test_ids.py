import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.core.errors import UnknownMovie, UnknownUser
from index.core.ids import Ids


def test_an_id_has_the_row_of_its_place() -> None:
    ids = Ids([3, 5, 9])
    assert ids.row(5) == 1
    assert 9 in ids
    assert 4 not in ids
    assert len(ids) == 3


def test_a_missing_id_is_named() -> None:
    with pytest.raises(UnknownMovie, match="no movie 4 here"):
        Ids([3, 5]).row(4)
    with pytest.raises(UnknownUser, match="no user 4 here"):
        Ids([3, 5], noun="user", unknown=UnknownUser).row(4)


def test_an_id_larger_than_any_number_on_disk_is_missing_rather_than_an_accident() -> None:
    assert 10**30 not in Ids([3, 5])
    with pytest.raises(UnknownMovie):
        Ids([3]).row(10**30)


def test_nothing_is_found_among_no_ids() -> None:
    assert Ids([]).find([1, 2]).tolist() == [-1, -1]


@pytest.mark.parametrize("values", [[2, 1], [1, 1], [[1, 2]]])
def test_ids_out_of_order_are_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Ids(values)


@given(st.sets(st.integers(-(2**63), 2**63 - 1)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_find_agrees_with_a_dictionary(values: set[int], wanted: list[int]) -> None:
    ordered = sorted(values)
    rows = {value: row for row, value in enumerate(ordered)}
    found = Ids(np.array(ordered, dtype=np.int64)).find(wanted + ordered)
    assert found.tolist() == [rows.get(value, -1) for value in wanted + ordered]


def test_rows_of_several_ids_name_the_first_that_is_missing() -> None:
    ids = Ids([3, 5, 9])
    assert ids.rows([9, 3]).tolist() == [2, 0]
    assert ids.rows([]).tolist() == []
    with pytest.raises(UnknownMovie, match="there is no movie 4 here"):
        ids.rows([9, 4, 7])
