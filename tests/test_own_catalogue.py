"""A catalogue of one's own, with and without ratings and events, from its file to the answers."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

import posterity
from index.ratings.rankers import Ranker
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import Own, read_dataset
from indexer.datasets.training import Training
from indexer.models import ease, implicit
from indexer.models.factorization_machine import Settings
from posterity.cli.main import main
from server.app import create_app
from tests.conftest import poster, shared_folder, unlimited
from tests.server.conftest import writer

Fit = Callable[..., Ranker]

TINY = Settings(factors=2, chains=1, iterations=40, burn_in=10)
WESTERNS, ROMANCES = [f"W-{n}" for n in range(8)], [f"R-{n}" for n in range(8)]


def write_catalogue(file: Path, *, pictures: bool = False) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "title", "year", "genres", "director", "poster"])
        for at, each in enumerate([*WESTERNS, *ROMANCES]):
            western = each in WESTERNS
            picture = f"pictures/{at}.png" if pictures and at in {0, 1, 8, 9} else ""
            table.writerow([each, f"Film {at}", 1990 + at, "Western" if western else "Romance",
                            "Ann Lee" if western else "Bo Ray", picture])  # fmt: skip
        table.writerow(["", "Nameless", 1990, "", "", ""])
    (file.parent / "pictures").mkdir(exist_ok=True)
    for at in (0, 1, 8, 9) if pictures else ():
        poster(at + 1 if at < 8 else at + 4).save(file.parent / "pictures" / f"{at}.png")
    return file


def write_events(file: Path, *, purchases: str = "purchase", views: str = "view") -> Path:
    """Half of the users buy westerns and half romances; all view everything."""
    rng, rows = np.random.default_rng(0), ["user,item,kind,time"]
    for user in range(40):
        for number in range(8):
            bought, other = (WESTERNS, ROMANCES) if user % 2 else (ROMANCES, WESTERNS)
            if rng.random() < 0.7:
                rows.append(f"u{user},{bought[number]},{purchases},2024-01-0{1 + number}")
            if rng.random() < 0.7:
                rows.append(f"u{user},{other[number]},{views},2024-01-0{1 + number}")
    file.write_text("\n".join([*rows, f"u1,{WESTERNS[0]},sneeze,", "u1,nowhere,view,", ""]), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory built from a catalogue alone, by the command. Read it, never write to it."""
    with shared_folder(tmp_path_factory, "bare-catalogue") as root:
        if not (root / "data").exists():
            ran = command(root / "data", "build", "--catalogue", write_catalogue(root / "films.csv"),
                          "--report", root / "report.csv")  # fmt: skip
            (root / "output.txt").write_text(ran.output)
    return root / "data"


