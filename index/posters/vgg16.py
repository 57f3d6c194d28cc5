"""Pixels to unit vectors: VGG16's last pooling layer. TensorFlow is imported here and nowhere else.

The network runs on the fastest path that this machine has and that says the same as float32 on the processor: on a GPU,
or by oneDNN in bfloat16 where the processor multiplies it, or else in float32. A short check at the start decides.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, UInt8Array
from index.core.errors import BadWeights, WeightsUnavailable
from index.core.files import replacing
from index.posters.images import SIDE

IMAGENET_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
IMAGENET_MD5 = "6d6bbae143d832006294945121d1f1fc"  # of that file. Source: keras/src/applications/vgg16.py
LAYER = "block5_pool"
GRID = (7, 7, 512)  # flattened row by row: cell (0, 0)'s 512 channels first
DIMENSION = 25088

AGREEMENT = 0.9999  # cosine to float32 that a faster path must have

_UNTRAINED_SEED = 0
_DOWNLOAD_TIMEOUT = 30.0  # seconds without a byte

_BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # any of them multiplies it; without, oneDNN would emulate it slowly

log = logging.getLogger(__name__)

Run = Callable[[UInt8Array], Any]  # (b, 224, 224, 3) RGB -> tensor (b, 25088), rows of length 1

_one_at_a_time = threading.Lock()  # one embedding saturates the processor


@dataclass(frozen=True, slots=True)
class Vgg16:
    """VGG16 without its top. Safe to call from one thread at a time."""

    weights: str  # "imagenet", "untrained" or "file"
    sha256: str  # of the weights themselves, whatever file they came in
    path: str  # how the network runs here: "float32", "bfloat16" or "gpu"
    agreement: float  # the least cosine between this path's vectors and those of float32, in the check at the start
    _model: Any
    _run: Run

    def __call__(self, pixels: UInt8Array) -> Float32Array:
        """(b, 224, 224, 3) RGB -> (b, 25088), each row of length 1."""
        vectors: Float32Array = self._run(pixels).numpy()
        return vectors

    def save(self, file: Path) -> None:
        """Writes the weights to ``file`` (``….weights.h5``) unless it is there; ``load`` reads it back."""
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as fresh:
            self._model.save_weights(fresh)


def load(weights: str, *, name: str | None = None) -> Vgg16:
    """VGG16 with ``weights``: ``imagenet`` (downloaded by Keras once), ``untrained``, or a Keras ``.h5`` file.

    Args:
        name: what the weights are called afterwards; by default ``imagenet`` (the file that Keras publishes is that,
            too), ``untrained`` or ``file``.

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

    def compiled(device: str) -> Run:
        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8)])  # type: ignore[untyped-decorator]
        def run(pixels: Any) -> Any:
            with tf.device(device):
                maps = model(vgg16.preprocess_input(tf.cast(pixels, tf.float32)), training=False)
                return tf.math.l2_normalize(tf.reshape(maps, (-1, DIMENSION)), axis=1)

        function: Run = run
        return function

    faster: list[tuple[str, Run]] = []
    if tf.config.list_physical_devices("GPU"):
        faster.append(("gpu", compiled("/GPU:0")))
    if _processor_flags() & _BFLOAT16:
        faster.append(("bfloat16", in_bfloat16(tf, compiled("/CPU:0"))))
    path, run, agreement = choose_path(compiled("/CPU:0"), faster)
    return Vgg16(name or _name_of(weights), _fingerprint(model), path, agreement, model, run)


def choose_path(float32: Run, faster: Sequence[tuple[str, Run]]) -> tuple[str, Run, float]:
    """The first of the ``faster`` paths that says the same as ``float32``, or that itself; and how well it agrees.

    A path that fails, or whose vectors have a cosine of less than ``AGREEMENT`` to those of float32, is passed over.
    """
    for path, run in faster:
        pixels = _check_pictures()
        try:
            cosines = np.einsum("ij,ij->i", float32(pixels).numpy(), run(pixels).numpy())
        except Exception as error:  # noqa: BLE001  drivers and kernels fail in ways of their own; float32 never does
            log.warning("VGG16 does not run by %s here (%s): float32 is used", path, error)
            continue
        agreement = float(cosines.min())
        if agreement >= AGREEMENT:
            return path, run, agreement
        log.warning("VGG16 by %s differs from float32 (cosine %.5f): it is not used", path, agreement)
    return "float32", float32, 1.0


def weights_file(data: Path, sha256: str) -> Path:
    """Where a data directory keeps the weights of a checksum, so that the server needs no download."""
    return data / "weights" / f"{sha256}.weights.h5"


def embed_with(file: Path, name: str, sha256: str, pixels: UInt8Array) -> Float32Array:
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
            f" {IMAGENET_FILE} on a machine that can, and give"
            " --weights FILE; or give --weights untrained to try things out without them"
        ) from error


def _name_of(weights: str) -> str:
    if weights in {"imagenet", "untrained"}:
        return weights
    with Path(weights).open("rb") as stream:
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return "imagenet" if md5 == IMAGENET_MD5 else "file"


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


def _check_pictures() -> UInt8Array:
    """Two pictures (2, 224, 224, 3): noise, and a smooth slope with a disc."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:SIDE, :SIDE]
    slope = np.stack([down, across, SIDE - down], axis=-1)
    slope[(down - 80) ** 2 + (across - 120) ** 2 < 50**2] = (250, 220, 40)
    return np.stack([rng.integers(0, 256, slope.shape), slope]).astype(np.uint8)


def _processor_flags() -> set[str]:
    """What the processor can do, by Linux's names; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def in_bfloat16(tf: Any, run: Run) -> Run:
    """``run`` with its convolutions in bfloat16: TensorFlow rewrites the graph at the first call, under this option."""
    option = "auto_mixed_precision_onednn_bfloat16"

    def first(pixels: UInt8Array) -> Any:
        tf.config.optimizer.set_experimental_options({option: True})
        try:
            return run(pixels)
        finally:
            tf.config.optimizer.set_experimental_options({option: False})

    return first


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
