"""Posters embedded over partitions: one network in each process of a worker, into the same cache as without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from index.core.errors import BadWeights, InvalidInput
from index.core.progress import Track, silent
from index.posters import vgg16
from index.posters.vgg16 import Vgg16
from indexer.spaces.embed import Cache, EmbedMissing, Picture, embed_missing
from indexer.spark.cluster import Cluster, received
from indexer.spark.shared import PICTURES, REMEDY, Shared, SharedCache


@dataclass(frozen=True, slots=True)
class EmbedPosters:
    """Task whose items are pictures: embed those that are not in the cache; the result is a reason, or empty."""

    weights: str  # name of the file that was sent
    name: str  # of the weights in the manifest
    sha256: str
    path: str  # of the driver's network
    shared: Shared

    def __call__(self, items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the items with the reasons of those that cannot be decoded."""
        cache = SharedCache(self.shared, self.sha256, self.path)
        pictures = [Picture(content, key, self._file(file)) for content, key, file in map(json.loads, items)]
        missing = [picture for picture in pictures if cache.get(picture.key) is None]
        failed: Mapping[str, str] = {}
        if missing:
            network = _network(str(received(self.weights)), self.name, self.sha256, self.path)
            failed = embed_missing(missing, network, cache)
        for item, picture in zip(items, pictures, strict=True):
            yield item, failed.get(picture.content, "").encode()

    def _file(self, name: str) -> Path:
        if self.shared.data is None:
            return self.shared.copy_of(name)
        if not Path(name).is_file():
            raise InvalidInput(f"there is no {name} on this machine: {REMEDY}; the folder of posters, too")
        return Path(name)


def embed_over(cluster: Cluster, data: Path) -> EmbedMissing:
    """Return the function that embeds pictures on a cluster.

    Args:
        cluster: of workers whose processors have the instructions of this one, for the same bytes.
        data: the data directory, where the weights are saved.
    """

    def embed(pictures: Sequence[Picture], embed: Vgg16, cache: Cache, *, track: Track = silent) -> Mapping[str, str]:
        file = vgg16.weights_file(data, embed.sha256)
        embed.save(file)
        shared = cluster.shared
        task = EmbedPosters(cluster.broadcast(file), embed.weights, embed.sha256, embed.path, shared)
        remote = None if shared.data is not None else SharedCache(shared, embed.sha256, embed.path)
        missing = [picture for picture in pictures if remote is None or not _fetched(picture, remote, cache)]
        sent = {picture.content: _sent(picture, shared) for picture in missing}
        items = [json.dumps([each.content, each.key, sent[each.content]]) for each in missing]
        results = cluster.run(task, items, "Embedding posters", track=track)
        failed = {json.loads(item)[0]: reason.decode() for item, reason in results if reason}
        if remote is not None:
            for picture in missing:
                _fetched(picture, remote, cache)
            shared.delete(sent.values())
        return failed

    return embed


def _fetched(picture: Picture, remote: Cache, cache: Cache) -> bool:
    """Copy a vector from the shared cache into the one of this machine; return False if it is not there."""
    content = remote.read(picture.key)
    if content is not None:
        cache.write(picture.key, content)
    return cache.get(picture.key) is not None


def _sent(picture: Picture, shared: Shared) -> str:
    """Return the name of a picture's file for workers, where they see it."""
    if shared.data is not None:
        return str(picture.file.resolve())
    name = f"{PICTURES}/{picture.content}"
    shared.storage.upload(picture.file, name)
    return name


@lru_cache(maxsize=1)
def _network(file: str, name: str, sha256: str, path: str) -> Vgg16:
    """Return the network of this process, which is the driver's.

    Raises:
        BadWeights: this machine runs it in another way.
    """
    embed = vgg16.load(file, path=path if path in vgg16.PATHS else "auto", name=name)
    if (embed.sha256, embed.path) != (sha256, path):
        raise BadWeights(
            f"VGG16 runs in {embed.path} on this machine, and in {path} where the build was started: give --embed-path"
            " float32, or machines of one kind"
        )
    return embed
