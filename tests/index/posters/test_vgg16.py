from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from index.core.arrays import Float32Array, UInt8Array
from index.core.errors import BadWeights, InvalidInput, WeightsUnavailable
from index.posters import vgg16
from tests.tolerances import BFLOAT16, BFLOAT16_LOSS, PATH_DISTANCE, long_if_emulated

# Imported where they are used: every process of a test run collects this module, and few embed.
if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@pytest.fixture(scope="module")
def untrained() -> vgg16.Vgg16:
    return vgg16.load("untrained", path="float32")


@pytest.fixture(scope="module")
def in_bfloat16() -> vgg16.Vgg16:
    return vgg16.load("untrained", path="bfloat16")


@pytest.fixture(scope="module", params=["float32", BFLOAT16])
def embed(request: pytest.FixtureRequest) -> vgg16.Vgg16:
    """The network by each path."""
    return vgg16.load("untrained", path=request.param)


@pytest.fixture(scope="module")
def pixels() -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def vectors(untrained: vgg16.Vgg16, pixels: UInt8Array) -> Float32Array:
    return untrained(pixels)


@pytest.fixture(scope="module")
def model(untrained: vgg16.Vgg16, tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    """Keras' own VGG16 with the same weights."""
    from keras.applications import vgg16 as keras_vgg16

    file = tmp_path_factory.mktemp("weights") / "w.weights.h5"
    untrained.save(file)
    model = keras_vgg16.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    model.load_weights(file)
    return model


def test_vectors_are_keras_own_block5_pool_at_length_1(
    embed: vgg16.Vgg16, model: keras.Model, pixels: UInt8Array
) -> None:
    from keras.applications import vgg16 as keras_vgg16

    maps = np.asarray(model(keras_vgg16.preprocess_input(pixels.astype(np.float32))))
    assert maps.shape[1:] == vgg16.GRID
    flat = maps.reshape(2, vgg16.DIMENSION).copy()
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    vectors = embed(pixels)
    if embed.path == "float32":
        np.testing.assert_allclose(vectors, flat, atol=1e-6)
    assert np.linalg.norm(vectors - flat, axis=1).max() <= PATH_DISTANCE
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_picture_has_the_same_vector_alone_and_in_a_batch(embed: vgg16.Vgg16, pixels: UInt8Array) -> None:
    alone, in_a_batch = embed(pixels[1:]), embed(pixels)[1:]
    if embed.path == "float32":
        np.testing.assert_allclose(alone, in_a_batch, atol=1e-6)
    # Another order of summation may round a number of any layer to the next bfloat16.
    assert np.linalg.norm(alone - in_a_batch) <= PATH_DISTANCE


def test_float32_is_taken_where_it_is_asked_for(untrained: vgg16.Vgg16) -> None:
    assert (untrained.path, untrained.agreement) == ("float32", 1)


@long_if_emulated
def test_bfloat16_is_taken_where_it_is_asked_for(untrained: vgg16.Vgg16, in_bfloat16: vgg16.Vgg16) -> None:
    assert in_bfloat16.path == "bfloat16"
    assert in_bfloat16.sha256 == untrained.sha256


@long_if_emulated
def test_bfloat16_differs_from_float32_by_what_its_rounding_predicts(
    in_bfloat16: vgg16.Vgg16, model: keras.Model, vectors: Float32Array, pixels: UInt8Array
) -> None:
    # Processors with instructions for bfloat16 take another way than those without, so both ways are compared here.
    for rounded in (in_bfloat16(pixels), vgg16.cast_to_bfloat16(model)(pixels).numpy()):
        losses = 1 - np.einsum("ij,ij->i", rounded, vectors, dtype=np.float64)
        assert losses.max() <= 1 - vgg16.AGREEMENT
        assert BFLOAT16_LOSS / 10 < losses.mean() < 2 * BFLOAT16_LOSS


def test_an_unknown_path_is_named() -> None:
    with pytest.raises(InvalidInput, match="no embedding path 'float64': give one of auto, float32, bfloat16"):
        vgg16.load("untrained", path="float64")


@long_if_emulated
def test_a_path_that_is_asked_for_and_does_not_agree_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg16, "AGREEMENT", 1.0)
    with pytest.raises(
        BadWeights, match=r"VGG16 in bfloat16 does not agree with float32 .*: give --embed-path float32"
    ):
        inspect.unwrap(vgg16.load)("untrained", path="bfloat16")


