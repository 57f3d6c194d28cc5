"""Work over two real workers on this machine. All of it is long; ``test_tasks`` says the same in one process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import PosterityError
from index.core.progress import silent
from index.movie_index import MovieIndex
from index.posters import vgg16
from index.snapshot.store import SnapshotStore
from index.spaces.neighbours import load_neighbours
from indexer import build as build_module
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Predictor, Training
from indexer.models import baselines, cold_start
from indexer.models.all_users import subsample_users
from indexer.spaces.embed import embed_posters
from indexer.spark.als import IMPLICIT_NAME, NAME, methods_of
from indexer.spark.cluster import connected
from indexer.spark.posters import embed_over
from indexer.spark.work import work_over
from tests.conftest import QUICK, World, poster
from tests.spark_cluster import LocalCluster, environment, missing, running

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]


EVERYONE = replace(QUICK, iterations=60, burn_in=20)


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
    plan = Plan(world.ratings, tmp_path / "here", world.posters, "untrained", EVERYONE, evaluation=False)
    built_twice(local, plan, monkeypatch)
    assert files_of(tmp_path / "here" / "embeddings") == files_of(tmp_path / "over" / "embeddings")
    assert len(files_of(tmp_path / "over" / "embeddings")) == len(list(world.posters.iterdir()))
    assert MovieIndex.open(tmp_path / "over").similar(3, by="blend")


@pytest.mark.realdata
def test_a_build_of_movielens_is_the_same_over_two_workers(
    local: LocalCluster, realdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings = realdata / "ml-latest-small-2016"
    built_twice(local, Plan(ratings, tmp_path / "here", settings=EVERYONE, evaluation=False, learn=False), monkeypatch)


def built_twice(local: LocalCluster, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build in this process, and over the cluster beside it; the snapshots must have the same files.

    The model is fitted to half of the ratings, as if there were too many, so that users are solved for.
    """
    assert plan.ratings is not None
    half = Training.of(read_dataset(plan.ratings)).values.size // 2
    for module in (build_module, cold_start):
        monkeypatch.setattr(module, "subsample_users", lambda training, rng, *_: subsample_users(training, rng, half))
    assert build(plan).ratings["trained_on"]["ratings"] <= half
    over = replace(plan, data=plan.data.with_name("over"))
    with connected(local.master, None, over.data) as cluster:
        build(over, work=work_over(cluster, over.data))
    assert not list((over.data / "work").rglob("*.*"))
    here, there = (files_of(SnapshotStore(each.data).path()) for each in (plan, over))
    # The manifest has times and ids of its own. Estimates of a blend are sums of BLAS, whose order depends on threads.
    differing = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}
    assert differing <= {"manifest.json", "blend/neighbour_scores.npy", "blend/neighbour_rows.npy"}
    one, other = (load_neighbours(SnapshotStore(each.data).path() / "blend") for each in (plan, over))
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    assert np.mean(one.rows == other.rows) > 0.999


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


def test_als_of_mllib_knows_who_loves_what(local: LocalCluster, world: World, tmp_path: Path) -> None:
    training = Training.of(read_dataset(world.ratings))
    rng = np.random.default_rng(0)
    held_out = rng.random(training.values.size) < 0.2
    part, test = training.take(~held_out), training.take(held_out)
    with connected(local.master, None, tmp_path) as cluster:
        ratings, rankers = methods_of(cluster.session)
        fitted = {name: each.fit(part, rng, each.settings, track=silent) for name, each in (ratings | rankers).items()}
    assert list(fitted) == [NAME, IMPLICIT_NAME]

    def error(predictor: Predictor) -> float:
        predicted = predictor.predict(test.user_rows, test.movie_rows)
        return float(np.sqrt(np.mean(np.square(predicted - test.values))))

    assert error(fitted[NAME]) < 0.7 * error(baselines.fit(part, rng))
    for user in range(0, 40, 7):  # watched movies come first: both kinds are watched alike
        scores = fitted[IMPLICIT_NAME].scores(user)
        watched = np.isin(np.arange(scores.size), part.movie_rows[part.user_rows == user])
        assert scores[watched].mean() > scores[~watched].mean()


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
