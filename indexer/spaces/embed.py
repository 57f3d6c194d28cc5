"""Posters to unit vectors, none of them twice: a cache by content and weights. Memory is bounded, however many."""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from index.core.arrays import Float16Array, Float32Array, Int64Array, UInt8Array
from index.core.errors import BadImage, InvalidInput
from index.core.files import write_durably
from index.core.progress import Track, silent
from index.posters.images import decode_image, pixels_for_vgg16, read_image
from index.posters.vgg16 import DIMENSION, Vgg16
from index.spaces.faiss_index import halved

_BATCH = 2  # where the pictures still fit the processor's cache; larger ones are slower
_AHEAD = 16  # pictures decoded while the network runs
_DECODERS = min(4, os.cpu_count() or 1)
_BLOCK = 256  # vectors read at a time


class Cache:
    """Vectors on disk, one file a picture, under the weights that made them.

    They are kept in float16, as they are searched.
    """

    def __init__(self, folder: Path, weights_sha256: str) -> None:
        self.folder = folder / weights_sha256[:16]

    def get(self, content_sha256: str) -> Float16Array | None:
        """The vector (25088,) of a picture; None where it is not known, or its file is damaged."""
        try:
            vector = np.load(self._file(content_sha256))
        except (OSError, ValueError, EOFError):
            return None
        if vector.shape != (DIMENSION,) or vector.dtype not in (np.float16, np.float32):
            return None
        length = np.linalg.norm(vector.astype(np.float32))
        if abs(length - 1) > 1e-3:
            return None
        return vector if vector.dtype == np.float16 else halved(vector)  # of an earlier version: float32

    def put(self, content_sha256: str, vector: Float32Array) -> None:
        """Keeps a vector; a build killed meanwhile leaves the whole file or none."""
        file = self._file(content_sha256)
        file.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, halved(vector))
        write_durably(file, content.getvalue())

    def _file(self, content_sha256: str) -> Path:
        return self.folder / content_sha256[:2] / f"{content_sha256}.npy"


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of the posters that could be read, left in the cache; and why the others could not."""

    movie_ids: Int64Array  # (n,) ascending
    contents: tuple[str, ...]  # (n,) SHA-256 of each picture
    unreadable: Mapping[int, str]  # movie_id -> reason
    embedded: int  # how many pictures were not in the cache
    cache: Cache

    def __len__(self) -> int:
        """How many posters could be read."""
        return len(self.contents)

    def blocks(self) -> Iterator[Float16Array]:
        """The vectors in order, a few hundred rows (b, 25088) at a time.

        Raises:
            InvalidInput: a vector vanished from the cache meanwhile.
        """
        for start in range(0, len(self), _BLOCK):
            part = self.contents[start : start + _BLOCK]
            block = np.empty((len(part), DIMENSION), dtype=np.float16)
            for at, content in enumerate(part):
                known = self.cache.get(content)
                if known is None:
                    movie_id = self.movie_ids[start + at]
                    raise InvalidInput(f"the vector of movie {movie_id} vanished from {self.cache.folder}: build again")
                block[at] = known
            yield block

    @property
    def vectors(self) -> Float32Array:
        """All of them, (n, 25088), of length 1: for catalogues that fit into memory."""
        together = np.empty((len(self), DIMENSION), dtype=np.float32)
        np.concatenate(list(self.blocks()), out=together)
        return together


def embed_posters(
    posters: Mapping[int, Path], embed: Vgg16, cache_folder: Path, *, track: Track = silent
) -> Embeddings:
    """Unit vectors of every readable poster.

    A picture that was replaced under the same name is another picture: what counts is its content.

    Args:
        posters: movie id -> image file, ids ascending.
        cache_folder: where vectors are kept between builds.

    Raises:
        InvalidInput: not one file could be read.
    """
    cache = Cache(cache_folder, embed.sha256)
    contents: dict[int, str] = {}
    unreadable: dict[int, str] = {}
    missing: dict[str, Path] = {}
    for movie_id, file in track(posters.items(), "Reading posters", len(posters)):
        try:
            contents[movie_id] = content = hashlib.sha256(read_image(file)).hexdigest()
        except (OSError, BadImage) as error:
            unreadable[movie_id] = str(error)
            continue
        if content not in missing and cache.get(content) is None:
            missing[content] = file

    failed: dict[str, str] = {}
    for batch in _batches(track(missing.items(), "Embedding posters", len(missing)), failed):
        vectors = embed(np.stack([pixels for _, pixels in batch]))
        for (content, _), vector in zip(batch, vectors, strict=True):
            cache.put(content, vector)

    kept = {movie_id: content for movie_id, content in contents.items() if content not in failed}
    unreadable |= {movie_id: failed[content] for movie_id, content in contents.items() if content in failed}
    if not kept:
        movie_id, reason = next(iter(unreadable.items()))
        raise InvalidInput(f"none of the {len(posters)} posters could be read; {posters[movie_id]}: {reason}")
    return Embeddings(
        np.array(list(kept), dtype=np.int64),
        tuple(kept.values()),
        dict(sorted(unreadable.items())),
        len(missing) - len(failed),
        cache,
    )


def _batches(posters: Iterable[tuple[str, Path]], failed: dict[str, str]) -> Iterator[list[tuple[str, UInt8Array]]]:
    """Decoded pictures, a few at a time; what cannot be decoded goes to ``failed``.

    A few more are decoded by other threads while the caller works on what it was given.
    """
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode") as decoders:
        waiting: deque[tuple[str, Future[UInt8Array]]] = deque()
        coming = iter(posters)
        batch: list[tuple[str, UInt8Array]] = []
        try:
            while True:
                for content, file in islice(coming, _AHEAD - len(waiting)):
                    waiting.append((content, decoders.submit(_pixels_of, file, content)))
                if not waiting:
                    break
                content, decoded = waiting.popleft()
                try:
                    batch.append((content, decoded.result()))
                except (OSError, BadImage) as error:
                    failed[content] = str(error)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        finally:
            for _, decoded in waiting:
                decoded.cancel()
    if batch:
        yield batch


def _pixels_of(file: Path, content_sha256: str) -> UInt8Array:
    content = read_image(file)
    if hashlib.sha256(content).hexdigest() != content_sha256:
        raise BadImage("it was replaced while it was read: build again")
    return pixels_for_vgg16(decode_image(content))