def save_new(model: keras.Model, file: Path) -> None:
    model.save_weights(file)


def save_legacy(model: keras.Model, file: Path) -> None:
    """The layout of the ImageNet file that Keras hands out: layer names, and weight names in each."""
    with h5py.File(file, "w") as stream:
        stream.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = stream.create_group(layer.name)
            names = [f"{layer.name}_{kind}_1:0" for kind in ("W", "b")][: len(layer.weights)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=weight)


@pytest.mark.parametrize(("name", "save"), [("new.weights.h5", save_new), ("vgg16_tf_kernels_notop.h5", save_legacy)])
def test_a_keras_weights_file_gives_the_vectors_of_the_model_it_was_saved_from(
    name: str,
    save: Callable[[keras.Model, Path], None],
    model: keras.Model,
    untrained: vgg16.Vgg16,
    pixels: UInt8Array,
    vectors: Float32Array,
    tmp_path: Path,
) -> None:
    save(model, tmp_path / name)
    loaded = vgg16.load(str(tmp_path / name), path="float32")
    assert loaded.weights == "file"
    assert loaded.sha256 == untrained.sha256
    np.testing.assert_array_equal(loaded(pixels), vectors)


@pytest.mark.parametrize(("name", "save"), [("any.weights.h5", save_new), ("other.h5", save_legacy)])
def test_the_numbers_of_imagenet_are_called_so_in_any_file(
    name: str,
    save: Callable[[keras.Model, Path], None],
    model: keras.Model,
    untrained: vgg16.Vgg16,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(model, tmp_path / name)
    monkeypatch.setattr(vgg16, "IMAGENET_SHA256", untrained.sha256)
    assert vgg16.load(str(tmp_path / name), path="float32").weights == "imagenet"


@pytest.mark.realdata
def test_the_imagenet_weights_are_recognised(realdata: Path) -> None:
    (file,) = (realdata / "weights").glob("*.h5")
    loaded = vgg16.load(str(file), path="float32")
    assert (loaded.weights, loaded.sha256) == ("imagenet", vgg16.IMAGENET_SHA256)


def test_other_weights_have_another_checksum_and_other_vectors(
    model: keras.Model, untrained: vgg16.Vgg16, pixels: UInt8Array, vectors: Float32Array, tmp_path: Path
) -> None:
    import keras

    other = keras.models.clone_model(model)
    changed = [weight * 1.5 if weight.ndim == 1 else -weight for weight in model.get_weights()]
    other.set_weights(changed)
    other.save_weights(tmp_path / "other.weights.h5")
    loaded = vgg16.load(str(tmp_path / "other.weights.h5"), path="float32")
    assert loaded.sha256 != untrained.sha256
    assert not np.allclose(loaded(pixels[:1]), vectors[:1])


def test_untrained_weights_are_the_same_every_time(untrained: vgg16.Vgg16) -> None:
    assert vgg16.load("untrained").sha256 == untrained.sha256
    assert untrained.weights == "untrained"


def test_a_missing_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match=r"no weights file .*nowhere\.h5"):
        vgg16.load(str(tmp_path / "nowhere.h5"))


def test_a_file_without_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(BadWeights, match=r"text\.h5 does not hold"):
        vgg16.load(str(tmp_path / "text.h5"))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    import keras

    other = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(BadWeights, match=r"other\.weights\.h5 does not hold"):
        vgg16.load(str(tmp_path / "other.weights.h5"))


