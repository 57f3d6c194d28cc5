"""Embedding of pixels as unit vectors: VGG16's last pooling layer. TensorFlow is imported here and nowhere else.

The network runs on one of three paths: in float32 on the processor, in bfloat16 on the processor, or on a GPU. By
default it takes the fastest path of this machine that agrees with float32: a check on two images decides at loading.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, UInt8Array
from index.core.errors import BadWeights, InvalidInput, WeightsUnavailable
from index.core.files import replacing
from index.posters.images import SIDE

IMAGENET_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
IMAGENET_MD5 = "6d6bbae143d832006294945121d1f1fc"  # of that file. Source: keras/src/applications/vgg16.py
IMAGENET_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"  # of its numbers, in any file
LAYER = "block5_pool"
GRID = (7, 7, 512)  # flattened row by row: cell (0, 0)'s 512 channels first
DIMENSION = 25088

PATHS = ("auto", "float32", "bfloat16")  # values of ``path`` in ``load``

# Lowest cosine to float32 of a path that may be used. bfloat16 has 8 significant bits, so rounding changes a number by
# at most 2^-8 of itself, in root mean square by e = .0017. Each of the 13 convolutions rounds three times (kernel,
# product, sum with the bias). Independent roundings change a vector by e sqrt(39) = .0104 of its length, and so its
# cosine by .0104^2 / 2 = 5e-5.
AGREEMENT = 0.9999

_UNTRAINED_SEED = 0
_DOWNLOAD_TIMEOUT = 30.0  # seconds without a byte
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # processors with one of these multiply bfloat16 faster than float32
_UNUSED_BY_KERAS = {"matplotlib", "pandas", "sklearn"}  # by the parts of it that run here

log = logging.getLogger(__name__)

Run = Callable[[UInt8Array], Any]  # (b, 224, 224, 3) RGB -> tensor (b, 25088) float32, rows of length 1

_one_at_a_time = threading.Lock()  # one embedding saturates the processor


@dataclass(frozen=True, slots=True)
class Vgg16:
    """VGG16 without its top. Not thread-safe."""

    weights: str  # "imagenet", "untrained" or "file"
    sha256: str  # of the weights, independent of the file format
    path: str  # "float32", "bfloat16" or "gpu"
    agreement: float  # lowest cosine between this path's vectors and those of float32, on the two images of the check
    _model: Any
    _run: Run

    def __call__(self, pixels: UInt8Array) -> Float32Array:
        """Return unit vectors (b, 25088) of RGB images (b, 224, 224, 3)."""
        vectors: Float32Array = self._run(pixels).numpy()
        return vectors

    def save(self, file: Path) -> None:
        """Write the weights to ``file`` (``….weights.h5``), also over one that a power cut left empty; for ``load``."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as fresh:
            self._model.save_weights(fresh)


