"""Poster embedding in bounded memory, with a cache keyed by picture content and weights.

Pictures are embedded one at a time: in a batch, the last bits of a vector depend on the pictures beside it, and so on
how the work was divided or where it was interrupted. Batches of two are 2% faster in float32.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from index.core.arrays import Float16Array, Float32Array, Int64Array, UInt8Array
from index.core.errors import BadImage, InvalidInput
from index.core.files import write_durably
from index.core.progress import Track, silent
from index.posters.images import decode_image, has_profile, pixels_for_vgg16, read_image
from index.posters.vgg16 import DIMENSION, Vgg16

_AHEAD = 16  # pictures decoded while the network runs
_DECODERS = min(4, os.cpu_count() or 1)
_BLOCK = 256  # vectors read at a time


class Cache:
    """Cache of embeddings on disk: one float16 file per picture, in a folder per weights and path.

    Its keys begin with the SHA-256 of a picture.
    """

    def __init__(self, folder: Path, weights_sha256: str, path: str) -> None:
        # Earlier versions had one folder for all paths: it stays float32's.
        self.folder = folder / (weights_sha256[:16] + ("" if path == "float32" else f"-{path}"))

    def get(self, key: str) -> Float16Array | None:
        """Return the unit vector (25088,) of a picture; None if it is not cached or its file is damaged."""
        try:
            content = self.read(key)
            vector = None if content is None else np.load(io.BytesIO(content))
        except (OSError, ValueError, EOFError):
            return None
        if vector is None:
            return None
        if vector.shape != (DIMENSION,) or vector.dtype not in (np.float16, np.float32):
            return None
        length = np.linalg.norm(vector.astype(np.float32))
        if abs(length - 1) > 1e-3:
            return None
        half: Float16Array = vector.astype(np.float16)  # earlier versions wrote float32
        return half

    def put(self, key: str, vector: Float32Array) -> None:
        """Write a vector atomically, so that a killed build leaves a valid cache."""
        content = io.BytesIO()
        np.save(content, vector.astype(np.float16))
        self.write(key, content.getvalue())

    def read(self, key: str) -> bytes | None:
        """Return the file of a vector; None if there is none."""
        try:
            return self.file(key).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Write the file of a vector atomically."""
        file = self.file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, content)

    def file(self, key: str) -> Path:
        """Return the path of a vector's file."""
        return self.folder / key[:2] / f"{key}.npy"


class NoReadablePoster(InvalidInput):
    """Posters of which none can be read; ``reasons`` by movie id."""

    def __init__(self, message: str, reasons: Mapping[int, str]) -> None:
        super().__init__(message)
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Cached embeddings of the readable posters, and the reasons why the others are unreadable."""

    movie_ids: Int64Array  # (n,) ascending
    contents: tuple[str, ...]  # (n,) SHA-256 of each picture
    keys: tuple[str, ...]  # (n,) of the cache
    unreadable: Mapping[int, str]  # movie_id -> reason
    embedded: int  # pictures that were not in the cache
    cache: Cache

    def __len__(self) -> int:
        """Return the number of readable posters."""
        return len(self.contents)

    def blocks(self) -> Iterator[Float16Array]:
        """Yield the vectors in order, in blocks (b, 25088) of a few hundred rows.

        Raises:
            InvalidInput: a vector was deleted from the cache during the build.
        """
        for start in range(0, len(self), _BLOCK):
            part = self.keys[start : start + _BLOCK]
            block = np.empty((len(part), DIMENSION), dtype=np.float16)
            for at, key in enumerate(part):
                known = self.cache.get(key)
                if known is None:
                    movie_id = self.movie_ids[start + at]
                    raise InvalidInput(
                        f"the embedding of movie {movie_id} was deleted from {self.cache.folder}: build again"
                    )
                block[at] = known
            yield block

    @property
    def vectors(self) -> Float32Array:
        """All unit vectors, (n, 25088); the catalogue must fit into memory."""
        vectors = np.empty((len(self), DIMENSION), dtype=np.float32)
        np.concatenate(list(self.blocks()), out=vectors)
        return vectors


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to embed."""

    content: str  # its SHA-256
    key: str  # in the cache
    file: Path


