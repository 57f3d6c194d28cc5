from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.core.arrays import BoolArray, Float16Array, Float32Array, Int64Array
from index.core.errors import BadSnapshot, InvalidInput
from index.core.ids import Edit
from index.snapshot.store import SnapshotStore
from index.spaces import vectors as vectors_module
from index.spaces.faiss_index import flat_index, half_index, read_index
from index.spaces.milvus_vectors import MediumFile, load_milvus_vectors
from index.spaces.overlaid_vectors import OverlaidVectors
from index.spaces.vectors import (
    CELLS,
    MEDIUM_FILE,
    ROWS_FILE,
    FlatVectors,
    HalfVectors,
    TwoStageVectors,
    load_vectors,
    on_patterns,
    shorten,
)
from indexer.spaces import two_stage
from indexer.spaces.recall import recall, tune_search
from indexer.spaces.two_stage import (
    choose_factory,
    fit_patterns,
    make_index,
    write_reduced,
    write_rows,
)
from tests.paths import GOLDEN
from tests.tolerances import FLOAT16

# A thousand non-negative unit vectors of dimension 300, which differ much along 40 directions and little along the others,
# like the embeddings of posters.
D, N = 300, 1000


def clustered(n: int, seed: int = 0) -> Float32Array:
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(7).normal(size=(40, D))
    vectors = np.abs(2 + 0.1 * rng.normal(size=(n, 40)) @ ways + 0.05 * rng.normal(size=(n, D)))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def smooth_maps(n: int, seed: int = 0) -> Float32Array:
    """Return unit vectors (n, 49 * 16) in float16 whose channels vary smoothly over 7 x 7 cells, in ``n / 5`` groups."""
    rng = np.random.default_rng(seed)
    waves = np.cos(np.pi * np.outer(np.arange(3), np.arange(7) + 0.5) / 7)
    patterns = np.einsum("ai,bj->abij", waves, waves)[np.add.outer(np.arange(3), np.arange(3)) < 3].reshape(-1, CELLS)
    strengths = np.repeat(rng.normal(size=(n // 5, len(patterns), 16)), 5, axis=0)
    strengths += 0.7 * rng.normal(size=strengths.shape)
    vectors = np.einsum("npc,ps->nsc", strengths, patterns).reshape(n, -1) + 0.1 * rng.normal(size=(n, CELLS * 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16).astype(np.float32)


VECTORS = clustered(N)
HALVES = VECTORS.astype(np.float16)
LONG = HALVES.astype(np.float32)


def half(vectors: Float32Array) -> HalfVectors:
    index = half_index(vectors.shape[1])
    index.add(vectors)
    return HalfVectors(index)


WHOLE = half(LONG)


def reduced(folder: Path, vectors: Float16Array, factory: str | None = None) -> TwoStageVectors:
    blocks = (vectors[start : start + 300] for start in range(0, len(vectors), 300))
    search = write_reduced(folder, blocks, np.random.default_rng(0), factory=factory)
    loaded = load_vectors(folder, search)
    assert isinstance(loaded, TwoStageVectors)
    return loaded


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> TwoStageVectors:
    return reduced(tmp_path_factory.mktemp("flat"), HALVES)


def assert_exact(found: Int64Array, query: Float32Array, k: int, allowed: BoolArray | None = None) -> None:
    """Assert that the hits are the exact top k, each once; scores that differ by rounding alone count as equal."""
    scores = LONG @ query
    if allowed is not None:
        scores[~allowed] = -np.inf
    assert len(set(found.tolist())) == found.size == min(k, int(np.isfinite(scores).sum()))
    assert recall(found, scores, k) == 1


def test_rows_are_written_as_faiss_writes_them(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.faiss", iter([HALVES[:7], HALVES[7:8], HALVES[8:30]]))
    whole = half_index(D)
    whole.add(LONG[:30])
    faiss.write_index(whole, str(tmp_path / "whole.faiss"))
    assert (tmp_path / "rows.faiss").read_bytes() == (tmp_path / "whole.faiss").read_bytes()
    index = read_index(tmp_path / "rows.faiss")
    assert (index.ntotal, index.d) == (30, D)
    np.testing.assert_array_equal(index.reconstruct_n(0, 30), LONG[:30])
    for ours, theirs in zip(index.search(LONG[:5], 4), whole.search(LONG[:5], 4), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_two_stages_find_what_a_full_scan_finds(two_stages: TwoStageVectors) -> None:
    found = two_stages.search(LONG[:100], 10)
    for query, (rows, scores) in zip(LONG[:100], found, strict=True):
        assert_exact(rows, query, 10)
        np.testing.assert_allclose(scores, LONG[rows] @ query, atol=1e-6)


def test_a_fast_scan_finds_the_same_with_and_without_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_stage, "SCANNED_FROM", N)
    search = write_reduced(tmp_path, iter([HALVES]), np.random.default_rng(0))
    assert search["scan"] == f"PQ{search['axes'] + 1}x4fs"
    fast, slow = load_vectors(tmp_path, search), load_vectors(tmp_path, search | {"scan": ""})
    assert isinstance(fast, TwoStageVectors)
    scans: list[bool] = []
    scan = vars(vectors_module)["_scan"]

    def counted(*arguments: Any) -> Int64Array | None:
        found: Int64Array | None = scan(*arguments)
        scans.append(found is not None)
        return found

    monkeypatch.setattr(vectors_module, "_scan", counted)
    rng = np.random.default_rng(1)
    for share in (1, 0.9, 0.5, 0.25, 0.15, 0.05, 0.005):
        for query in LONG[:20]:
            allowed = None if share == 1 else rng.random(N) < share
            found = fast.search(query[None], 10, allowed)[0]
            assert_exact(found[0], query, 10, allowed)
            np.testing.assert_allclose(found[1], slow.search(query[None], 10, allowed)[0][1], atol=1e-6)
    assert sum(scans) >= 70  # narrow filters compare what they allow, as few others do
    assert not all(scans)
    assert_exact(fast.search(LONG[:1], 150)[0][0], LONG[0], 150)


def test_a_filter_that_leaves_nothing_near_is_not_scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_stage, "SCANNED_FROM", N)
    vectors = reduced(tmp_path, HALVES)
    for query in LONG[:10]:
        allowed = LONG @ query < np.quantile(LONG @ query, 0.5)  # the farther half
        assert_exact(vectors.search(query[None], 10, allowed)[0][0], query, 10, allowed)


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF16,Flat", "HNSW16_SQ8", "IVF16,SQ8", "SQ8"])
def test_a_filter_loses_nothing_that_qualifies(tmp_path: Path, factory: str) -> None:
    vectors = reduced(tmp_path, HALVES, factory)
    rng = np.random.default_rng(1)
    for share in (0.5, 0.05, 0.005):
        for query in LONG[:20]:
            allowed = rng.random(N) < share
            rows, _ = vectors.search(query[None], 10, allowed)[0]
            assert_exact(rows, query, 10, allowed)


def test_a_filter_to_one_movie_or_none_gives_it_or_nothing(two_stages: TwoStageVectors) -> None:
    one = np.zeros(N, dtype=np.bool_)
    assert two_stages.search(LONG[:1], 10, one)[0][0].tolist() == []
    one[77] = True
    rows, scores = two_stages.search(LONG[:1], 10, one)[0]
    assert rows.tolist() == [77]
    assert scores[0] == pytest.approx(float(LONG[0] @ LONG[77]), abs=1e-6)


@pytest.mark.parametrize(
    "factory", ["SQ4", *(pytest.param(each, marks=pytest.mark.long) for each in ("HNSW4", "IVF16,SQ8", "IVF64,Flat"))]
)
def test_an_index_gets_as_many_candidates_as_its_recall_wants(tmp_path: Path, factory: str) -> None:
    blocks = iter([HALVES])
    search = write_reduced(tmp_path, blocks, np.random.default_rng(0), factory=factory)
    ticks = iter(range(10_000_000))
    tuned = tune_search(tmp_path, search, np.random.default_rng(0), clock=lambda: float(next(ticks)))
    report = tuned["card"]
    assert report["recall_at_10"] >= 0.9995
    assert report["queries"] == 400
    assert (report["milliseconds"], report["full_scan_milliseconds"]) == (1000, 1000)  # by this clock
    assert [each["share"] for each in report["filters"]] == [0.5, 0.05, 0.005]
    vectors = load_vectors(tmp_path, tuned)
    shares = [recall(vectors.search(query[None], 10)[0][0], LONG @ query, 10) for query in LONG[:100]]
    assert np.mean(shares) > 0.99
    np.testing.assert_allclose(vectors.estimates(LONG[:3]), LONG[:3] @ LONG.T, atol=0.1)


MAPS = smooth_maps(2000)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the tuned settings of a search of maps."""
    folder = tmp_path_factory.mktemp("maps")
    search = write_reduced(folder, iter([MAPS[:700].astype(np.float16), MAPS[700:]]), np.random.default_rng(0))
    return folder, tune_search(folder, search, np.random.default_rng(0))


@pytest.mark.parametrize(
    "share", [None, 0.05, *(pytest.param(each, marks=pytest.mark.long) for each in (0.5, 0.02, 0.005))]
)
def test_maps_are_narrowed_by_their_patterns_and_found_exactly(
    maps: tuple[Path, dict[str, Any]], share: float | None
) -> None:
    folder, search = maps
    assert 6 <= search["patterns"] < CELLS // 4  # they are made of 6
    assert 10 < search["finalists"] < search["candidates"] < 500
    vectors = load_vectors(folder, search)
    rng = np.random.default_rng(1)
    for query in MAPS[::40]:
        allowed = None if share is None else rng.random(len(MAPS)) < share
        scores = MAPS @ query if allowed is None else np.where(allowed, MAPS @ query, -np.inf)
        rows, found = vectors.search(query[None], 10, allowed)[0]
        assert recall(rows, scores) == 1
        np.testing.assert_allclose(found, scores[rows], atol=1e-6)


def test_estimates_of_maps_are_close_and_no_query_has_none(maps: tuple[Path, dict[str, Any]]) -> None:
    vectors = load_vectors(*maps)
    np.testing.assert_allclose(vectors.estimates(MAPS[:9]), MAPS[:9] @ MAPS.T, atol=0.15)
    assert vectors.estimates(MAPS[:0]).shape == (0, len(MAPS))
    assert vectors.search(MAPS[:0], 10) == []


def test_long_lists_of_maps_are_as_exact(maps: tuple[Path, dict[str, Any]]) -> None:
    vectors = load_vectors(*maps)
    assert min(recall(vectors.search(query[None], 100)[0][0], MAPS @ query, 100) for query in MAPS[::50]) >= 0.99


def test_copies_of_a_map_come_by_row(tmp_path: Path) -> None:
    copied = MAPS[:400].copy()
    copied[100:160] = MAPS[7]  # more than there are finalists
    search = write_reduced(tmp_path, iter([copied.astype(np.float16)]), np.random.default_rng(0))
    assert search["finalists"] < 60 < search["candidates"]
    rows, scores = load_vectors(tmp_path, search).search(MAPS[7:8], 10)[0]
    assert rows.tolist() == [7, *range(100, 109)]
    assert len(set(scores.tolist())) == 1


def test_patterns_keep_what_maps_have_in_common() -> None:
    patterns = fit_patterns(half(MAPS).index, np.random.default_rng(0))
    assert patterns is not None
    np.testing.assert_allclose(patterns @ patterns.T, np.eye(len(patterns)), atol=1e-6)
    medium = on_patterns(MAPS, patterns)
    assert medium.shape == (len(MAPS), len(patterns) * 16)
    assert (medium**2).sum(axis=1).mean() >= 0.95
    everything = np.linalg.qr(np.random.default_rng(0).normal(size=(CELLS, CELLS)))[0].astype(np.float32)
    rotated = on_patterns(MAPS[:20], everything)
    np.testing.assert_allclose(rotated @ rotated.T, MAPS[:20] @ MAPS[:20].T, atol=1e-5)
    assert fit_patterns(WHOLE.index, np.random.default_rng(0)) is None  # 300 numbers are no 49 cells


def test_medium_vectors_of_another_search_are_refused(maps: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, search = maps
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_rows(tmp_path / MEDIUM_FILE, iter([MAPS[:, : 16 * search["patterns"]].astype(np.float16)[:50]]))
    with pytest.raises(BadSnapshot, match=r"2000 short ones .* or to 50 medium ones"):
        load_vectors(tmp_path, search)
    write_rows(tmp_path / MEDIUM_FILE, iter([MAPS[:, :32].astype(np.float16)]))
    with pytest.raises(BadSnapshot, match=r"axes of .* which are reduced to 32"):
        load_vectors(tmp_path, search)


def test_medium_vectors_beside_milvus_are_read_from_their_file(maps: tuple[Path, dict[str, Any]]) -> None:
    folder, search = maps
    index = read_index(folder / MEDIUM_FILE)
    medium = MediumFile(folder / MEDIUM_FILE, (index.ntotal, index.d), search["finalists"])
    rows = np.array([*range(0, 900, 3), index.ntotal - 1])  # more than are in memory at a time
    scores = index.reconstruct_batch(rows) @ index.reconstruct(3)
    for k in (3, 200):
        found = medium.best(index.reconstruct(3), rows, k)
        assert np.unique(found).size == k  # none twice; which of nearly equal ones is a matter of rounding
        np.testing.assert_allclose(scores[np.searchsorted(rows, found)], -np.sort(-scores)[:k], atol=1e-5)
    with pytest.raises(BadSnapshot, match="medium vectors end before their last row"):
        medium.best(index.reconstruct(3), rows + 1, 3)
    with pytest.raises(BadSnapshot, match="build the snapshot again"):
        MediumFile(folder / MEDIUM_FILE, (2 * index.ntotal, index.d), 1)


def test_a_snapshot_in_milvus_without_medium_vectors_opens(maps: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, search = maps
    kept = shutil.copytree(folder, tmp_path / "poster", ignore=shutil.ignore_patterns(MEDIUM_FILE, ROWS_FILE))
    named = {form: {"name": f"posterity_{form}", "numbers": "float32"} for form in ("whole", "short")}
    metadata = {"movies": len(MAPS), "dimension": MAPS.shape[1], "search": search, "milvus": named}
    assert len(load_milvus_vectors(kept, metadata, None)) == len(MAPS)


def test_a_search_of_format_4_has_no_medium_vectors_and_is_exact(tmp_path: Path) -> None:
    golden = SnapshotStore(GOLDEN / "v4")
    settings = golden.manifest().spaces["poster"]["search"]
    three = load_vectors(golden.path() / "poster", settings)
    assert three.search(three.rows(np.array([2])), 1)[0][0].tolist() == [2]
    reduced(tmp_path, HALVES, "Flat")
    vectors = load_vectors(tmp_path, {name: settings[name] for name in ("candidates", "probes")} | {"shared": 0.1})
    allowed = np.arange(N) % 2 == 0
    for query in LONG[:20]:
        assert_exact(vectors.search(query[None], 10)[0][0], query, 10)
        assert_exact(vectors.search(query[None], 10, allowed)[0][0], query, 10, allowed)


def test_maps_laid_over_a_snapshot_are_found_at_once(maps: tuple[Path, dict[str, Any]]) -> None:
    none = np.empty(0, dtype=np.int64)
    base = OverlaidVectors.unchanged(load_vectors(*maps))
    fresh = smooth_maps(5, seed=3)
    changed = base.changed(Edit(np.array([7]), np.full(1, len(MAPS) - 1)), np.array([-1]), none, fresh[:1])
    whole = np.concatenate([np.delete(MAPS, 7, axis=0), fresh[:1]])
    for query in (fresh[1], MAPS[7], MAPS[8]):
        rows, scores = changed.search(query[None], 10)[0]
        assert recall(rows, whole @ query) == 1
        np.testing.assert_allclose(scores, whole[rows] @ query, atol=1e-6)


def test_recall_counts_what_is_as_good_as_right() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.1, -np.inf], dtype=np.float32)
    assert recall(np.array([0, 2]), scores, 2) == 1  # 1 and 2 have the same score
    assert recall(np.array([0, 3]), scores, 2) == 0.5
    assert recall(np.array([0, 1, 2, 3]), scores, 10) == 1
    assert recall(np.array([], dtype=np.int64), np.full(3, -np.inf, dtype=np.float32), 10) == 1


@given(st.integers(0, N - 1), st.integers(1, 120))
def test_a_longer_list_begins_with_the_shorter(row: int, k: int) -> None:
    shorter, longer = WHOLE.search(LONG[[row]], k)[0], WHOLE.search(LONG[[row]], k + 1)[0]
    assert shorter[0].tolist() == longer[0].tolist()[:k]


def test_a_longer_list_begins_with_the_shorter_in_two_stages(two_stages: TwoStageVectors) -> None:
    for row in range(0, N, 97):
        longest = two_stages.search(LONG[[row]], 101)[0][0].tolist()
        for k in (1, 9, 10, 49, 50, 51, 100):
            assert two_stages.search(LONG[[row]], k)[0][0].tolist() == longest[:k]


@given(st.integers(0, N - 1), st.integers(0, N - 1))
def test_scores_are_symmetric_and_at_most_1(first: int, second: int) -> None:
    there = WHOLE.scores(LONG[first], np.array([second]))[0]
    back = WHOLE.scores(LONG[second], np.array([first]))[0]
    assert there == back
    assert abs(there) <= (1 + FLOAT16) ** 2


def test_a_batch_answers_as_one_by_one(two_stages: TwoStageVectors) -> None:
    together = two_stages.search(LONG[:20], 10)
    for query, (rows, scores) in zip(LONG[:20], together, strict=True):
        alone_rows, alone_scores = two_stages.search(query[None], 10)[0]
        assert rows.tolist() == alone_rows.tolist()
        assert scores.tolist() == alone_scores.tolist()


def test_the_order_of_insertion_changes_no_answer(tmp_path: Path, two_stages: TwoStageVectors) -> None:
    order = np.random.default_rng(5).permutation(N)
    shuffled = reduced(tmp_path, HALVES[order])
    for query in LONG[::50]:
        rows, scores = two_stages.search(query[None], 10)[0]
        other_rows, other_scores = shuffled.search(query[None], 10)[0]
        assert order[other_rows].tolist() == rows.tolist()
        np.testing.assert_allclose(other_scores, scores, atol=1e-6)


def test_scores_come_in_the_order_asked_for(two_stages: TwoStageVectors) -> None:
    rows = np.array([900, 3, 3, 41])
    np.testing.assert_allclose(two_stages.scores(LONG[8], rows), LONG[rows] @ LONG[8], atol=1e-6)


def test_short_vectors_keep_the_length_that_the_axes_lose() -> None:
    axes = np.eye(D, dtype=np.float32)[:10]
    short = shorten(LONG[:5], axes, 1.0)
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(shorten(LONG[:5], axes, 0.0)[:, -1], 0)


def test_estimates_are_close(two_stages: TwoStageVectors) -> None:
    np.testing.assert_allclose(two_stages.estimates(LONG[:9]), LONG[:9] @ LONG.T, atol=0.02)
    assert not two_stages.exact
    assert FlatVectors(flat_index(LONG)).exact


def test_the_same_poster_a_thousand_times_can_be_searched(tmp_path: Path) -> None:
    vectors = reduced(tmp_path, np.repeat(HALVES[:1], 500, axis=0))
    rows, scores = vectors.search(LONG[:1], 5)[0]
    assert rows.size == 5
    assert scores == pytest.approx(1, abs=2 * FLOAT16)


def test_one_poster_alone_can_be_searched(tmp_path: Path) -> None:
    assert reduced(tmp_path, HALVES[:1]).search(LONG[:1], 5)[0][0].tolist() == [0]


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    vectors = reduced(tmp_path, HALVES)
    write_rows(tmp_path / ROWS_FILE, iter([HALVES[:50]]))
    with pytest.raises(BadSnapshot, match="50 vectors of 300 numbers do not belong to 1000 short ones"):
        load_vectors(tmp_path, {"shared": 0, "candidates": 200, "probes": 0})
    assert len(vectors) == N


@pytest.mark.parametrize(
    ("n", "memory", "factory"),
    [
        (9_066, 2 * 10**9, "SQ8"),
        (60_000, 2 * 10**9, "SQ8"),
        (1_000_000, 2 * 10**9, "HNSW32"),
        (1_000_000, 5 * 10**8, "HNSW32_SQ8"),
        (1_000_000, 2 * 10**8, "IVF4000,SQ8"),
        (1_000_000, 6 * 10**7, "IVF4000,PQ32"),
        (9_066, 10**6, "IVF380,PQ32"),
    ],
)
def test_the_index_is_the_best_that_fits(n: int, memory: int, factory: str) -> None:
    assert choose_factory(n, 128, memory) == factory


def test_too_little_memory_says_how_much_is_needed() -> None:
    with pytest.raises(InvalidInput, match=r"1000000 posters cannot be searched in 1 MB: give --memory 51MB or more"):
        choose_factory(1_000_000, 128, 10**6)


@pytest.mark.parametrize("text", ["Nonsense", "LSH", "PQ16", "IDMap,Flat", ""])
def test_an_index_that_cannot_be_used_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="--index "):
        make_index(text, 128)


def test_too_few_posters_to_train_an_index_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="needs more than 20 posters to be trained"):
        reduced(tmp_path, HALVES[:20], "IVF256,Flat")


@settings(max_examples=25)
@given(st.lists(st.integers(0, N - 1), unique=True, max_size=5), st.lists(st.integers(0, N - 6), max_size=7))
def test_what_is_laid_over_vectors_is_found_as_if_it_had_been_there(gone: list[int], more: list[int]) -> None:
    added = clustered(len(more), seed=9).astype(np.float16).astype(np.float32)
    none = np.empty(0, dtype=np.int64)
    overlaid = OverlaidVectors.unchanged(WHOLE).changed(Edit(np.array(sorted(gone), np.int64), none), none, none, [])
    whole = np.delete(LONG, gone, axis=0)
    for step, (at, vector) in enumerate(zip(more, added, strict=True)):
        new = np.array([-1])
        if step % 2:  # in the place of another vector
            overlaid = overlaid.changed(Edit(none, none), new, np.array([at]), vector[None])
            whole = whole.copy()
            whole[at] = vector
        else:
            overlaid = overlaid.changed(Edit(none, np.array([at])), new, none, vector[None])
            whole = np.insert(whole, at, vector, axis=0)
    rebuilt = half(whole)
    allowed = np.arange(len(whole)) % 3 != 0
    for query in (LONG[3], whole[0]):
        for mask in (None, allowed):
            (rows, scores), (expected, expected_scores) = (
                each.search(query[None], 7, mask)[0] for each in (overlaid, rebuilt)
            )
            assert rows.tolist() == expected.tolist()
            assert scores.tolist() == expected_scores.tolist()
    some = np.arange(0, len(whole), 111)
    np.testing.assert_array_equal(overlaid.rows(some), whole[some])
    assert overlaid.scores(LONG[5], some).tolist() == rebuilt.scores(LONG[5], some).tolist()
    np.testing.assert_allclose(overlaid.estimates(LONG[:2]), rebuilt.estimates(LONG[:2]), atol=1e-6)
