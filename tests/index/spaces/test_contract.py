"""One contract of all kinds of vectors: the same hits for the same question, wherever the vectors are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from index.core.arrays import BoolArray, Float32Array
from index.core.ids import Edit
from index.milvus.service import Milvus, milvus_at
from index.spaces import milvus_vectors
from index.spaces.faiss_index import flat_index
from index.spaces.milvus_vectors import load_milvus_vectors
from index.spaces.overlaid_vectors import OverlaidVectors
from index.spaces.vectors import FLAT_FILE, FlatVectors, Vectors, load_vectors
from indexer.spaces import two_stage as two_stage_files
from indexer.spaces.milvus import move_to_milvus
from indexer.spaces.two_stage import write_reduced
from tests.index.spaces.test_vectors import smooth_maps
from tests.milvus_server import Given, MilvusProcess

N, COPIES = 600, [7, *range(100, 140)]
MAPS = smooth_maps(N)
MAPS[COPIES] = MAPS[7]
ADDED = 25  # of the overlaid vectors
TOLERANCE = 1e-3  # of scores in float16


def flat(folder: Path) -> Vectors:
    (folder / "taste").mkdir(parents=True)
    faiss.write_index(flat_index(MAPS), str(folder / "taste" / FLAT_FILE))
    return load_vectors(folder / "taste", None)


def write_two_stages(folder: Path, vectors: Float32Array = MAPS, *, factory: str | None = None) -> dict[str, Any]:
    """Write them as a build does; return the settings of the search."""
    return write_reduced(folder, iter([vectors.astype(np.float16)]), np.random.default_rng(0), factory=factory)


def write_scanned(folder: Path) -> dict[str, Any]:
    """Write them as a build does with very many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_stage_files, "SCANNED_FROM", N)
        return write_two_stages(folder)


def two_stage(folder: Path, vectors: Float32Array = MAPS) -> Vectors:
    return load_vectors(folder / "poster", write_two_stages(folder / "poster", vectors))


def overlaid(base: Vectors) -> Vectors:
    """Return the maps as a base of wrong ones with others deleted, replaced and added."""
    none = np.empty(0, dtype=np.int64)
    first = OverlaidVectors.unchanged(base).changed(Edit(np.array([3]), none), none, none, MAPS[:0])
    more = np.concatenate([MAPS[3:4], MAPS[N - ADDED :]])
    sources = -1 - np.arange(1 + ADDED)
    return first.changed(Edit(none, np.array([3, *range(N - ADDED, N)])), sources, none, more)


def in_milvus(
    milvus: Milvus, folder: Path, name: str, write: Callable[[Path], dict[str, Any]] = write_two_stages
) -> Vectors:
    """Return what is in a folder, moved to Milvus; ``write`` writes posters."""
    entry = {}
    n, dimension = N, MAPS.shape[1]
    if name == "poster":
        entry = {"search": write(folder / name)}
    else:
        flat(folder)
    moved = move_to_milvus(milvus, "contract", folder, {name: entry})
    return load_milvus_vectors(folder / name, {**moved[name], "movies": n, "dimension": dimension}, milvus)


LOCAL: dict[str, Callable[[Path], Vectors]] = {
    "flat": flat,
    "two-stage": two_stage,
    "two-stage with a scan": lambda folder: load_vectors(folder, write_scanned(folder)),
    "overlaid": lambda folder: overlaid(two_stage(folder, MAPS[: N - ADDED])),
}
IN_MILVUS: dict[str, Callable[[Milvus, Path], Vectors]] = {
    "milvus": lambda milvus, folder: in_milvus(milvus, folder, "taste"),
    "milvus in two stages": lambda milvus, folder: in_milvus(milvus, folder, "poster"),
    "milvus with a scan": lambda milvus, folder: in_milvus(milvus, folder, "poster", write_scanned),
    # Of more posters than can be scanned a build makes a graph.
    "milvus in both stages": lambda milvus, folder: in_milvus(
        milvus, folder, "poster", partial(write_two_stages, factory="HNSW32")
    ),
    "milvus overlaid": lambda milvus, folder: overlaid(_without_last(in_milvus(milvus, folder, "poster"))),
}


