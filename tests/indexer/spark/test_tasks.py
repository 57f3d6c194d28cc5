"""The tasks of workers in this process, which takes the part of a cluster of one; ``test_cluster`` has a real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from index.catalogue.catalogue import Catalogue
from index.core.errors import BadWeights, InvalidInput, PosterityError
from index.core.progress import Track, silent
from index.posters import vgg16
from index.snapshot.store import SnapshotStore
from index.spaces.neighbours import load_neighbours
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.models.all_users import Given, solve_all_users, solve_blocks, user_blocks, with_users
from indexer.models.factorization_machine import Posterior, Settings, fit
from indexer.spaces.embed import Cache, embed_posters
from indexer.spaces.neighbours import BlendFinder, Finder, SpaceFinder
from indexer.spark import posters as posters_module
from indexer.spark import users as users_module
from indexer.spark.cluster import Task, connected
from indexer.spark.neighbours import find_over
from indexer.spark.posters import EmbedPosters, embed_over
from indexer.spark.shared import Shared, SharedCache
from indexer.spark.users import solve_over
from posterity.cli.main import main
from tests.conftest import World, poster


class Here:
    """A cluster of this process: it runs each partition of two items by itself, the last one first."""

    cores = 1

    def __init__(self, shared: Shared, sent: Path) -> None:
        self.shared = shared
        self._sent = sent

    def broadcast(self, file: Path) -> str:
        shutil.copy(file, self._sent)
        return file.name

    def run(
        self, task: Task, items: Sequence[str], _label: str, *, most: int = 2, track: Track = silent
    ) -> list[tuple[str, bytes]]:
        assert track is silent
        parts = [list(task(items[start : start + most])) for start in reversed(range(0, len(items), most))]
        return [each for part in reversed(parts) for each in part]


@pytest.fixture(params=["memory", *(pytest.param(each, marks=pytest.mark.long) for each in ("data", "folder"))])
def cluster(request: pytest.FixtureRequest, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cluster whose workers see the data directory, another folder, or an address that is no path."""
    sent = tmp_path / "sent"
    sent.mkdir()
    for module in (posters_module, users_module):
        monkeypatch.setattr(module, "received", lambda name: sent / name)
    places = {"data": None, "folder": str(tmp_path / "seen by all"), "memory": f"memory://{tmp_path.name}"}
    data = world.data if request.node.name.startswith("test_neighbours") else tmp_path
    return Here(Shared.of(places[request.param], data), sent)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.npy")}


def left_over(cluster: Here) -> list[str]:
    return [name for folder in ("work", "pictures") for name in cluster.shared.storage.sizes(folder)]


def test_posters_have_the_same_bytes_and_go_on_where_work_ended(cluster: Here, tmp_path: Path) -> None:
    found = {}
    for movie_id in (1, 2, 3, 11, 12):
        found[movie_id] = tmp_path / f"{movie_id}.png"
        poster(movie_id).save(found[movie_id])
    found[13] = tmp_path / "13.png"
    found[13].write_bytes(found[1].read_bytes()[:60])  # its header is whole
    embed = vgg16.load("untrained")
    here = embed_posters(found, embed, tmp_path / "here")
    over = tmp_path / "embeddings"
    first = embed_posters(dict(list(found.items())[:2]), embed, over, over=embed_over(cluster, tmp_path))  # type: ignore[arg-type]
    assert first.embedded == 2
    both = embed_posters(found, embed, over, over=embed_over(cluster, tmp_path))  # type: ignore[arg-type]
    assert (both.embedded, both.unreadable) == (3, here.unreadable)
    assert files_of(over) == files_of(tmp_path / "here")
    assert not left_over(cluster)
    if cluster.shared.data is None:  # a cache that was lost here is still there
        shutil.rmtree(over)
        (tmp_path / "sent" / f"{embed.sha256}.weights.h5").unlink()
        embed_posters(found, embed, over, over=embed_over(cluster, tmp_path))  # type: ignore[arg-type]
        assert files_of(over) == files_of(tmp_path / "here")


def test_a_worker_with_another_network_is_refused(cluster: Here, tmp_path: Path) -> None:
    found = {1: tmp_path / "1.png"}
    poster(1).save(found[1])
    other = replace(vgg16.load("untrained"), path="gpu")
    with pytest.raises(BadWeights, match=r"runs in .* on this machine, and in gpu where the build was started"):
        embed_posters(found, other, tmp_path / "embeddings", over=embed_over(cluster, tmp_path))  # type: ignore[arg-type]