def load(weights: str, *, path: str = "auto", name: str | None = None) -> Vgg16:
    """Load VGG16 and choose the path that it runs on.

    Args:
        weights: ``imagenet`` (Keras downloads them once), ``untrained``, or a Keras ``.h5`` file.
        path: ``float32`` or ``bfloat16``, both on the processor; ``auto`` for the fastest path that agrees with
            float32. Any processor runs bfloat16, faster than float32 only if it has instructions for it.
        name: name of the weights in the manifest; by default ``imagenet`` (for these numbers in any file),
            ``untrained`` or ``file``.

    Raises:
        InvalidInput: the path is unknown.
        WeightsUnavailable: the ImageNet weights are not in Keras' cache and cannot be downloaded.
        BadWeights: the file is missing or does not hold VGG16's weights, or the path does not agree with float32.
    """
    if path not in PATHS:
        raise InvalidInput(f"there is no embedding path {path!r}: give one of {', '.join(PATHS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # without it TensorFlow prints the processor's features
    with _silent_stderr(), hidden_packages():
        import tensorflow as tf
        from keras.applications import vgg16

    model = vgg16.VGG16(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    if weights == "imagenet":
        model = _imagenet(vgg16.VGG16)
    elif weights == "untrained":
        _randomise(model)
    else:
        _read(model, Path(weights))

    float32 = _compiled(model, "/CPU:0")
    native = has_bfloat16()
    faster: list[tuple[str, Run]] = []
    if path == "auto" and tf.config.list_physical_devices("GPU"):
        faster.append(("gpu", _compiled(model, "/GPU:0")))
    if path == "bfloat16" or (path == "auto" and native):
        faster.append(("bfloat16", in_bfloat16(_compiled(model, "/CPU:0")) if native else cast_to_bfloat16(model)))
    chosen, run, agreement = choose_path(float32, faster)
    if path not in {"auto", chosen}:
        raise BadWeights(
            f"VGG16 in {path} does not agree with float32 here, with the weights {weights} (see the log):"
            " give --embed-path float32 or auto (POSTERITY_EMBED_PATH)"
        )
    sha256 = _fingerprint(model)
    return Vgg16(name or _name_of(weights, sha256), sha256, chosen, agreement, model, run)


def choose_path(float32: Run, faster: Sequence[tuple[str, Run]]) -> tuple[str, Run, float]:
    """Return name, function and agreement of the first faster path that agrees with float32; else float32.

    A path that fails, or whose vectors have a cosine below ``AGREEMENT`` to those of float32, is skipped and logged.
    """
    for path, run in faster:
        pixels = _check_images()
        try:
            cosines = np.einsum("ij,ij->i", float32(pixels).numpy(), run(pixels).numpy())
        except Exception as error:  # noqa: BLE001  drivers and kernels raise many kinds; float32 has no such failures
            log.warning("VGG16 does not run by %s here (%s): float32 is used", path, error)
            continue
        agreement = float(cosines.min())
        if agreement >= AGREEMENT:
            return path, run, agreement
        log.warning("VGG16 by %s differs from float32 (cosine %.5f): it is not used", path, agreement)
    return "float32", float32, 1.0


def in_bfloat16(run: Run) -> Run:
    """Return ``run`` with its convolutions in bfloat16: TensorFlow rewrites the graph at the first call.

    Only for processors that multiply bfloat16: on others the graph stays in float32.
    """
    import tensorflow as tf

    option = "auto_mixed_precision_onednn_bfloat16"

    def rewritten(pixels: UInt8Array) -> Any:
        tf.config.optimizer.set_experimental_options({option: True})
        try:
            return run(pixels)
        finally:
            tf.config.optimizer.set_experimental_options({option: False})

    return rewritten


def cast_to_bfloat16(model: Any) -> Run:
    """Return a copy of the network with kernels, biases and activations in bfloat16, for any processor."""
    from keras import models

    def in_mixed_precision(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})

    copy = models.clone_model(model, clone_function=in_mixed_precision)
    copy.set_weights(model.get_weights())
    return _compiled(copy, "/CPU:0")


def weights_file(data: Path, sha256: str) -> Path:
    """Return the path of saved weights in a data directory; the server loads them without a download."""
    return data / "weights" / f"{sha256}.weights.h5"


def embed_with(file: Path, name: str, sha256: str, pixels: UInt8Array, *, path: str = "auto") -> Float32Array:
    """Return unit vectors (b, 25088) of RGB images (b, 224, 224, 3), by saved weights.

    The weights are loaded at the first call; the last ones used stay in memory. Thread-safe: calls run one at a time.

    Args:
        file: saved weights.
        name: their name in the manifest.
        sha256: their checksum.
        pixels: the images.
        path: as in ``load``.

    Raises:
        BadWeights: the file is missing, holds weights of another checksum, or the path does not agree with float32.
    """
    with _one_at_a_time:
        return _loaded(file, name, sha256, path)(pixels)


@lru_cache(maxsize=1)
def _loaded(file: Path, name: str, sha256: str, path: str) -> Vgg16:
    embed = load(str(file), path=path, name=name)
    if embed.sha256 != sha256:
        raise BadWeights(
            f"{file} holds other weights than those the posters were embedded with: build the snapshot again"
        )
    return embed


def _compiled(model: Any, device: str) -> Run:
    """Return the compiled network from pixels to unit vectors, on a device of TensorFlow."""
    import tensorflow as tf
    from keras.applications import vgg16

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def run(pixels: Any) -> Any:
        with tf.device(device):
            maps = model(vgg16.preprocess_input(tf.cast(pixels, tf.float32)), training=False)
            return tf.math.l2_normalize(tf.cast(tf.reshape(maps, (-1, DIMENSION)), tf.float32), axis=1)

    function: Run = run
    return function


def _imagenet(build: Any) -> Any:
    try:
        with _download_timeout():
            return build(include_top=False, weights="imagenet", input_shape=(SIDE, SIDE, 3))
    except Exception as error:  # Keras raises bare Exceptions
        raise WeightsUnavailable(
            f"the ImageNet weights of VGG16 could not be downloaded ({error}). Download"
            f" {IMAGENET_FILE} on a machine that can, and give"
            " --weights FILE; or give --weights untrained to try things out without them"
        ) from error


def _name_of(weights: str, sha256: str) -> str:
    if sha256 == IMAGENET_SHA256:
        return "imagenet"
    return weights if weights in {"imagenet", "untrained"} else "file"


def _read(model: Any, file: Path) -> None:
    if not file.is_file():
        raise BadWeights(f"there is no weights file {file}: give a Keras .h5 file, imagenet or untrained")
    try:
        model.load_weights(file)
    except Exception as error:  # h5py and Keras raise many kinds for an unusable file
        raise BadWeights(
            f"{file} does not hold the weights of VGG16 without its top, as Keras writes them"
            f" ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from error


def _randomise(model: Any) -> None:
    """Set He-normal kernels and zero biases, from a fixed seed: the same on every machine."""
    rng = np.random.default_rng(_UNTRAINED_SEED)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (tuple(weight.shape) for weight in layer.weights)
            fan_in = int(np.prod(kernel[:-1]))
            layer.set_weights([rng.normal(0, np.sqrt(2 / fan_in), kernel), np.zeros(bias)])


def _check_images() -> UInt8Array:
    """Return two images (2, 224, 224, 3): noise, and a gradient with a disc."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:SIDE, :SIDE]
    slope = np.stack([down, across, SIDE - down], axis=-1)
    slope[(down - 80) ** 2 + (across - 120) ** 2 < 50**2] = (250, 220, 40)
    return np.stack([rng.integers(0, 256, slope.shape), slope]).astype(np.uint8)


def has_bfloat16() -> bool:
    """Return True if the processor has instructions for bfloat16; False if that is unknown, as outside Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return not _BFLOAT16_FLAGS.isdisjoint(flags)


def _fingerprint(model: Any) -> str:
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Silence stderr while TensorFlow's library is loaded: it prints there, and no option prevents it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # stderr belongs to all threads, and others may log
        return
    saved = os.dup(2)
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextmanager
def hidden_packages() -> Iterator[None]:
    """Hide packages that Keras imports wherever they are installed: they take a third of its time, and do nothing."""
    finder = _Hiding(threading.get_ident())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@dataclass(frozen=True)
class _Hiding(MetaPathFinder):
    """Finder of modules that finds some packages to be missing, in one thread."""

    thread: int

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        """Raise ModuleNotFoundError for a hidden package; leave all others to the finders after this one."""
        if name in _UNUSED_BY_KERAS and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"{name} is hidden from Keras", name=name)


@contextmanager
def _download_timeout() -> Iterator[None]:
    """Set a timeout on sockets: Keras' download has none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