def _without_last(vectors: Vectors) -> Vectors:
    """Return the vectors without the rows that ``overlaid`` adds again."""
    none = np.empty(0, dtype=np.int64)
    return OverlaidVectors.unchanged(vectors).changed(Edit(np.arange(N - ADDED, N), none), none, none, MAPS[:0])


@pytest.fixture(
    scope="module",
    params=[*LOCAL, *(pytest.param(name, marks=pytest.mark.long) for name in IN_MILVUS)],
)
def vectors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Vectors:
    folder = tmp_path_factory.mktemp("vectors")
    if request.param in LOCAL:
        return LOCAL[request.param](folder)
    server: Given | MilvusProcess = request.getfixturevalue("milvus")
    return IN_MILVUS[request.param](milvus_at(server.address), folder)


def assert_best(vectors: Vectors, query: Float32Array, k: int, allowed: BoolArray | None = None) -> None:
    """Assert that the hits are the ``k`` best allowed rows, ties by row, with their scores."""
    scores = MAPS @ query if allowed is None else np.where(allowed, MAPS @ query, -np.inf)
    rows, found = vectors.search(query[None], k, allowed)[0]
    assert rows.size == len(set(rows.tolist())) == min(k, int(np.isfinite(scores).sum()))
    np.testing.assert_allclose(found, scores[rows], atol=TOLERANCE)
    best = np.sort(scores)[::-1][: rows.size]
    np.testing.assert_allclose(found, best, atol=TOLERANCE)  # as good as the best, in their order
    assert set(np.flatnonzero(scores > best[-1] + TOLERANCE).tolist() if rows.size else []) <= set(rows.tolist())
    order = np.lexsort((rows, -found))
    assert order.tolist() == list(range(rows.size))


def test_vectors_have_a_number_and_a_dimension(vectors: Vectors) -> None:
    assert (len(vectors), vectors.dimension) == MAPS.shape


@pytest.mark.parametrize("k", [1, 10, 100, N, N + 5])
def test_the_best_are_found(vectors: Vectors, k: int) -> None:
    for query in MAPS[::97]:
        assert_best(vectors, query, k)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 0.005])
def test_a_filter_loses_nothing_that_qualifies(vectors: Vectors, share: float) -> None:
    rng = np.random.default_rng(1)
    for query in MAPS[::59]:
        assert_best(vectors, query, 10, rng.random(N) < share)


def test_a_filter_to_one_row_or_none_gives_it_or_nothing(vectors: Vectors) -> None:
    allowed = np.zeros(N, dtype=np.bool_)
    assert vectors.search(MAPS[:1], 10, allowed)[0][0].tolist() == []
    allowed[77] = True
    rows, scores = vectors.search(MAPS[:1], 10, allowed)[0]
    assert rows.tolist() == [77]
    assert scores[0] == pytest.approx(float(MAPS[0] @ MAPS[77]), abs=TOLERANCE)


@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_ties_come_by_row(vectors: Vectors, k: int) -> None:
    rows, scores = vectors.search(MAPS[7:8], k)[0]
    assert rows.tolist() == COPIES[:k]
    assert np.ptp(scores) == 0
    others = np.ones(N, dtype=np.bool_)
    others[7] = False
    assert vectors.search(MAPS[7:8], k, others)[0][0].tolist() == COPIES[1 : k + 1]


def test_a_longer_list_begins_with_the_shorter(vectors: Vectors) -> None:
    for query in MAPS[::151]:
        longest = vectors.search(query[None], 60)[0][0].tolist()
        for k in (1, 9, 10, 33):
            assert vectors.search(query[None], k)[0][0].tolist() == longest[:k]


def test_a_batch_answers_as_one_by_one(vectors: Vectors) -> None:
    together = vectors.search(MAPS[:6], 10)
    alone = [vectors.search(query[None], 10)[0] for query in MAPS[:6]]
    assert [rows.tolist() for rows, _ in together] == [rows.tolist() for rows, _ in alone]
    assert vectors.search(MAPS[:0], 10) == []


