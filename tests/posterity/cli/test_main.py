from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.sources import sample_folder
from indexer.sample import sample_movies
from posterity.cli.console import DurationType, NumberRange, SizeType
from posterity.cli.main import main
from tests.conftest import DEMO_POSTERS, QUICK, SPACE, World
from tests.serving import free_port, get, serving


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="posterity")


def test_similar_is_a_table_that_names_the_film(world: World) -> None:
    result = run("similar", "Starship 3", "--by", "taste", "-k", 4, "--data", world.data)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("Movies like Starship 3 (1973) by taste")
    assert len([line for line in lines if "Starship" in line]) == 5


def test_similar_says_when_weights_are_untrained(world: World) -> None:
    assert "untrained weights" in run("similar", 3, "--by", "poster", "--data", world.data).output
    assert "untrained weights" not in run("similar", 3, "--by", "taste", "--data", world.data).output


def test_similar_as_json_is_what_the_api_says(world: World) -> None:
    reply = json.loads(run("similar", "imdb:tt0000003", "--json", "--data", world.data).output)
    assert reply["movie"]["movie_id"] == 3
    assert reply["by"] == "blend"
    assert {match["movie"]["movie_id"] for match in reply["results"][:5]} <= {*SPACE, 21}
    assert reply["snapshot"] == world.manifest.id
    assert reply["weights"] == "untrained"


def test_similar_shows_each_picture_once_with_its_copies(copied_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = MovieIndex.open(copied_data).spaces["poster"].vector(3)
    monkeypatch.setattr(MovieIndex, "embed", lambda *_: vector)
    picture = copied_data / "posters" / "3.jpg"
    for query, copies in ((["3", "--by", "poster"], 10), (["4", "5"], 11), (["--poster", picture], 11)):
        arguments = ("similar", *query, "--data", copied_data)
        shown = json.loads(run(*arguments, "--distinct", "--json").stdout)["results"]
        assert sorted(match["copies"] for match in shown) == [0] * 9 + [copies]
        table = run(*arguments, "--distinct").stdout.splitlines()
        assert [line for line in table if line.rstrip().endswith("Copies")]
        assert len([line for line in table if line.rstrip().endswith(f" {copies}")]) == 1
        assert "Copies" not in run(*arguments).stdout
        assert all("copies" not in match for match in json.loads(run(*arguments, "--json").stdout)["results"])


def test_a_picture_is_compared(world: World) -> None:
    result = run("similar", "--poster", world.posters / "3.jpg", "-k", 1, "--json", "--data", world.data)
    assert json.loads(result.output)["results"][0]["movie"]["movie_id"] == 3


def test_predictions_and_recommendations(world: World) -> None:
    result = run("predict", 2, 3, "Starship 4", "--json", "--data", world.data)
    assert [p["movie"]["movie_id"] for p in json.loads(result.output)["results"]] == [3, 4]
    table = run("predict", 2, 3, "--data", world.data).output
    assert "Predicted ratings by user 2" in table
    assert " to " in table
    result = run("recommend", 2, "-k", 2, "--json", "--data", world.data)
    assert len(json.loads(result.output)["results"]) == 2
    assert "Recommended to user 2" in run("recommend", 2, "--data", world.data).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["similar", "starship"], "'starship' fits 10 movies, give an id: "),
        (["similar", "zzz"], "no movie is called 'zzz'"),
        (["similar", "20", "--by", "poster"], "id 20) has no poster"),
        (["predict", "99", "1"], "there is no user 99 here"),
        (["recommend", "99"], "there is no user 99 here"),
        (["snapshots", "verify", "monday"], "holds no snapshot 'monday'"),
        (["snapshots", "rollback"], "nothing to roll back to"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(world: World, arguments: list[str], message: str) -> None:
    result = run(*arguments, "--data", world.data)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["similar"],
        ["similar", "1", "--poster", __file__],
        ["similar", "--poster", __file__, "--by", "taste"],
        ["similar", "1", "-k", "0"],
    ],
)
def test_wrong_usage_is_exit_code_2(world: World, arguments: list[str]) -> None:
    assert run(*arguments, "--data", world.data).exit_code == 2


