import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from index.core.errors import BadWeights, InvalidInput
from index.movie_index import MovieIndex
from index.posters.copies import load_copies
from index.posters.images import PREPROCESSING
from index.snapshot.store import SnapshotStore
from index.spaces.space import Space
from indexer.build import build
from indexer.config import BLEND, Plan
from indexer.models.factorization_machine import Settings
from posterity.cli.main import main
from tests.conftest import QUICK, World, poster


def test_the_manifest_says_what_was_built(world: World) -> None:
    manifest = world.manifest
    assert manifest.dataset["movies"] == 23
    assert manifest.dataset["rated_movies"] == 21
    assert manifest.dataset["users"] == 40
    poster_space = manifest.spaces["poster"]
    assert poster_space["dimension"] == 25088
    assert poster_space["metric"] == "inner product"
    assert poster_space["movies"] == 21
    assert poster_space["preprocessing"] == PREPROCESSING
    assert manifest.weights is not None
    assert manifest.weights["name"] == "untrained"
    assert manifest.spaces["taste"]["movies"] == 22  # movie 21 by its content
    assert manifest.spaces["facts"]["movies"] == 22
    assert manifest.blend == BLEND
    assert manifest.ratings["iterations"] == QUICK.iterations
    assert manifest.ratings["scale"] == [0.5, 5]
    assert manifest.posters == {"posters": 21, "embedded": 21, "replaced": 0, "unreadable": {}}


def test_the_manifest_says_how_good_it_is(world: World) -> None:
    evaluation = world.manifest.evaluation
    assert evaluation["held_out"] == world.manifest.dataset["ratings"] // 10
    assert evaluation["seed"] == 0
    rmse = {each["method"]: each["rmse"]["value"] for each in evaluation["methods"]}
    assert rmse["factorization-machine"] < rmse["movie-mean"]


def test_a_build_need_not_evaluate_itself(world: World, tmp_path: Path) -> None:
    manifest = build(Plan(world.ratings, tmp_path, settings=QUICK, evaluation=False))
    assert manifest.evaluation == {"left_out": "the snapshot was built with --no-evaluation"}
    changed = {n for n, file in manifest.files.items() if n.startswith("ratings/") and file != world.manifest.files[n]}
    assert changed == set()  # an evaluation does not change the model


def test_no_pickle_is_on_disk(world: World) -> None:
    folder = SnapshotStore(world.data).path()
    arrays = list(folder.rglob("*.npy"))
    assert len(arrays) > 10
    for file in arrays:
        np.load(file, allow_pickle=False)
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} == {".npy", ".faiss", ".json", ".webp"}


def test_stored_neighbours_are_what_a_search_would_find(world: World) -> None:
    folder = SnapshotStore(world.data).path()
    for name in ("poster", "taste", "facts"):
        space = Space.load(name, folder / name, world.manifest.spaces[name])
        for movie_id in space.ids.values.tolist():
            others = space.ids.values != movie_id
            searched = space.search(space.vector(movie_id), 10, allowed=others)
            stored = space.similar(movie_id, 10)
            assert [match.score for match in stored] == pytest.approx([match.score for match in searched], abs=1e-5)


