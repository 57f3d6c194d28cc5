"""Posters to unit vectors, none of them twice: a cache by content and weights."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.errors import BadData, BadImage
from index.images import decode_image, pixels_for_vgg16, read_image
from index.track import Track, silent
from index.vgg16 import DIMENSION, Vgg16

_BATCH = 8  # more is no faster on a processor


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of the posters that could be read, and why the others could not."""

    movie_ids: npt.NDArray[np.int64]  # (n,) ascending
    vectors: npt.NDArray[np.float32]  # (n, 25088), of length 1
    unreadable: Mapping[int, str]  # movie_id -> reason
    embedded: int  # how many pictures were not in the cache


class Cache:
    """Vectors on disk, one file a picture, under the weights that made them."""

    def __init__(self, folder: Path, weights_sha256: str) -> None:
        self._folder = folder / weights_sha256[:16]

    def get(self, content_sha256: str) -> npt.NDArray[np.float32] | None:
        """The vector (25088,) of a picture; None where it is not known, or its file is damaged."""
        try:
            vector: npt.NDArray[np.float32] = np.load(self._file(content_sha256))
        except (OSError, ValueError, EOFError):
            return None
        return vector if vector.shape == (DIMENSION,) and vector.dtype == np.float32 else None

    def put(self, content_sha256: str, vector: npt.NDArray[np.float32]) -> None:
        """Keeps a vector; a build killed meanwhile leaves the whole file or none."""
        file = self._file(content_sha256)
        file.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, vector)
        fresh = file.with_name(f".{os.getpid()}-{file.name}")
        fresh.write_bytes(content.getbuffer())
        fresh.replace(file)

    def _file(self, content_sha256: str) -> Path:
        return self._folder / content_sha256[:2] / f"{content_sha256}.npy"


def embed_posters(
    posters: Mapping[int, Path], embed: Vgg16, cache_folder: Path, *, track: Track = silent
) -> Embeddings:
    """Unit vectors of every readable poster.

    Args:
        posters: movie id -> image file, ids ascending.
        cache_folder: where vectors are kept between builds.

    Raises:
        BadData: not one file could be read.
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

    kept = [movie_id for movie_id, content in contents.items() if content not in failed]
    unreadable |= {movie_id: failed[content] for movie_id, content in contents.items() if content in failed}
    if not kept:
        movie_id, reason = next(iter(unreadable.items()))
        raise BadData(f"none of the {len(posters)} posters could be read; {posters[movie_id]}: {reason}")
    together = np.empty((len(kept), DIMENSION), dtype=np.float32)
    for row, movie_id in enumerate(kept):
        known = cache.get(contents[movie_id])
        if known is None:
            raise BadData(f"the vector of {posters[movie_id]} vanished from {cache_folder}: build again")
        together[row] = known
    embedded = len(missing) - len(failed)
    return Embeddings(np.array(kept, dtype=np.int64), together, dict(sorted(unreadable.items())), embedded)


def _batches(
    posters: Iterable[tuple[str, Path]], failed: dict[str, str]
) -> Iterator[list[tuple[str, npt.NDArray[np.uint8]]]]:
    """Decoded pictures, a few at a time; what cannot be decoded goes to ``failed``."""
    batch: list[tuple[str, npt.NDArray[np.uint8]]] = []
    for content, file in posters:
        try:
            batch.append((content, pixels_for_vgg16(decode_image(read_image(file)))))
        except (OSError, BadImage) as error:
            failed[content] = str(error)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