def test_a_build_without_any_ratings_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (["build"], ["build", "--every", "1d"]):
        result = run(*arguments, "--data", tmp_path)
        assert result.exit_code == 1
        assert "fetch some (posterity fetch movielens), or give --ratings" in result.stderr


def test_nothing_built_says_what_to_run(tmp_path: Path) -> None:
    for arguments in (["similar", "1"], ["serve"], ["snapshots", "verify"]):
        result = run(*arguments, "--data", tmp_path)
        assert result.exit_code == 1
        assert "run posterity build" in result.stderr
    assert "no snapshot yet" in run("snapshots", "list", "--data", tmp_path).output


def test_snapshots_are_listed_verified_rolled_back_and_pruned(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    result = run("build", "--ratings", world.ratings, "--data", data)
    assert result.exit_code == 0
    second = SnapshotStore(data).current_id()
    assert f"Snapshot {second} is published" in result.output
    listed = json.loads(run("snapshots", "list", "--json", "--data", data).output)
    assert [(entry["id"], entry["current"], entry["weights"]) for entry in listed] == [
        (world.manifest.id, False, "untrained"),
        (second, True, None),
    ]
    assert "files are as they were built" in run("snapshots", "verify", "--data", data).output
    assert f"{world.manifest.id} is served" in run("snapshots", "rollback", "--data", data).output
    (SnapshotStore(data).path() / "manifest.json").write_text("{}")
    table = run("snapshots", "list", "--data", data).output
    assert "damaged" in table
    assert f"*   {world.manifest.id}" in table
    assert "manifest.json" in run("snapshots", "verify", "--data", data).stderr
    run("snapshots", "rollback", second, "--data", data)
    assert f"Deleted {world.manifest.id}" in run("snapshots", "prune", "--keep", 1, "--data", data).output
    assert "Nothing to delete" in run("snapshots", "prune", "--data", data).output


def test_a_build_without_weights_says_how_to_give_a_file(world: World, tmp_path: Path) -> None:
    arguments = ["build", "--ratings", world.ratings, "--posters", world.posters, "--data", tmp_path]
    result = run(*arguments, "--weights", tmp_path / "none.h5")
    assert result.exit_code == 1
    assert "give a Keras .h5 file, imagenet or untrained" in result.stderr


def test_evaluation_is_a_table_and_a_report(world: World, tmp_path: Path) -> None:
    how = ("--ratings", world.ratings, "--folds", 2, "--iterations", 30, "--output", tmp_path / "report")
    some = ("--method", "als", "--method", "factorization-machine")
    sections = json.loads(run("evaluate", *how, *some, "--json").stdout)
    methods = {each["method"]: each for each in sections["ratings-kfold"]["methods"]}
    assert set(methods) == {"als", "factorization-machine"}
    rmse = methods["als"]["figures"]["rmse"]
    assert rmse["low"] < rmse["value"] < rmse["high"]
    assert len(methods["als"]["folds"]) == 2
    assert methods["factorization-machine"]["settings"]["iterations"] == 30
    result = run("evaluate", *how, "--protocol", "cold", "--protocol", "time", "--method", "biases")
    assert "2-fold cross-validation over movies" in result.stdout
    assert "the newest 20% of ratings" in result.stdout
    assert f"The report is {tmp_path / 'report' / 'report.html'}" in result.stdout
    # Sections of several runs gather in one report.
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert set(report["sections"]) == {"ratings-kfold", "ratings-cold", "ratings-time"}
    assert not (tmp_path / "report" / "unfinished").exists()


def test_recommendations_and_similarity_are_evaluated(world: World, tmp_path: Path) -> None:
    judged = tmp_path / "judged.csv"
    judged.write_text("a,b,alike\n1,2,1\n1,12,0\n11,12,1\n3,13,0\n1,99,1\n")
    how = ("--ratings", world.ratings, "--folds", 2, "--iterations", 30, "--output", tmp_path / "report")
    table = run("evaluate", *how, "--ranking").stdout
    assert "nDCG@10" in table
    assert "served" in table
    result = run("evaluate", *how, "--similarity", "--judged", judged, "--film", 3)
    table = result.stdout
    assert "1 judged pairs left out, of movies that are not in the catalogue (such as movie 99)" in result.stderr
    assert "Co-liked" in table
    assert "Weights of the blend, by all evidence: taste" in table
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<svg") == 5
    assert "Nearest neighbours of Starship 3 (1973)" in page
    assert 'src="' not in page  # nothing else is needed
    assert "http" not in page.replace("http://www.w3.org", "")
    section = json.loads((tmp_path / "report" / "report.json").read_text())["sections"]["similarity"]
    taste = next(each for each in section["methods"] if each["method"] == "taste")
    assert taste["figures"]["judged"]["value"] == 1
    assert "1 judged pairs left out" in section["warnings"][0]


def test_a_gallery_is_a_table_and_a_page(world: World, tmp_path: Path) -> None:
    how = ("--ratings", world.ratings, "--iterations", 30, "--output", tmp_path, "--gallery", "--film", 3)
    result = run("evaluate", *how)
    assert "Nearest to Starship 3 (1973)" in result.stdout
    assert "Factors by gradient descent" in result.stdout
    assert f"The gallery is {tmp_path / 'gallery.html'}" in result.stdout
    assert "The report is" not in result.stdout
    assert (tmp_path / "gallery.html").read_text().count("<figure") == 1 + 3 * 4
    assert json.loads(run("evaluate", *how, "--json").stdout)["gallery"] == json.loads(
        (tmp_path / "gallery.json").read_text()
    ) | {"kind": "gallery"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--film", 999), "no movie 999"),
        (("--film", "Starship 3"), "no movie Starship 3"),
        (("--posters", "nowhere"), "nowhere"),
        (("--judged", __file__), "expected names of three columns"),
    ],
)
def test_what_similarity_cannot_use_is_refused_before_anything_is_fitted(
    world: World, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = run("evaluate", "--ratings", world.ratings, "--output", tmp_path / "report", "--all", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ranking", "--similarity"),
        ("--ranking", "--protocol", "cold"),
        ("--similarity", "--method", "als"),
        ("--all", "--protocol", "kfold"),
        ("--gallery", "--all"),
        ("--gallery", "--method", "als"),
        ("--film", 3),
    ],
)
def test_options_of_evaluate_that_do_not_go_together_are_refused(world: World, arguments: tuple[object, ...]) -> None:
    result = run("evaluate", "--ratings", world.ratings, *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_settings_are_tuned_and_a_build_takes_them(world: World, tmp_path: Path) -> None:
    file = tmp_path / "tuned.json"
    how = ("--ratings", world.ratings, "--folds", 2, "--output", file)
    table = run("tune", *how, "--method", "ease", "--set", "regularization=5,50,500").stdout
    assert "best first" in table
    assert f"posterity build --tuned {file}" in table
    report = json.loads(file.read_text())
    assert (report["metric"], len(report["trials"]), len(report["nested"])) == ("ndcg_10", 3, 2)
    data = tmp_path / "data"
    built = run("build", "--ratings", world.ratings, "--data", data, "--iterations", 30, "--tuned", file, "--json")
    manifest = json.loads(built.stdout)
    chosen = manifest["ratings"]["ranker"]["settings"]
    assert chosen.get("ease", report["settings"]) == report["settings"]
    run("tune", *how, "--method", "als", "--trials", 2)
    assert len(json.loads(file.read_text())["trials"]) == 2
    result = run("build", "--ratings", world.ratings, "--data", data, "--tuned", file)
    assert result.exit_code == 1
    assert "tunes als, which builds do not use" in result.stderr


def test_someone_new_is_known_by_what_they_rate(world: World) -> None:
    new = ("-", "--rated", "Starship 3=5", "--rated", "12=1", "--data", world.data)
    result = json.loads(run("predict", *new, 4, 14, "--json").stdout)
    space, wedding = result["results"]
    assert result["user_id"] is None
    assert space["rating"] > wedding["rating"]
    table = run("recommend", *new).stdout
    assert "Recommended to someone new" in table
    assert "Starship 3 " not in table


def test_a_prediction_is_explained(world: World) -> None:
    table = run("predict", 2, "Starship 4", "--explain", "--data", world.data).stdout
    assert "Contributions to the prediction for Starship 4" in table
    assert "anyone" in table
    assert "others" in table
    reply = json.loads(run("predict", 2, 4, "--explain", "--json", "--data", world.data).stdout)
    assert len(reply["explanation"]["contributions"]) == 10


@pytest.mark.parametrize(
    "arguments", [("recommend", "-"), ("recommend", 2, "--rated", "1=4"), ("predict", "-", 3, "--rated", "1")]
)
def test_someone_new_without_ratings_is_wrong_usage(world: World, arguments: tuple[object, ...]) -> None:
    assert run(*arguments, "--data", world.data).exit_code == 2


def test_movies_like_several_and_unlike_another(world: World) -> None:
    shown = json.loads(run("similar", 1, 2, "--unlike", 12, "--by", "poster", "--json", "--data", world.data).stdout)
    assert [movie["movie_id"] for movie in shown["like"]] == [1, 2]
    assert [movie["movie_id"] for movie in shown["unlike"]] == [12]
    assert {match["movie"]["movie_id"] for match in shown["results"][:5]} <= {*SPACE, 21} - {1, 2}
    table = run("similar", 1, 2, "--unlike", 12, "--data", world.data).stdout
    assert "Movies like Starship 1 (1971) and Starship 2 (1972) by blend, unlike Wedding, The 12 (2002)" in table
    assert run("similar", "--unlike", 12, "--data", world.data).exit_code == 2


@pytest.mark.parametrize("size", ["lots", "0", "-1GB", "2 elephants", ""])
def test_a_size_that_is_none_is_wrong_usage(world: World, tmp_path: Path, size: str) -> None:
    result = run("build", "--ratings", world.ratings, "--data", tmp_path, "--memory", size)
    assert result.exit_code == 2
    assert "is no size: write 500MB or 2GB" in result.stderr


@pytest.mark.parametrize(("text", "size"), [("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), ("1.5G", 15 * 10**8), ("7", 7)])
def test_sizes_are_as_people_write_them(text: str, size: int) -> None:
    assert SizeType().convert(text, None, None) == size


@pytest.mark.parametrize("period", ["often", "0s", "0.5s", "-6h", "6", "6 weeks", "367d", ""])
def test_a_period_that_is_none_is_wrong_usage(world: World, tmp_path: Path, period: str) -> None:
    result = run("build", "--ratings", world.ratings, "--data", tmp_path, "--every", period)
    assert result.exit_code == 2
    assert "is no duration from 1s to 366d: write 90s, 30m, 6h or 1d" in result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("6h", 21600), ("1d", 86400), ("1.5 H", 5400)]
)
def test_periods_are_as_people_write_them(text: str, seconds: float) -> None:
    assert DurationType().convert(text, None, None) == seconds


def test_a_build_keeps_every_snapshot_unless_it_is_told_how_many(world: World, tmp_path: Path) -> None:
    def build(*more: object) -> Result:
        return run("build", "--ratings", world.ratings, "--iterations", 30, "--data", tmp_path, *more)

    assert "Deleted" not in build().output + build().output
    first, second = SnapshotStore(tmp_path).ids()
    assert build("--keep", 1).output.splitlines()[-1] == f"Deleted {first}, {second}"
    assert len(SnapshotStore(tmp_path).ids()) == 1
    assert json.loads(build("--keep", 1, "--json").stdout)["id"] == SnapshotStore(tmp_path).current_id()


def test_a_build_says_how_far_off_its_predictions_are_unless_it_should_not_ask(world: World, tmp_path: Path) -> None:
    arguments = ("build", "--ratings", world.ratings, "--iterations", 30, "--data", tmp_path)
    result = run(*arguments)
    assert re.search(
        r"^Predicted ratings: RMSE 0\.[0-9]{4}, MAE 0\.[0-9]{4} on 52 held-out ratings$", result.stdout, re.MULTILINE
    )
    assert "Evaluating the rating model: 30" in result.stderr
    result = run(*arguments, "--no-evaluation")
    assert "Predicted ratings" not in result.stdout
    assert "Evaluating the rating model" not in result.stderr


def test_an_index_by_hand_is_built_and_said(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data / "embeddings", tmp_path / "data" / "embeddings")
    arguments = ["build", "--ratings", world.ratings, "--posters", world.posters, "--weights", "untrained"]
    result = run(*arguments, "--iterations", 30, "--index", "HNSW16", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert "Poster search (HNSW16): recall@10 1.0000" in result.stdout
    search = SnapshotStore(tmp_path / "data").manifest().spaces["poster"]["search"]
    assert search["index"] == "HNSW16"
    assert search["card"]["queries"] == 21
    refused = run(*arguments, "--iterations", 30, "--index", "PQ11", "--data", tmp_path / "data")
    assert refused.exit_code == 1
    assert "--index 'PQ11' is of type IndexPQ, which cannot be filtered" in refused.stderr


def test_posters_that_are_no_longer_what_was_embedded_are_named(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    posters = tmp_path / "data" / "posters"
    assert run("snapshots", "verify", "--data", tmp_path / "data").exit_code == 0
    shutil.copyfile(posters / "1.jpg", posters / "2.jpg")
    (posters / "3.jpg").unlink()
    (posters / "4.jpg").write_bytes((posters / "4.jpg").read_bytes()[:-10])
    result = run("snapshots", "verify", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "2.jpg is another picture than the one that was embedded" in result.stderr
    assert "3.jpg cannot be read (No such file or directory)" in result.stderr
    assert "4.jpg is another picture" in result.stderr
    assert "3 posters are not as they were embedded: put them right, or build again" in result.stderr


@pytest.mark.system
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_serve_answers_over_http_without_tensorflow(world: World) -> None:
    with serving("serve", "--data", world.data) as server:
        assert len(get(f"{server.address}/api/v1/movies/1/similar?limit=3")["results"]) == 3
        with urllib.request.urlopen(f"{server.address}/movies/1") as reply:  # noqa: S310
            assert b"Loved like it" in reply.read()
        assert "libtensorflow" not in server.loaded_libraries()
    assert server.process.returncode == 0
    assert server.stdout == f"Posterity is at {server.address}/\n"


@pytest.mark.system
def test_an_upload_that_is_refused_is_told_so_over_a_real_connection(world: World) -> None:
    """A client whose body is not read finds the connection broken, most often before it sees the answer."""
    with serving("serve", "--data", world.data) as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(f"{server.address}/api/v1/posters/similar", bytes(12 * 2**20))
        assert caught.value.code == 413
        assert "at most 10 MiB" in json.load(caught.value)["detail"]
        caught.value.close()
        for method, path, content_type, status in [
            ("POST", "/api/v1/posters/similar", "multipart/form-data", 400),  # without a boundary nothing can be read
            ("POST", "/api/v1/posters/similar?limit=ten", "image/jpeg", 400),
            ("PUT", "/api/v1/movies/1/poster", "image/jpeg", 401),
            ("POST", "/api/v1/nowhere", "image/jpeg", 404),
        ] * 10:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request(method, path, bytes(8 * 2**20), {"Content-Type": content_type, "Connection": "close"})
            with connection.getresponse() as reply:
                assert (reply.status, json.load(reply)["status"]) == (status, status)
            connection.close()


def test_a_port_that_is_taken_is_said_in_one_line(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--data", world.data, "--port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert "give another --port" in result.stderr


def test_a_server_begins_with_the_newest_sound_snapshot_and_says_so(world: World, data: Path) -> None:
    build(Plan(world.ratings, data, settings=QUICK, evaluation=False))
    damaged = SnapshotStore(data).path() / "movies.json"
    damaged.write_text("{}")
    (data / "library.db").write_text("damaged")  # the server gets no further than its library
    result = run("serve", "--data", data, "--port", free_port())
    assert f"Warning: {damaged} is damaged" in result.stderr
    assert f"Snapshot {world.manifest.id}, the newest before it that is sound, is served" in result.stderr
    assert "Error: library.db cannot be used" in result.stderr


def test_the_demo_serves_what_was_built_and_names_three_things_to_try(demo_data: Path) -> None:
    built = SnapshotStore(demo_data).ids()
    with serving("demo", "--weights", "untrained", "--data", demo_data) as server:
        manifest = get(f"{server.address}/api/v1/snapshot")
        assert manifest["dataset"]["name"] == "posterity-sample"
        assert manifest["posters"]["posters"] == len(DEMO_POSTERS)
        assert manifest["dataset"]["movies"] == 240
        assert manifest["weights"] == "untrained"
    assert SnapshotStore(demo_data).ids() == built
    assert len(built) == 1
    port = server.address.rsplit(":", 1)[1]
    assert re.findall(r"^  ([123])\. .*http://localhost:(\d+)", server.stdout, re.MULTILINE) == [
        ("1", port),
        ("2", port),
        ("3", port),
    ]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
@pytest.mark.long
def test_a_picture_is_answered_after_the_very_first_demo(tmp_path: Path) -> None:
    """The process that builds must not fork: TensorFlow hung in the server of a demo that had just been built."""
    with serving("demo", "--weights", "untrained", "--posters", 2, "--data", tmp_path) as server:
        picture = (sample_folder(tmp_path) / "posters" / "1.jpg").read_bytes()
        (found,) = get(f"{server.address}/api/v1/posters/similar?limit=1", picture)["results"]
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert found["movie"]["movie_id"] == 1
    assert SnapshotStore(tmp_path).manifest().posters["posters"] == 2
    assert "python" in mapped
    assert "faiss" not in mapped
    assert "tensorflow" not in mapped


def test_the_nearest_poster_of_the_sample_is_of_the_same_family(demo_data: Path) -> None:
    assert shared_family(demo_data, DEMO_POSTERS, limit=1) >= 0.9


@pytest.mark.long
def test_nearest_posters_of_the_whole_sample_share_a_family(tmp_path: Path) -> None:
    assert run("demo", "--build-only", "--weights", "untrained", "--data", tmp_path).exit_code == 0
    assert shared_family(tmp_path, range(1, 241), limit=4) >= 0.95


def shared_family(data: Path, posters: Collection[int], limit: int) -> float:
    """Return the share of nearest posters of the same family."""
    index, family = MovieIndex.open(data), {film.movie_id: film.family for film in sample_movies()}
    nearest = {movie_id: index.similar(movie_id, limit, by="poster") for movie_id in posters}
    shared = [family[match.movie_id] == family[movie_id] for movie_id in nearest for match in nearest[movie_id]]
    assert len(shared) == limit * len(posters)
    return sum(shared) / len(shared)


@pytest.mark.parametrize("step", [8, pytest.param(3, marks=pytest.mark.long)])
def test_a_poster_of_the_sample_survives_a_poor_copy(step: int, demo_data: Path) -> None:
    index = MovieIndex.open(demo_data)
    for movie_id in DEMO_POSTERS[::step]:
        image = Image.open(index.poster(movie_id))
        stream = io.BytesIO()
        image.resize((280, 420)).save(stream, "JPEG", quality=40)
        image.close()
        assert index.similar_to_poster(stream.getvalue(), 1)[0].movie_id == movie_id


def test_a_package_that_only_building_needs_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image that only serves."""
    broken = click.Command("broken", callback=lambda: import_module("scipy_is_not_here.sparse"))
    monkeypatch.setitem(main.commands, "broken", broken)
    result = run("broken")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: this needs the Python package scipy_is_not_here, and what is installed here only serves: use the image"
        " posterity instead of its target server, or an installation with requirements.txt\n"
    )
    monkeypatch.setattr(broken, "callback", lambda: import_module("index.nowhere"))
    assert isinstance(run("broken").exception, ModuleNotFoundError)  # ours to mend


def test_nan_is_in_no_range() -> None:
    with pytest.raises(click.BadParameter, match="is not in the range 0<=x<=1"):
        NumberRange(0, 1).convert("nan", None, None)
    assert NumberRange(0, 1).convert("0.5", None, None) == 0.5