class EmbedMissing(Protocol):
    """Function that embeds pictures: here, or on other machines."""

    def __call__(
        self, pictures: Sequence[Picture], embed: Vgg16, cache: Cache, *, track: Track = silent
    ) -> Mapping[str, str]:
        """Embed pictures into the cache; return content -> reason of those that cannot be decoded."""


def embed_missing(
    pictures: Sequence[Picture], embed: Vgg16, cache: Cache, *, track: Track = silent
) -> Mapping[str, str]:
    """Embed pictures into the cache, one by one; return content -> reason of those that cannot be decoded."""
    failed: dict[str, str] = {}
    for picture, pixels in _decoded(track(pictures, "Embedding posters", len(pictures)), failed):
        (vector,) = embed(pixels[None])
        cache.put(picture.key, vector)
    return failed


def embed_posters(
    posters: Mapping[int, Path],
    embed: Vgg16,
    cache_folder: Path,
    *,
    over: EmbedMissing = embed_missing,
    track: Track = silent,
) -> Embeddings:
    """Embed every readable poster that is not in the cache.

    Pictures are identified by content, so a file replaced under the same name is embedded again.

    Args:
        posters: movie id -> image file, ids ascending.
        embed: the network.
        cache_folder: folder of the cache, kept between builds.
        over: embeds what is not in the cache.
        track: shows progress.

    Raises:
        InvalidInput: no file is readable.
    """
    cache = Cache(cache_folder, embed.sha256, embed.path)
    contents: dict[int, str] = {}
    keys: dict[str, str] = {}  # by content
    unreadable: dict[int, str] = {}
    missing: dict[str, Picture] = {}  # by content
    for movie_id, file in track(posters.items(), "Reading posters", len(posters)):
        try:
            picture = read_image(file)
        except (OSError, BadImage) as error:
            unreadable[movie_id] = str(error)
            continue
        contents[movie_id] = content = hashlib.sha256(picture).hexdigest()
        keys[content] = _key(content, picture)
        if content not in missing and cache.get(keys[content]) is None:
            missing[content] = Picture(content, keys[content], file)

    failed = over(list(missing.values()), embed, cache, track=track) if missing else {}
    kept = {movie_id: content for movie_id, content in contents.items() if content not in failed}
    unreadable |= {movie_id: failed[content] for movie_id, content in contents.items() if content in failed}
    if not kept:
        movie_id, reason = next(iter(unreadable.items()))
        problem = f"none of the {len(posters)} posters could be read; {posters[movie_id]}: {reason}"
        raise NoReadablePoster(problem, dict(sorted(unreadable.items())))
    return Embeddings(
        np.array(list(kept), dtype=np.int64),
        tuple(kept.values()),
        tuple(keys[content] for content in kept.values()),
        dict(sorted(unreadable.items())),
        len(missing) - len(failed),
        cache,
    )


def _key(content_sha256: str, picture: bytes) -> str:
    """Return the key of a picture in the cache: earlier versions embedded colours without their profile."""
    return f"{content_sha256}-srgb" if has_profile(picture) else content_sha256


def _decoded(pictures: Iterable[Picture], failed: dict[str, str]) -> Iterator[tuple[Picture, UInt8Array]]:
    """Yield pictures with their pixels; add undecodable ones to ``failed``.

    Threads decode the next pictures while the caller embeds one.
    """
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode") as decoders:
        waiting: deque[tuple[Picture, Future[UInt8Array]]] = deque()
        remaining = iter(pictures)
        try:
            while True:
                for picture in islice(remaining, _AHEAD - len(waiting)):
                    waiting.append((picture, decoders.submit(_read_pixels, picture)))
                if not waiting:
                    break
                picture, decoded = waiting.popleft()
                try:
                    pixels = decoded.result()
                except (OSError, BadImage) as error:
                    failed[picture.content] = str(error)
                else:
                    yield picture, pixels
        finally:
            for _, decoded in waiting:
                decoded.cancel()


def _read_pixels(picture: Picture) -> UInt8Array:
    content = read_image(picture.file)
    if hashlib.sha256(content).hexdigest() != picture.content:
        raise BadImage("the file was replaced during the build: build again")
    return pixels_for_vgg16(decode_image(content))