def test_scores_come_in_the_order_asked_for(vectors: Vectors) -> None:
    rows = np.array([N - 1, 3, 3, 41])
    np.testing.assert_allclose(vectors.scores(MAPS[8], rows), MAPS[rows] @ MAPS[8], atol=TOLERANCE)
    assert vectors.scores(MAPS[8], rows[:0]).shape == (0,)


def test_rows_are_what_was_written(vectors: Vectors) -> None:
    rows = np.array([N - 1, 3, 3, *range(200, 290)])
    np.testing.assert_array_equal(vectors.rows(rows), MAPS[rows])
    assert vectors.rows(rows[:0]).shape == (0, MAPS.shape[1])


def test_estimates_are_close_and_exact_if_they_say_so(vectors: Vectors) -> None:
    tolerance = 1e-5 if vectors.exact else 0.15
    np.testing.assert_allclose(vectors.estimates(MAPS[:9]), MAPS[:9] @ MAPS.T, atol=tolerance)
    assert vectors.estimates(MAPS[:0]).shape == (0, N)


@pytest.mark.long
@pytest.mark.parametrize(("name", "calls"), [("in two stages", 1), ("with a scan", 1), ("in both stages", 2)])
def test_candidates_are_found_here_unless_there_are_too_many_to_scan(
    milvus: Given | MilvusProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, calls: int
) -> None:
    service = milvus_at(milvus.address)
    vectors = IN_MILVUS[f"milvus {name}"](service, tmp_path)
    called: list[str] = []

    def call(method: str, *arguments: Any, **options: Any) -> Any:
        called.append(method)
        return asked(method, *arguments, **options)

    asked = service.call
    monkeypatch.setattr(service, "call", call)
    assert_best(vectors, MAPS[8], 10)
    assert called == ["search"] * calls


@pytest.mark.long
@pytest.mark.parametrize(
    "limits",
    [
        {"LISTED": 2},  # of more hits than requested
        {"LISTED": 2, "WIDEST": 0, "MOST_LISTED": 37},  # one list of rows after the other
        {"MOST_HITS": 64},  # all scores, range by range
    ],
    ids=str,
)
def test_filters_of_any_length_lose_nothing(
    milvus: Given | MilvusProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    vectors = in_milvus(milvus_at(milvus.address), tmp_path, "taste")
    for name, value in limits.items():
        monkeypatch.setattr(milvus_vectors, name, value)
    rng = np.random.default_rng(2)
    for share in (0.9, 0.5, 0.1):
        for query in MAPS[::131]:
            assert_best(vectors, query, 10, rng.random(N) < share)
            assert_best(vectors, query, 100, rng.random(N) < share)
    assert vectors.search(MAPS[7:8], 40)[0][0].tolist() == COPIES[:40]


@pytest.mark.long
def test_an_upload_that_was_killed_begins_anew_and_a_whole_one_stays(
    milvus: Given | MilvusProcess, tmp_path: Path
) -> None:
    service = milvus_at(milvus.address)
    first = in_milvus(service, tmp_path / "first", "taste")
    assert isinstance(first, FlatVectors)
    (collection,) = first.collections  # type: ignore[attr-defined]
    described = service.call("describe_collection", collection.name, patience=60)["collection_id"]
    (collection,) = in_milvus(service, tmp_path / "again", "taste").collections  # type: ignore[attr-defined]
    assert service.call("describe_collection", collection.name, patience=60)["collection_id"] == described
    collection.call(
        "delete", filter="row >= 400", consistency_level="Strong", patience=60
    )  # as if these had not been sent
    assert collection.count("Strong", patience=60) == 400
    (collection,) = in_milvus(service, tmp_path / "third", "taste").collections  # type: ignore[attr-defined]
    collection.check()
    assert service.call("describe_collection", collection.name, patience=60)["collection_id"] != described
