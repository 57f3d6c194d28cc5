"""Parameters of all users over partitions: a block of users is solved for by the worker that reads its ratings.

The driver writes the ratings of each block as a Parquet file, and the parameters of the movies once. Blocks and their
random numbers are those of ``indexer.models.all_users``, and so are the results.
"""

from __future__ import annotations

import io
import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float64Array, save_arrays
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models.all_users import BLOCK, Given, SolveUsers, UserBlock, solve_blocks, user_blocks, with_users
from indexer.models.factorization_machine import Posterior
from indexer.spark.cluster import Cluster, received
from indexer.spark.shared import WORK, Shared


@dataclass(frozen=True, slots=True)
class SolveBlocks:
    """Task whose items are blocks of users: solve for them, and write their parameters; the results are empty."""

    given: tuple[str, ...]  # names of the files of ``Given`` that were sent, in the order of its fields
    folder: str  # of this job
    shared: Shared

    def __call__(self, items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the items."""
        given = _given(self.given)
        samples, n_movies, factors = given.shape
        for item in items:
            start, count, entropy, key = json.loads(item)
            rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))
            ratings = _read_parquet(self.shared.read(_ratings(self.folder, start)))
            block = UserBlock.of(start, (count, n_movies), *ratings, rng)
            drawn = np.empty((samples, count, factors + 1), dtype=np.float32)
            for at, _, of_users, bias in solve_blocks(given, [block]):
                drawn[at, :, :-1], drawn[at, :, -1] = of_users, bias
            content = io.BytesIO()
            np.save(content, drawn)
            self.shared.storage.write(_drawn(self.folder, start), content.getvalue())
            yield item, b""


def solve_over(cluster: Cluster, size: int = BLOCK) -> SolveUsers:
    """Return the function that solves for all users on a cluster; ``size`` is the number of users in a block."""

    def solve(
        posterior: Posterior, training: Training, rng: np.random.Generator, *, track: Track = silent
    ) -> Posterior:
        shared, token = cluster.shared, secrets.token_hex(8)
        folder, given = f"{WORK}/{token}", Given.of(posterior)
        items = []
        for block in user_blocks(training, rng, size):
            shared.storage.write(_ratings(folder, block.start), _parquet(block))
            seed: Any = block.rng.bit_generator.seed_seq
            items.append(json.dumps([block.start, block.rated.shape[0], seed.entropy, list(seed.spawn_key)]))
        starts = [int(json.loads(item)[0]) for item in items]
        try:
            with tempfile.TemporaryDirectory() as sent:
                save_arrays(given, Path(sent) / token)
                names = []
                for field in fields(Given):
                    file = Path(sent) / token / f"{field.name}.npy"
                    names.append(cluster.broadcast(file.rename(file.with_name(f"{token}-{file.name}"))))
                task = SolveBlocks(tuple(names), folder, shared)
                cluster.run(task, items, "Taste of all users", most=1, track=track)
            return with_users(posterior, len(training.users), _results(shared, folder, starts))
        finally:
            shared.delete(name for start in starts for name in (_ratings(folder, start), _drawn(folder, start)))

    return solve


def _results(
    shared: Shared, folder: str, starts: Sequence[int]
) -> Iterator[tuple[int, int, Float64Array, Float64Array]]:
    for start in starts:
        drawn = np.load(io.BytesIO(shared.read(_drawn(folder, start))))
        for at, of_sample in enumerate(drawn):
            yield at, start, of_sample[:, :-1], of_sample[:, -1]


def _ratings(folder: str, start: int) -> str:
    return f"{folder}/ratings-{start:09d}.parquet"


def _drawn(folder: str, start: int) -> str:
    return f"{folder}/users-{start:09d}.npy"


def _parquet(block: UserBlock) -> bytes:
    """Return the ratings of a block as Parquet: user (row in the block), movie (row), rating."""
    import pyarrow as pa
    from pyarrow import parquet

    rated = block.values.tocoo()
    columns = {"user": rated.row.astype(np.int32), "movie": rated.col.astype(np.int32), "rating": rated.data}
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content)
    return content.getvalue()


def _read_parquet(content: bytes) -> tuple[Any, Any, Any]:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    return table["user"].to_numpy(), table["movie"].to_numpy(), table["rating"].to_numpy()


@lru_cache(maxsize=1)
def _given(names: tuple[str, ...]) -> Given:
    return Given(*(np.load(received(name), mmap_mode="r") for name in names))
