"""Work over two real workers on this machine. All of it is long; ``test_tasks`` says the same in one process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from index.core.errors import PosterityError
from index.movie_index import MovieIndex
from index.posters import vgg16
from index.snapshot.store import SnapshotStore
from indexer import build as build_module
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.models import cold_start
from indexer.models.all_users import subsample_users
from indexer.spaces.embed import embed_posters
from indexer.spark.cluster import connected
from indexer.spark.posters import embed_over
from indexer.spark.work import work_over
from tests.conftest import QUICK, World, poster
from tests.spark_cluster import LocalCluster, environment, missing, running

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        with running() as cluster:
            yield cluster


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_build_over_two_workers_is_the_one_of_this_process(
    local: LocalCluster, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Training.of(read_dataset(world.ratings)).values.size // 2
    for module in (build_module, cold_start):  # as of more ratings than a model is fitted to
        monkeypatch.setattr(module, "subsample_users", lambda training, rng, *_: subsample_users(training, rng, half))
    settings = replace(QUICK, iterations=60, burn_in=20)
    snapshots = []
    for name in ("here", "over"):
        plan = Plan(world.ratings, tmp_path / name, world.posters, "untrained", settings, evaluation=False)
        if name == "here":
            manifest = build(plan)
        else:
            with connected(local.master, None, plan.data) as cluster:
                manifest = build(plan, work=work_over(cluster, plan.data))
        assert manifest.posters["embedded"] == len(list(world.posters.iterdir()))
        assert manifest.ratings["trained_on"]["ratings"] <= half
        snapshots.append(files_of(SnapshotStore(plan.data).path()))
    assert files_of(tmp_path / "here" / "embeddings") == files_of(tmp_path / "over" / "embeddings")
    assert not list((tmp_path / "over" / "work").rglob("*.*"))
    here, over = snapshots
    differing = {name for name in here.keys() | over.keys() if here.get(name) != over.get(name)}
    # The manifest has times and ids of its own; the recall report measures milliseconds.
    assert differing <= {"manifest.json"}
    opened = MovieIndex.open(tmp_path / "over")
    assert opened.similar(3, by="blend")


@dataclass(frozen=True)
class KillFirst:
    """A task that once, when it has done some items, kills the executor that it runs in."""

    task: object
    marker: str

    def __call__(self, items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        yield from self.task(items)  # type: ignore[operator]
        with suppress(FileExistsError):
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
            daemon = os.getppid()
            executor = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
            for process in (executor, daemon, os.getpid()):
                os.kill(process, signal.SIGKILL)


def test_a_worker_that_is_killed_changes_no_byte(local: LocalCluster, tmp_path: Path) -> None:
    found = {}
    (tmp_path / "posters").mkdir()
    for movie_id in range(1, 21):
        found[movie_id] = tmp_path / "posters" / f"{movie_id}.png"
        poster(movie_id).save(found[movie_id])
    embed, over = vgg16.load("untrained"), tmp_path / "embeddings"
    with connected(local.master, None, tmp_path) as cluster:
        run = cluster.run
        killing = lambda task, *rest, **options: run(KillFirst(task, str(tmp_path / "killed")), *rest, **options)  # noqa: E731
        cluster.run = killing  # type: ignore[method-assign]
        embed_posters(found, embed, over, over=embed_over(cluster, tmp_path))
    assert (tmp_path / "killed").exists()
    embed_posters(found, embed, tmp_path / "here")
    assert files_of(over) == files_of(tmp_path / "here")


def test_whatever_a_worker_cannot_do_is_told_in_its_words(local: LocalCluster, tmp_path: Path) -> None:
    with connected(local.master, None, tmp_path) as cluster:
        with pytest.raises(PosterityError, match="a worker of Spark: there is no such thing"):
            cluster.run(_refuse, ["1"], "refusing")
        with pytest.raises(PosterityError, match="the work on Spark failed: ZeroDivisionError"):
            cluster.run(_fail, ["1"], "failing")


def _refuse(_items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    raise PosterityError("there is no such thing")
    yield


def _fail(_items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    yield "1", str(1 // 0).encode()