def test_imagenet_weights_that_cannot_be_had_say_how_to_give_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from keras.src.applications import vgg16 as vgg16_source
    from keras.src.backend import config

    # An empty cache, and a closed port instead of the real address: refused at once, as behind a firewall.
    monkeypatch.setattr(config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setattr(vgg16_source, "WEIGHTS_PATH_NO_TOP", "http://127.0.0.1:9/vgg16_notop.h5")
    with pytest.raises(WeightsUnavailable, match="--weights FILE"):
        vgg16.load("imagenet")


def test_weights_that_a_power_cut_left_empty_are_written_again(untrained: vgg16.Vgg16, tmp_path: Path) -> None:
    file = vgg16.weights_file(tmp_path, untrained.sha256)
    file.parent.mkdir()
    file.touch()
    untrained.save(file)
    assert vgg16.load(str(file), path="float32").sha256 == untrained.sha256


def test_saved_weights_of_another_checksum_are_refused(untrained: vgg16.Vgg16, tmp_path: Path) -> None:
    file = vgg16.weights_file(tmp_path, "0" * 64)
    untrained.save(file)
    with pytest.raises(BadWeights, match="other weights"):
        vgg16.embed_with(file, "untrained", "0" * 64, np.zeros((1, 224, 224, 3), dtype=np.uint8))


def run(change: float) -> vgg16.Run:
    """Unit vectors that are off by so much."""
    import tensorflow as tf

    def vectors(pixels: UInt8Array) -> tf.Tensor:
        flat = pixels.reshape(len(pixels), -1)[:, : vgg16.DIMENSION].astype(np.float64) + 1
        flat += change * np.random.default_rng(0).normal(size=flat.shape) * flat.mean()
        return tf.constant((flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32))

    return vectors


def broken(_: UInt8Array) -> tf.Tensor:
    raise RuntimeError("no such kernel")


def test_the_first_faster_path_that_agrees_with_float32_is_taken() -> None:
    slow, close, far = run(0), run(0.005), run(0.1)
    assert vgg16.choose_path(slow, [("gpu", far), ("bfloat16", close)])[:2] == ("bfloat16", close)
    name, chosen, agreement = vgg16.choose_path(slow, [("gpu", close), ("bfloat16", close)])
    assert (name, chosen) == ("gpu", close)
    assert vgg16.AGREEMENT <= agreement < 1


def test_a_path_that_differs_or_fails_is_not_taken_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    slow = run(0)
    assert vgg16.choose_path(slow, [("gpu", broken), ("bfloat16", run(0.1))]) == ("float32", slow, 1.0)
    assert "does not run by gpu here (no such kernel)" in caplog.text
    assert "by bfloat16 differs from float32 (cosine 0.99" in caplog.text
    assert vgg16.choose_path(slow, []) == ("float32", slow, 1.0)


def test_the_path_taken_by_default_agrees_with_float32() -> None:
    embed = vgg16.load("untrained")
    assert embed.path in {"float32", "bfloat16", "gpu"}
    assert embed.agreement >= vgg16.AGREEMENT


def test_bfloat16_is_switched_on_for_its_own_path_alone() -> None:
    import tensorflow as tf

    seen = []

    def look(_: UInt8Array) -> tf.Tensor:
        seen.append(tf.config.optimizer.get_experimental_options().get("auto_mixed_precision_onednn_bfloat16", False))
        return tf.constant(0)

    vgg16.in_bfloat16(look)(np.zeros((1, 224, 224, 3), np.uint8))
    look(np.zeros((1, 224, 224, 3), np.uint8))
    assert seen == [True, False]


def test_packages_are_hidden_from_keras_and_from_no_other_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    with vgg16.hidden_packages():
        with pytest.raises(ModuleNotFoundError):
            find_spec("pandas")
        assert find_spec("json.tool")
        with ThreadPoolExecutor(1) as another:
            assert another.submit(find_spec, "pandas").result()
    assert find_spec("pandas")
