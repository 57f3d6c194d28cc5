from __future__ import annotations

import numpy as np
import pytest

from index.core.arrays import Float32Array
from index.milvus.collection import FLOAT16, FLOAT32, Collection, name_of, rows_in, rows_not_in

VECTORS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float16).astype(np.float32)


def named(*blocks: Float32Array, numbers: str = FLOAT32, owner: str = "films", label: str = "poster") -> str:
    return name_of(owner, label, numbers, iter(blocks))


def test_equal_vectors_have_equal_names_and_others_have_others() -> None:
    name = named(VECTORS)
    assert name == named(VECTORS[:1], VECTORS[1:])
    assert name.startswith("posterity_films_poster_")
    others = {
        named(VECTORS[:3]),
        named(VECTORS[::-1].copy()),
        named(VECTORS, numbers=FLOAT16),
        named(VECTORS, owner="books"),
        named(VECTORS, label="taste"),
        named(VECTORS.reshape(6, 4)),
    }
    assert len(others | {name}) == 7


def test_filters_name_rows() -> None:
    assert rows_in(np.array([3, 1])) == "row in [3,1]"
    assert rows_not_in(np.array([3])) == "row not in [3]"
    assert rows_not_in(np.empty(0, dtype=np.int64)) == ""


@pytest.mark.parametrize("numbers", [FLOAT16, FLOAT32])
def test_the_client_packs_vectors_in_the_numbers_of_their_collection(numbers: str) -> None:
    """No server here has float16, so the bytes that pymilvus would send are read."""
    from pymilvus import DataType
    from pymilvus.client.prepare import Prepare

    kind = DataType.FLOAT16_VECTOR if numbers == FLOAT16 else DataType.FLOAT_VECTOR
    stored = Collection(None, "films", len(VECTORS), numbers).as_stored(VECTORS)
    fields = [
        {"field_id": 100, "name": "row", "type": DataType.INT64, "params": {}, "is_primary": True},
        {"field_id": 101, "name": "vector", "type": kind, "params": {"dim": VECTORS.shape[1]}},
    ]
    entities = [{"row": at, "vector": vector} for at, vector in enumerate(stored)]
    request = Prepare.row_insert_param("films", entities, "", fields)
    (sent,) = [field for field in request.fields_data if field.field_name == "vector"]
    if numbers == FLOAT16:
        found = np.frombuffer(sent.vectors.float16_vector, dtype=np.float16)
    else:
        found = np.array(sent.vectors.float_vector.data)
    np.testing.assert_array_equal(found.reshape(VECTORS.shape), VECTORS)