def test_a_poster_that_a_worker_cannot_see_is_named(tmp_path: Path) -> None:
    task = EmbedPosters("weights", "untrained", "0" * 64, "float32", Shared.of(None, tmp_path))
    with pytest.raises(InvalidInput, match=r"there is no /nowhere/1.jpg on this machine: let all machines see"):
        list(task(['["content", "key", "/nowhere/1.jpg"]']))


@pytest.fixture(scope="module")
def fitted(world: World) -> tuple[Posterior, Training]:
    training = Training.of(read_dataset(world.ratings))
    return fit(training, np.random.default_rng(0), Settings(factors=3, chains=1, iterations=60)), training


def test_users_have_the_same_factors(cluster: Here, fitted: tuple[Posterior, Training]) -> None:
    pytest.importorskip("pyarrow", reason="make test-spark installs it")
    posterior, training = fitted
    blocks = list(user_blocks(training, np.random.default_rng(1), 7))
    assert [block.start for block in blocks] == [0, 7, 14, 21, 28, 35]
    here = with_users(posterior, len(training.users), solve_blocks(Given.of(posterior), blocks))
    over = solve_over(cluster, 7)(posterior, training, np.random.default_rng(1))  # type: ignore[arg-type]
    np.testing.assert_array_equal(over.user_factors, here.user_factors)
    np.testing.assert_array_equal(over.user_bias, here.user_bias)
    assert not left_over(cluster)


def test_blocks_do_not_change_who_a_user_is(fitted: tuple[Posterior, Training]) -> None:
    posterior, training = fitted
    (whole,) = user_blocks(training, np.random.default_rng(1))
    assert (whole.rated != training.rated).nnz == 0
    assert (whole.values != training.user_items).nnz == 0
    solved = solve_all_users(posterior, training, np.random.default_rng(1))
    again = solve_all_users(posterior, training, np.random.default_rng(1))
    np.testing.assert_array_equal(solved.user_factors, again.user_factors)


@pytest.mark.parametrize("name", ["poster", "taste", "facts", "blend"])
def test_neighbours_are_those_that_the_build_stored(cluster: Here, world: World, name: str) -> None:
    root = SnapshotStore(world.data).path()
    manifest = world.manifest
    finder: Finder = SpaceFinder(name, manifest.spaces.get(name, {}).get("search"))
    if name == "blend":
        catalogue = Catalogue.from_json(json.loads((root / "movies.json").read_text()))
        finder = BlendFinder(manifest.spaces, manifest.blend, catalogue.ids)
    stored = load_neighbours(root / name)
    size = 64 if name == "blend" else 5  # its last bits depend on the block, which is 64 in a build
    blocks = [(start, min(start + size, len(stored))) for start in range(0, len(stored), size)]
    found = list(find_over(cluster)(finder, root, blocks, stored.depth, name, silent))  # type: ignore[arg-type]
    rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    np.testing.assert_array_equal(rows, stored.rows)
    np.testing.assert_array_equal(scores, stored.scores)
    assert not left_over(cluster)


@pytest.mark.parametrize(
    ("master", "problem"),
    [
        ("http://host:7077", "'http://host:7077' is no master of Spark: write spark://HOST:7077"),
        ("spark://host", "spark://host has no port: write spark://HOST:7077"),
        ("spark://127.0.0.1:1", "there is no answer from spark://127.0.0.1:1 .*is the master running"),
    ],
)
def test_a_master_that_is_none_is_named(master: str, problem: str, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="make test-spark installs it")
    with pytest.raises(PosterityError, match=problem), connected(master, None, tmp_path):
        pass


@pytest.mark.skipif(find_spec("pyspark") is not None, reason="pyspark is installed")
def test_without_pyspark_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"pip install 'posterity\[spark\]'"), connected("local[1]", None, tmp_path):
        pass


def test_the_folder_of_a_cluster_needs_one() -> None:
    ended = CliRunner().invoke(main, ["build", "--spark-folder", "s3://films/work"])
    assert ended.exit_code == 2
    assert "--spark-folder is the folder of a cluster: give --spark, or leave it out" in ended.output


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'s4://films' is no storage"), connected("local[1]", "s4://films", tmp_path):
        pass


def test_the_cache_in_a_storage_has_the_layout_on_disk(tmp_path: Path) -> None:
    local = Cache(tmp_path / "embeddings", "ab" * 32, "float32")
    shared = SharedCache(Shared.of(None, tmp_path), "ab" * 32, "float32")
    assert shared.get("0" * 64) is None
    vector = np.zeros(25088, dtype=np.float32)
    vector[3] = 1
    shared.put("0" * 64, vector)
    np.testing.assert_array_equal(local.get("0" * 64), vector)