@pytest.fixture(scope="module")
def evented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory built from a catalogue and events. Read it, never write to it."""
    with shared_folder(tmp_path_factory, "evented-catalogue") as root:
        if not (root / "data").exists():
            own = Own(write_catalogue(root / "films.csv"), write_events(root / "events.csv"))
            build(Plan(None, root / "data", settings=TINY, own=own, learn=False))
    return root / "data"


@pytest.fixture
def client(evented: Path) -> FlaskClient:
    return create_app(unlimited(evented)).test_client()


def command(data: Path, *words: object) -> Result:
    result = CliRunner().invoke(main, [*map(str, words), "--data", str(data)], prog_name="posterity")
    assert result.exit_code == 0, result.output
    return result


def test_a_catalogue_alone_is_compared_by_facts(bare: Path) -> None:
    told = (bare.parent / "output.txt").read_text()
    assert "Refused:" in told
    assert "line 18, id: '': the id is missing" in told
    with (bare.parent / "report.csv").open(newline="") as stream:
        assert [row["line"] for row in csv.DictReader(stream)] == ["18"]
    manifest = SnapshotStore(bare).manifest()
    assert set(manifest.spaces) == {"facts"}
    assert manifest.dataset["ratings"] == 0
    assert any("rows refused: 1" in warning for warning in manifest.warnings)
    with posterity.open(bare) as index:
        for films, others in ((WESTERNS, ROMANCES), (ROMANCES, WESTERNS)):
            found = [match["movie"]["source_id"] for match in index.similar(films[3], by="facts", limit=5)]
            assert not set(found) & set(others)
        liked = index.recommend({WESTERNS[2]: 5}, limit=5)
        assert {each["movie"]["source_id"] for each in liked} < set(WESTERNS)
        assert liked[0]["rating"] is None


@pytest.mark.long
def test_posters_beside_a_catalogue_are_compared(tmp_path: Path) -> None:
    films = write_catalogue(tmp_path / "films.csv", pictures=True)
    manifest = build(Plan(None, tmp_path / "data", own=Own(films), weights="untrained"))
    assert set(manifest.spaces) == {"poster", "facts"}
    assert manifest.posters["posters"] == 4
    with posterity.open(tmp_path / "data") as index:
        assert index.similar(WESTERNS[0], by="poster")[0]["movie"]["source_id"] == WESTERNS[1]
        assert index.movie(WESTERNS[0])["has_poster"]


@pytest.mark.parametrize(
    "path", ["/", "/map", "/quality", "/for-you", "/movies/W-0", "/for-you?rated=W-0:5", "/readyz", "/api/v1/snapshot"]
)
def test_every_page_of_a_catalogue_alone_is_shown(bare: Path, path: str) -> None:
    shown = create_app(unlimited(bare)).test_client().get(path, follow_redirects=True)
    assert shown.status_code == 200, shown.text


def test_ratings_that_are_added_to_a_catalogue_are_learned_from(bare: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(bare, data, symlinks=True)
    client = writer(create_app(unlimited(data)), data)
    for user in range(6):
        for film in (WESTERNS if user % 2 else ROMANCES)[user // 2 :]:
            reply = client.put(f"/api/v1/users/{user}/ratings/{film}", json={"rating": 5 - user // 2})
            assert reply.status_code == 200
    films = bare.parent / "films.csv"
    build(Plan(None, data, settings=TINY, own=Own(films), learn=False))
    manifest = SnapshotStore(data).manifest()
    assert manifest.dataset["ratings"] == 42
    assert "taste" in manifest.spaces


def test_events_alone_tell_two_groups_of_films_apart(evented: Path, client: FlaskClient) -> None:
    manifest = SnapshotStore(evented).manifest()
    assert manifest.ratings["implicit_data"]
    assert any("sneeze" in warning and "--event-weight sneeze=1" in warning for warning in manifest.warnings)
    assert any("unlisted movies: 1" in warning for warning in manifest.warnings)
    right = 0
    for films in (WESTERNS, ROMANCES):
        for film in films:
            reply = client.get(f"/api/v1/movies/{film}/similar?by=taste&limit=3").get_json()
            right += sum(match["movie"]["source_id"] in films for match in reply["results"])
    assert right >= 44  # of 48
    reply = client.get("/api/v1/users/u1/recommendations?limit=2").get_json()
    assert all(each["rating"] is None for each in reply["results"])


def trained(folder: Path, **weights: float) -> tuple[Dataset, Training]:
    own = Own(write_catalogue(folder / "films.csv"), write_events(folder / "events.csv"), weights)
    dataset = read_dataset(None, own=own)
    return dataset, Training.of(dataset)


def within_and_across(training: Training, fit: Fit) -> tuple[float, float]:
    """Mean score of the other films of a group, and of those of the other group, for one film watched."""
    names = [movie.source_id for movie in training.movies]
    western = np.array([name in WESTERNS for name in names])
    ranker = fit(training, np.random.default_rng(0))
    within, across = [], []
    for row in range(len(names)):
        scores = ranker.scores(np.array([row]))
        same = western == western[row]
        same[row] = False
        within.append(scores[same].mean())
        across.append(scores[western != western[row]].mean())
    return float(np.mean(within)), float(np.mean(across))


@pytest.mark.parametrize(
    "fit", [ease.fit, partial(implicit.fit, settings=implicit.Settings(factors=4, regularization=1))]
)
def test_weights_of_events_decide_what_rankers_learn(fit: Fit, tmp_path: Path) -> None:
    within, across = within_and_across(trained(tmp_path)[1], fit)
    assert within > 1.1 * across
    even, other = within_and_across(trained(tmp_path, purchase=1)[1], fit)
    assert abs(even - other) < 0.5 * (within - across)


def test_strengths_grow_less_than_events(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("user,item,event\na,x,view\na,x,View\na,x,like\na,y,view\nb,x,cart\nb,y,wink\n")
    dataset = read_dataset(None, own=Own(None, file, {"wink": 7, "cart": 0}))
    names = {movie.movie_id: movie.source_id for movie in dataset.movies}
    strengths = dataset.ratings.strengths
    assert strengths is not None
    pairs = zip(dataset.ratings.user_ids.tolist(), dataset.ratings.movie_ids.tolist(), strict=True)
    keys = [(dataset.user_names[user], names[movie]) for user, movie in pairs]
    assert dict(zip(keys, strengths.tolist(), strict=True)) == pytest.approx(
        {("a", "x"): 3 + np.log2(3), ("a", "y"): 1, ("b", "y"): 7}
    )
    assert set(dataset.ratings.values.tolist()) == {1}


def test_each_row_is_an_event_whatever_its_time(tmp_path: Path) -> None:
    """A view counts once per row: at the same time, years apart, in any order, and without any time."""
    header, rows = "user,item,kind,time", ["a,x,view,{}", "a,x,view,{}", "a,y,view,{}"]
    found = []
    for times in ((1, 1, 1), (1_600_000_000, 900_000_000, 5), ("2020-01-01", "", "soon")):
        file = tmp_path / "events.csv"
        file.write_text("\n".join([header, *(row.format(time) for row, time in zip(rows, times, strict=True))]))
        strengths = read_dataset(None, own=Own(None, file)).ratings.strengths
        assert strengths is not None
        found.append(sorted(strengths.tolist()))
    assert found == [[1, pytest.approx(np.log2(3))]] * 3


def test_events_beside_ratings_reach_rankers_taste_and_users_without_ratings(tmp_path: Path) -> None:
    ratings = ["user,item,rating"]
    for user in range(24):
        for number in range(7):  # nobody rated the last film of either kind
            if (user + number) % 4:
                loved, other = (WESTERNS, ROMANCES) if user % 2 else (ROMANCES, WESTERNS)
                ratings += [
                    f"rater{user},{loved[number]},{3 + number % 3}",
                    f"rater{user},{other[number]},{1 + number % 2}",
                ]
    (tmp_path / "ratings.csv").write_text("\n".join(ratings) + "\n")
    events = tmp_path / "events.csv"
    rows = [f"viewer,{film},purchase" for film in WESTERNS[:4]] + [f"rater0,{ROMANCES[0]},view"]
    rng = np.random.default_rng(0)
    rows += [f"shopper{n},{film},purchase" for n in range(300) for film in rng.choice(WESTERNS, 5, replace=False)]
    events.write_text("\n".join(["user,item,kind", *rows]) + "\n")
    plan = Plan(tmp_path / "ratings.csv", tmp_path / "data", settings=TINY, learn=False,
                own=Own(bare_of_facts(tmp_path / "films.csv"), events))  # fmt: skip
    manifest = build(plan)
    assert manifest.dataset["events"] > 100
    assert "methods" in manifest.evaluation
    assert manifest.ratings["scale"] == [1, 5]
    with posterity.open(tmp_path / "data") as index:
        found = [each["movie"]["source_id"] for each in index.recommend("viewer", limit=3)]
        assert set(found) < set(WESTERNS[4:])
        assert index.predict("rater1", [WESTERNS[0]])[0]["rating"] is not None
        near = [match["movie"]["source_id"] for match in index.similar(WESTERNS[7], by="taste", limit=4)]
        assert set(near) < set(WESTERNS)


def bare_of_facts(file: Path) -> Path:
    """Write a catalogue of which only the titles are known."""
    rows = [f"{film},Film {at}" for at, film in enumerate([*WESTERNS, *ROMANCES])]
    file.write_text("\n".join(["id,title", *rows, ""]))
    return file


def test_what_cannot_be_built_from_is_named(tmp_path: Path) -> None:
    films = tmp_path / "films.csv"
    films.write_text("id,title\n1,Alpha\n2,Beta\n")
    events = tmp_path / "events.csv"
    events.write_text("user,item,kind\na,x,sneeze\n")

    def refused(*words: object, code: int = 1) -> str:
        ran = CliRunner().invoke(main, ["build", *map(str, words), "--data", str(tmp_path / "data")])
        assert ran.exit_code == code, ran.output
        return ran.output

    assert "nothing to compare its movies by" in refused("--catalogue", films)
    assert "no event that counts" in refused("--events", events)
    assert "no event is of a listed movie" in refused("--events", events, "--catalogue", films,
                                                       "--event-weight", "sneeze=1")  # fmt: skip
    assert "write KIND=WEIGHT" in refused("--events", events, "--event-weight", "like", code=2)
    assert "--report lists the refused rows" in refused("--report", tmp_path / "r.csv", code=2)
    films.write_text("id,title\n,Alpha\n")
    assert "holds no usable row" in refused("--catalogue", films)


MORE = """id,title,year,genres,poster
W-0,Film 0,1990,Western,
N-1,New One,2010,Western,new.png
,No id,1990,,
N-2,New Two,MM,,
N-3,New Three,2011,,missing.png
"""


@pytest.fixture
def data(bare: Path, tmp_path: Path) -> Path:
    shutil.copytree(bare, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def test_a_table_is_added_to_the_library_once_and_each_refused_row_is_told(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text(MORE)
    poster(2).save(tmp_path / "new.png")
    first = command(data, "library", "add", "--from", table, "--report", tmp_path / "report.csv")
    assert "5 rows: 2 created, 1 here already, 0 updated, 2 refused; 1 posters stored" in first.output
    with (tmp_path / "report.csv").open(newline="") as stream:
        told = [(row["line"], row["column"], row["value"]) for row in csv.DictReader(stream)]
    assert told == [("4", "id", ""), ("5", "year", "MM"), ("6", "poster", "missing.png")]
    assert "Refused:" in first.output
    again = command(data, "library", "add", "--from", table)
    assert "5 rows: 0 created, 3 here already, 0 updated, 2 refused; 0 posters stored" in again.output
    table.write_text(MORE.replace("New One,2010", "New One,2012"))
    updated = command(data, "library", "add", "--from", table, "--update")
    assert "0 created, 2 here already, 1 updated" in updated.output
    with posterity.open(data) as index:
        movie = index.movie("N-1")
        assert (movie["year"], movie["has_poster"]) == (2012, True)
    listed = json.loads(command(data, "library", "list", "--json").output)
    assert len(listed["movies"]) == 2


def test_rows_that_were_added_online_and_built_from_the_same_table_are_one_movie(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text(MORE)
    command(data, "library", "add", "--from", table)
    build(Plan(None, data, own=Own(table), evaluation=False))
    with posterity.open(data) as index:
        assert [movie["source_id"] for movie in index.movies("new")] == ["N-1", "N-3"]


def test_options_of_one_movie_and_of_a_table_do_not_mix(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text(MORE)
    for words, problem in (
        (["--from", str(table), "--title", "Heat"], "leave --title out"),
        (["--update", "--title", "Heat"], "give --from FILE"),
        ([], "Missing option '--title'"),
    ):
        ran = CliRunner().invoke(main, ["library", "add", *words, "--data", str(data)])
        assert ran.exit_code == 2
        assert problem in ran.output