def test_another_build_embeds_nothing_again_and_says_the_same(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    again = build(Plan(world.ratings, tmp_path / "data", world.posters, "untrained", QUICK))
    assert again.posters["embedded"] == 0
    assert again.id != world.manifest.id
    changed = {n for n, file in again.files.items() if file != world.manifest.files[n]}
    assert changed == set()  # the same input and seed give the same bytes
    assert SnapshotStore(tmp_path / "data").current_id() == again.id


def test_without_posters_there_is_taste_and_facts(world: World, tmp_path: Path) -> None:
    manifest = build(Plan(world.ratings, tmp_path, settings=QUICK))
    assert set(manifest.spaces) == {"taste", "facts"}
    assert manifest.blend == {name: BLEND[name] for name in ("taste", "facts")}
    assert manifest.weights is None
    assert not (tmp_path / "weights").exists()
    assert MovieIndex.open(tmp_path).similar(1, 3)


def test_ratings_alone_give_taste(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    rng = np.random.default_rng(0)
    pairs = [(user, movie) for user in range(20) for movie in range(15) if rng.random() < 0.6]
    file.write_text("\n".join(["user,item,rating", *(f"{u},{m},{rng.integers(1, 6)}" for u, m in pairs)]))
    manifest = build(Plan(file, tmp_path / "data", settings=QUICK))
    assert set(manifest.spaces) == {"taste"}
    assert manifest.blend == {"taste": 1}
    assert len(MovieIndex.open(tmp_path / "data").similar(3, 5)) == 5


@pytest.mark.parametrize(
    "lines",
    [["1,1,3"], ["1,1,3", "1,2,4", "1,3,5"], ["1,1,3", "2,1,4", "3,1,5"], ["1,1,3", "2,2,3", "3,1,3", "1,2,3"]],
    ids=["one rating", "one user", "one movie", "all the same"],
)
def test_the_smallest_data_sets_can_be_built_and_asked(tmp_path: Path, lines: list[str]) -> None:
    file = tmp_path / "tiny.csv"
    file.write_text("\n".join(["user,item,rating", *lines]))
    build(Plan(file, tmp_path / "data", settings=QUICK))
    index = MovieIndex.open(tmp_path / "data")
    movies = {int(line.split(",")[1]) for line in lines}
    assert {match.movie_id for match in index.similar(1, by="taste")} == movies - {1}
    low, high = index.manifest.ratings["scale"]
    for prediction in index.users.predict(1, sorted(movies)):
        assert low <= prediction.low <= prediction.rating <= prediction.high <= high
    assert "ratings are too few to hold some out" in index.manifest.evaluation["left_out"]


def test_unreadable_posters_are_listed_and_not_fatal(world: World, tmp_path: Path) -> None:
    posters = tmp_path / "posters"
    shutil.copytree(world.posters, posters)
    (posters / "1.jpg").write_text("no picture")
    shutil.copytree(world.data / "embeddings", tmp_path / "data" / "embeddings")
    manifest = build(Plan(world.ratings, tmp_path / "data", posters, "untrained", QUICK))
    assert list(manifest.posters["unreadable"]) == ["1"]
    assert manifest.posters["posters"] == 20
    catalogue = MovieIndex.open(tmp_path / "data").catalogue
    assert catalogue.posters[catalogue.ids.row(1)] is None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"ratings": Path("nowhere")}, InvalidInput, "there is no folder or file nowhere"),
        ({"posters": Path("nowhere")}, InvalidInput, "no poster folder nowhere"),
        ({"weights": "nowhere.h5"}, BadWeights, "no weights file nowhere.h5"),
    ],
)
def test_a_build_that_cannot_be_done_leaves_the_old_snapshot(
    world: World, tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    arguments = {"ratings": world.ratings, "posters": world.posters, "weights": "untrained"} | changes
    with pytest.raises(error, match=message):
        build(Plan(data=tmp_path / "data", settings=QUICK, **arguments))  # type: ignore[arg-type]
    store = SnapshotStore(tmp_path / "data")
    assert store.ids() == [world.manifest.id] == [store.current_id()]
    assert [path.name for path in (tmp_path / "data" / "snapshots").iterdir()] == [world.manifest.id]


@pytest.mark.system
def test_a_killed_build_leaves_the_old_snapshot_serving_and_the_next_goes_on(world: World, data: Path) -> None:
    """``test_embed`` kills one while it embeds, and the long tests of ``tests/soak`` at any moment."""
    snapshots = data / "snapshots"
    command = [sys.executable, "-m", "posterity", "build", "--ratings", str(world.ratings), "--data", str(data)]
    command += ["--iterations", "20000"]  # more than it has time for
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(snapshots.iterdir())) == 1 and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    store = SnapshotStore(data)
    assert len(list(snapshots.iterdir())) == 2
    assert store.current_id() == world.manifest.id
    assert store.ids() == [world.manifest.id]
    assert MovieIndex.open(data).similar(1, 3, by="poster")
    manifest = build(Plan(world.ratings, data, world.posters, "untrained", QUICK))
    assert manifest.posters["embedded"] == 0
    assert {path.name for path in snapshots.iterdir()} == {world.manifest.id, manifest.id}
    assert store.current_id() == manifest.id


def test_a_poster_that_was_replaced_is_noticed_and_embedded(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    shutil.copytree(world.posters, tmp_path / "posters")
    poster(15).save(tmp_path / "posters" / "1.jpg")
    manifest = build(Plan(world.ratings, tmp_path / "data", tmp_path / "posters", "untrained", QUICK))
    assert (manifest.posters["replaced"], manifest.posters["embedded"]) == (1, 1)
    # The new poster is that of movie 15, which is a PNG.
    assert "poster/copies.npy" in manifest.files
    assert load_copies(SnapshotStore(tmp_path / "data").path() / "poster") == [(1, 15)]
    assert load_copies(SnapshotStore(world.data).path() / "poster") == []
    counts = {match.copies for match in MovieIndex.open(tmp_path / "data").similar(11, by="poster", distinct=True)}
    assert counts == {0, 1}
    assert MovieIndex.open(tmp_path / "data").similar(1, 1, by="poster")[0].movie_id == 15


def test_the_manifest_has_the_path_and_the_recall_report(world: World) -> None:
    space = world.manifest.spaces["poster"]
    assert space["path"]["name"] in {"float32", "bfloat16", "gpu"}
    assert space["path"]["agreement"] >= 0.9999
    search = space["search"]
    assert search["index"] == "SQ8"
    report = search["card"]
    assert report["recall_at_10"] == 1
    assert report["milliseconds"] > 0
    assert [each["recall_at_10"] for each in report["filters"]] == [1, 1, 1]


def test_facts_of_any_columns_are_compared_with_their_weights(world: World, tmp_path: Path) -> None:
    facts = tmp_path / "facts.csv"
    facts.write_text("movieId,Director,mood\n1,Ann,dark\n11,Ann,bright\n2,Bob,dark\n12,Bob,dark\n")
    plan = Plan(world.ratings, tmp_path / "data", settings=Settings(2, 1, 6, 2), evaluation=False, facts=facts)
    manifest = build(replace(plan, label_weights={"directors": 5}))
    assert manifest.spaces["facts"]["weights"] == {
        "genres": 0.55, "year": 0.3, "tags": 0.15, "series": 0.3, "directors": 5, "mood": 0.05,
    }  # fmt: skip
    assert manifest.spaces["facts"]["how"].endswith("directors by idf, mood by idf")
    index = MovieIndex.open(tmp_path / "data")
    assert index.similar(1, 1, by="facts")[0].movie_id == 11
    with pytest.raises(
        InvalidInput, match="--facts-weight actors: there are no such facts of any movie; there are series, dir"
    ):
        build(replace(plan, label_weights={"actors": 1}))


@pytest.mark.parametrize("text", ["director", "=1", "director=much", "director=-1", "director=101"])
def test_a_weight_of_facts_that_is_none_is_refused(world: World, tmp_path: Path, text: str) -> None:
    words = ["build", "--ratings", str(world.ratings), "--data", str(tmp_path), "--facts-weight", text]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"--facts-weight {text}: write COLUMN=WEIGHT" in " ".join(result.stderr.split())
