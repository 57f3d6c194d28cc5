"""Pixels to unit vectors: VGG16's last pooling layer. TensorFlow is imported here and nowhere else."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import BadWeights, WeightsUnavailable
from index.images import SIDE

LAYER = "block5_pool"
GRID = (7, 7, 512)  # flattened row by row: cell (0, 0)'s 512 channels first
DIMENSION = 25088

_UNTRAINED_SEED = 0
_DOWNLOAD_TIMEOUT = 30.0  # seconds without a byte

_one_at_a_time = threading.Lock()  # one embedding saturates the processor


@dataclass(frozen=True, slots=True)
class Vgg16:
    """VGG16 without its top. Safe to call from one thread at a time."""

    weights: str  # "imagenet", "untrained" or "file"
    sha256: str  # of the weights themselves, whatever file they came in
    _model: Any
    _run: Any

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(b, 224, 224, 3) RGB -> (b, 25088), each row of length 1."""
        vectors: npt.NDArray[np.float32] = self._run(pixels).numpy()
        return vectors

    def save(self, file: Path) -> None:
        """Writes the weights to ``file`` (``….weights.h5``) unless it is there; ``load`` reads it back."""
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{os.getpid()}-{file.name}")
        self._model.save_weights(fresh)
        fresh.replace(file)


def load(weights: str, *, name: str | None = None) -> Vgg16:
    """VGG16 with ``weights``: ``imagenet`` (downloaded by Keras once), ``untrained``, or a Keras ``.h5`` file.

    Args:
        name: what the weights are called afterwards; by default ``imagenet``, ``untrained`` or ``file``.

    Raises:
        WeightsUnavailable: ImageNet weights are neither here nor to be had.
        BadWeights: the file is missing or does not hold VGG16's weights.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # otherwise a page about the processor, on stderr
    with _quiet():
        import tensorflow as tf
        from keras.applications import vgg16

    model = vgg16.VGG16(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    if weights == "imagenet":
        model = _imagenet(vgg16.VGG16)
    elif weights == "untrained":
        _randomise(model)
    else:
        _read(model, Path(weights))

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def run(pixels: Any) -> Any:
        maps = model(vgg16.preprocess_input(tf.cast(pixels, tf.float32)), training=False)
        return tf.math.l2_normalize(tf.reshape(maps, (-1, DIMENSION)), axis=1)

    known = weights if weights in {"imagenet", "untrained"} else "file"
    return Vgg16(name or known, _fingerprint(model), model, run)


def weights_file(data: Path, sha256: str) -> Path:
    """Where a data directory keeps the weights of a checksum, so that the server needs no download."""
    return data / "weights" / f"{sha256}.weights.h5"


def embed_with(file: Path, name: str, sha256: str, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Unit vectors (b, 25088) of pictures (b, 224, 224, 3), by saved weights that are loaded at the first call.

    Threads take turns. The weights last used stay in memory.

    Raises:
        BadWeights: the file is missing, or does not hold the weights of that checksum.
    """
    with _one_at_a_time:
        return _loaded(file, name, sha256)(pixels)


@lru_cache(maxsize=1)
def _loaded(file: Path, name: str, sha256: str) -> Vgg16:
    embed = load(str(file), name=name)
    if embed.sha256 != sha256:
        raise BadWeights(f"{file} holds other weights than the posters were embedded with: build the snapshot again")
    return embed


def _imagenet(build: Any) -> Any:
    try:
        with _impatient():
            return build(include_top=False, weights="imagenet", input_shape=(SIDE, SIDE, 3))
    except Exception as error:  # Keras wraps what went wrong in a bare Exception
        raise WeightsUnavailable(
            f"the ImageNet weights of VGG16 could not be downloaded ({error}). Download"
            " vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 on a machine that can, and give"
            " --weights FILE; or give --weights untrained to try things out without them"
        ) from error


def _read(model: Any, file: Path) -> None:
    if not file.is_file():
        raise BadWeights(f"there is no weights file {file}: give a Keras .h5 file, imagenet or untrained")
    try:
        model.load_weights(file)
    except Exception as error:  # h5py and Keras raise many kinds for what is all the same to a user
        raise BadWeights(
            f"{file} does not hold the weights of VGG16 without its top, as Keras writes them"
            f" ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from error


def _randomise(model: Any) -> None:
    """He-normal kernels from a fixed seed: the same on every machine."""
    rng = np.random.default_rng(_UNTRAINED_SEED)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (tuple(weight.shape) for weight in layer.weights)
            fan_in = int(np.prod(kernel[:-1]))
            layer.set_weights([rng.normal(0, np.sqrt(2 / fan_in), kernel), np.zeros(bias)])


def _fingerprint(model: Any) -> str:
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow's library writes to stderr as it is loaded, and nothing turns that off."""
    if threading.current_thread() is not threading.main_thread():
        yield  # other threads may have something to say
        return
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _impatient() -> Iterator[None]:
    """A silent network gives up after a while; Keras' download has no timeout of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
