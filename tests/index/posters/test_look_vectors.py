from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.core.arrays import Float32Array
from index.core.errors import BadSnapshot
from index.explain.cells import compare, fit_baseline
from index.posters import look_vectors
from index.posters.look_vectors import (
    FLOOR,
    PRIOR,
    RAW,
    SIGMA,
    STANDARDISED,
    Look,
    Statistics,
    channel_statistics,
    fit_look,
    load_look,
    smoothing_matrix,
)
from index.posters.vgg16 import DIMENSION, IMAGENET_SHA256

ENTRY = {"look": STANDARDISED}


def embeddings(n: int) -> Float32Array:
    """Unit vectors (n, 25088) as sparse as VGG16's, of channels and cells that differ in strength."""
    rng = np.random.default_rng(0)
    strength = rng.lognormal(0, 1, 512) * rng.lognormal(0, 0.3, (49, 1))
    maps = np.maximum(rng.standard_normal((n, 49, 512), np.float32) - 0.5, 0) * strength.astype(np.float32)
    vectors = maps.reshape(n, DIMENSION)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def posters() -> Float32Array:
    return embeddings(24)


@pytest.fixture(scope="module")
def look(posters: Float32Array) -> Look:
    return fit_look(STANDARDISED, [posters], "other")


def test_smoothing_spreads_a_cell_by_the_gaussian_and_keeps_a_constant() -> None:
    smoothing = smoothing_matrix(1.0)
    assert smoothing.sum(axis=1) == pytest.approx(np.ones(49), abs=1e-6)
    centre, below, diagonal = smoothing[24, [24, 31, 32]]
    assert below / centre == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert diagonal / centre == pytest.approx(np.exp(-1), rel=1e-5)
    assert smoothing[0, 0] > centre  # beyond the edge there is nothing to weigh


def test_numbers_are_smoothed_rooted_centred_and_scaled(posters: Float32Array) -> None:
    """By the definition in float64, without the channels' statistics: scores of random posters are 0 on average."""
    maps = posters.reshape(-1, 49, 512).astype(np.float64)
    roots = np.sqrt(smoothing_matrix(SIGMA) @ maps).reshape(-1, DIMENSION)
    deviation = roots.std(axis=0)
    expected = (roots - roots.mean(axis=0)) / (deviation + FLOOR * np.sqrt((deviation**2).mean()))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = fit_look(STANDARDISED, [posters], "other", prior=0)(posters)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert abs((found @ found.T)[np.triu_indices(len(found), 1)].mean()) < 0.05


def test_a_row_is_the_same_to_the_bit_in_any_block(look: Look, posters: Float32Array) -> None:
    together = look(posters)
    for at in (0, 7, 23):
        np.testing.assert_array_equal(look(posters[at : at + 1])[0], together[at])
        np.testing.assert_array_equal(look(posters[at:])[0], together[at])


def test_statistics_do_not_depend_on_the_blocks(look: Look, posters: Float32Array) -> None:
    blocks = fit_look(STANDARDISED, iter([posters[:1], posters[1:20], posters[20:]]), "other").statistics
    assert look.statistics is not None
    assert blocks is not None
    np.testing.assert_allclose(blocks.mean, look.statistics.mean, atol=1e-6)
    np.testing.assert_allclose(blocks.scale, look.statistics.scale, rtol=1e-4)


def test_a_few_posters_shrink_towards_their_channels(posters: Float32Array) -> None:
    statistics = fit_look(STANDARDISED, [posters[:1]], "other").statistics
    assert statistics is not None
    roots = np.sqrt(smoothing_matrix(SIGMA) @ posters[0].reshape(49, 512))
    expected = (roots + PRIOR * roots.mean(axis=0)) / (1 + PRIOR)
    np.testing.assert_allclose(statistics.mean, expected, atol=1e-6)


def test_imagenet_weights_shrink_towards_the_statistics_that_ship(posters: Float32Array) -> None:
    mean, deviation = np.load(look_vectors.IMAGENET_FILE).astype(np.float64)
    assert mean.shape == deviation.shape == (512,)
    assert (mean > 0).all()
    assert (deviation >= 0).all()
    statistics = fit_look(STANDARDISED, [posters[:1]], IMAGENET_SHA256).statistics
    assert statistics is not None
    roots = np.sqrt(smoothing_matrix(SIGMA) @ posters[0].reshape(49, 512))
    np.testing.assert_allclose(statistics.mean, (roots + PRIOR * mean) / (1 + PRIOR), atol=1e-6)


def test_channel_statistics_are_over_cells_and_posters(posters: Float32Array) -> None:
    mean, deviation = channel_statistics([posters[:9], posters[9:]])
    roots = np.sqrt(smoothing_matrix(SIGMA) @ posters.reshape(-1, 49, 512)).reshape(-1, 512)
    assert mean.dtype == np.float16
    np.testing.assert_allclose(mean, roots.mean(axis=0), rtol=2e-3)
    np.testing.assert_allclose(deviation, roots.std(axis=0), rtol=2e-3)


@pytest.mark.parametrize("weights", ["other", IMAGENET_SHA256])
def test_one_poster_and_equal_posters_have_usable_vectors(posters: Float32Array, weights: str) -> None:
    for catalogue in (posters[:1], posters[[0, 0, 0]]):
        vectors = fit_look(STANDARDISED, [catalogue], weights)(catalogue)
        assert vectors @ vectors.T == pytest.approx(np.ones((len(catalogue), len(catalogue))), abs=1e-5)


def test_pictures_without_any_activation_have_no_length_and_no_nan() -> None:
    nothing = np.zeros((2, DIMENSION), dtype=np.float32)
    assert not fit_look(STANDARDISED, [nothing], "other")(nothing).any()


def test_cells_add_up_to_the_score(look: Look, posters: Float32Array) -> None:
    vectors = look(posters).astype(np.float16)
    comparison = compare(vectors[0], vectors[1], fit_baseline(list(vectors)))
    assert comparison.cells.sum() == pytest.approx(vectors[0].astype(float) @ vectors[1].astype(float), abs=1e-9)


def test_raw_vectors_stay_as_they_are(posters: Float32Array, tmp_path: Path) -> None:
    look = fit_look(RAW, [], "other")
    np.testing.assert_array_equal(look(posters), posters)
    look.save(tmp_path)
    assert not list(tmp_path.iterdir())
    for entry in ({}, {"look": RAW}):  # the first is of a snapshot of format 4 or earlier
        assert load_look(tmp_path, entry).name == RAW


def test_saved_statistics_give_the_same_vectors(look: Look, posters: Float32Array, tmp_path: Path) -> None:
    look.save(tmp_path)
    loaded = load_look(tmp_path, ENTRY)
    assert loaded.name == STANDARDISED
    np.testing.assert_array_equal(loaded(posters), look(posters))


def test_an_unknown_look_or_damaged_statistics_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSnapshot, match="the look 'newer', known are standardised, raw: build the snapshot again"):
        load_look(tmp_path, {"look": "newer"})
    zeros = np.zeros((49, 512), dtype=np.float32)
    Look(Statistics(zeros, zeros, zeros)).save(tmp_path)
    with pytest.raises(BadSnapshot, match=r"look has arrays of shapes .*: build the snapshot again"):
        load_look(tmp_path, ENTRY)
