"""Library changes: every query includes them at once."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest

from index.catalogue import title_forms
from index.catalogue.catalogue import Movie, MovieFilter
from index.catalogue.tables import external_ids
from index.core.errors import UnknownMovie
from index.library.entries import Poster
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.posters.look_vectors import RAW
from index.spaces.space import Match
from indexer.build import build
from indexer.config import Plan
from server.state.current_snapshot import SnapshotWatcher
from tests.conftest import QUICK, SPACE, WEDDINGS, World, poster, raw_vector
from tests.index.posters.test_images import encoded
from tests.posterity.cli.test_main import get, serving
from tests.tolerances import PATH_DISTANCE, WITHOUT_LOSSES

WAYS = ("poster", "taste", "facts", "blend")


def put(data: Path, movie: Movie, picture: int | None = None) -> None:
    """Add a movie, with a poster like that of movie ``picture`` of the test world."""
    index = MovieIndex.open(data)
    kept = None
    if picture is not None:
        content = encoded(poster(picture), "PNG")
        kept = Poster(content, index.embed(content), index.manifest.spaces["poster"]["weights"]["sha256"])
    Library.open(data).put(movie, kept)


def everything(index: MovieIndex) -> object:
    """Return the answers to all kinds of queries, unrounded."""
    movies = [movie.movie_id for movie in index.catalogue.movies]
    similar = {
        (movie_id, by): index.similar(movie_id, 30, by=by)
        for by in WAYS
        for movie_id in movies
        if any(movie_id in index.spaces[name].ids for name in (index.spaces if by == "blend" else (by,)))
    }
    return (
        index.catalogue.movies,
        similar,
        [index.users.recommend(user, 30) for user in (1, 2)],
        index.users.predict(1, [movie_id for movie_id in movies if movie_id <= 23]),
        [index.similar_to(movies[:2], movies[-3:-2], 30) for by in WAYS],
        index.similar_to_poster(encoded(poster(8), "PNG"), 30),
        [index.catalogue.search(text, 30) for text in ("starship", "stership", "new", "genre", "1973")],
        [index.catalogue.allowed(MovieFilter(genres=(genre,))).tolist() for genre in index.catalogue.genres],
        [index.catalogue.allowed(MovieFilter(year_from=1980)).tolist(), index.catalogue.genres],
        [index.catalogue.listing(movie_id) for movie_id in movies],
        index.catalogue.best_known(7),
        [index.catalogue.identify(text) for movie in index.catalogue.movies for text in external_ids(movie)],
        index.to_ask,
    )


def test_an_added_movie_is_in_every_answer_it_can_be_in(data: Path) -> None:
    before = MovieIndex.open(data)
    put(data, Movie(1_000_000_000, "Starship New", 2024, ("Sci-Fi",), "tt7654321", 77), picture=8)
    index = before.refreshed()
    assert not before.is_fresh()
    assert index.is_fresh()
    for by, k in (("poster", 3), ("taste", 23), ("blend", 23)):
        assert 1_000_000_000 in {match.movie_id for match in index.similar(8, k, by=by)}
    nearest = index.similar(1_000_000_000, 3)[0]
    assert nearest.movie_id in {*SPACE, 21}
    assert nearest.spaces == ("poster", "taste")
    assert index.catalogue.resolve("starship new").tmdb_id == 77
    assert index.catalogue.identify("imdb:tt7654321").movie_id == 1_000_000_000
    assert index.poster(1_000_000_000).read_bytes() == encoded(poster(8), "PNG")
    found = index.similar_to_poster(encoded(poster(8), "PNG"), 2)
    assert {match.movie_id for match in found} == {8, 1_000_000_000}
    narrowed = index.similar(8, 5, by="poster", where=MovieFilter(year_from=2024))
    assert [match.movie_id for match in narrowed] == [1_000_000_000]
    assert index.explainer.look(8, 1_000_000_000).score == pytest.approx(1, abs=WITHOUT_LOSSES)
    # An opened index is immutable, so that nothing changes during a request.
    with pytest.raises(UnknownMovie):
        before.similar(1_000_000_000)
    fan, other = (index.users.predict(user, [1_000_000_000])[0] for user in (2, 1))
    assert fan.low < fan.rating < fan.high
    assert fan.rating > other.rating
    assert index.users.predict({1: 5, 1_000_000_000: 1}, [2]) == index.users.predict({1: 5}, [2])
    assert {match.movie_id for match in index.similar(1_000_000_000, 5, by="taste")} <= {*SPACE, 21}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_changes_one_after_another_are_as_all_of_them_at_once(data: Path, seed: int) -> None:
    rng, library = random.Random(seed), Library.open(data)  # noqa: S311
    first = MovieIndex.open(data)
    facts = {movie.movie_id: movie for movie in first.catalogue.movies}
    weights = first.manifest.spaces["poster"]["weights"]["sha256"]
    pictures = [encoded(poster(number), "PNG") for number in (3, 12)]
    vectors = [first.embed(picture) for picture in pictures]
    latest = first
    for step in range(24):
        # Ids between, among and above those of the data set, also in descending order and again.
        movie_id = rng.choice([*range(1, 26), *range(1_000_000_000, 1_000_000_006)])
        movie = facts.get(movie_id, Movie(movie_id, f"New {movie_id}", 2024, ("Sci-Fi",), f"tt{movie_id:010}"))
        which = rng.randrange(len(pictures))
        match rng.randrange(6):
            case 0 | 1:
                library.remove(movie_id)
            case 2:
                library.put(replace(movie, title=f"Starship {step}", imdb_id=f"tt9{step:06}"))
            case 3:
                library.put(replace(movie, genres=(*movie.genres, f"Genre {step % 3}"), tmdb_id=900_000 + step))
            case 4:
                library.put(movie, Poster(pictures[which], vectors[which], weights))
            case 5:
                library.put(movie, Poster(pictures[which], vectors[which], "0" * 64))  # of other weights
        latest = latest.refreshed()
        if step == 11:
            assert everything(latest) == everything(first.refreshed())
    assert everything(latest) == everything(MovieIndex.open(data))


def test_a_change_costs_what_it_changes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, index = Library.open(data), MovieIndex.open(data)
    library.put(Movie(1_000_000_000, "Starship New"))
    index = index.refreshed()
    index.catalogue.search("starship")
    normalised, read = [], []
    words, changes_since = title_forms.words, Library.changes_since
    monkeypatch.setattr(title_forms, "words", lambda title: normalised.append(title) or words(title))
    monkeypatch.setattr(Library, "changes_since", lambda self, seq: read.append(changes_since(self, seq)) or read[-1])
    library.put(Movie(1_000_000_001, "Starship Newer"))
    after = index.refreshed()
    assert [entry.movie.movie_id for changes in read for entry in changes.movies] == [1_000_000_001]
    assert after.catalogue.search("starship newer")[0].title == "Starship Newer"
    assert set(normalised) <= {"Starship New", "Starship Newer", "starship newer"}
    assert after.spaces == index.spaces  # the same objects: no vector was copied
    assert after.similar(1, 5) == index.similar(1, 5)


def test_built_added_replaced_and_uploaded_posters_have_the_same_scores(data: Path) -> None:
    """Of the same picture and embedding; every one is transformed by the statistics of the snapshot."""
    index, library = MovieIndex.open(data), Library.open(data)
    assert index.manifest.spaces["poster"]["look"] == "standardised"
    picture = index.poster(3).read_bytes()
    weights = index.manifest.spaces["poster"]["weights"]["sha256"]
    again = Poster(picture, raw_vector(index, 3), weights)
    library.add(Movie(0, "Starship Again"), again, above=999_999_999)
    library.put(index.catalogue.movie(12), again)
    changed = index.refreshed()

    def scores(matches: list[Match]) -> dict[int, float]:
        return {match.movie_id: match.score for match in matches if match.movie_id not in {3, 12, 1_000_000_000}}

    built = scores(index.similar(3, 30, by="poster"))
    assert len(built) > 15
    for movie_id in (1_000_000_000, 12):
        assert scores(changed.similar(movie_id, 30, by="poster")) == pytest.approx(built, abs=1e-4)
        assert changed.explainer.look(3, movie_id).score == pytest.approx(1, abs=1e-4)
    cells = changed.explainer.look(1, 12).comparison.cells
    assert cells.sum() == pytest.approx(built[1], abs=1e-4)
    uploaded = {match.movie_id: match.score for match in index.similar_to_poster(picture, 30)}
    assert uploaded.pop(3) == pytest.approx(1, abs=PATH_DISTANCE)
    assert scores(index.similar_to_poster(picture, 30)) == pytest.approx(built, abs=PATH_DISTANCE)


def test_adding_then_removing_leaves_every_answer_as_before(data: Path) -> None:
    before = everything(MovieIndex.open(data))
    put(data, Movie(1_000_000_000, "Starship New", 2024, ("Sci-Fi",)), picture=8)
    put(data, Movie(1_000_000_001, "Another"))
    Library.open(data).remove(1_000_000_000)
    assert everything(MovieIndex.open(data)) != before
    Library.open(data).remove(1_000_000_001)
    assert everything(MovieIndex.open(data)) == before


def test_the_order_in_which_movies_come_in_changes_no_answer(data: Path, world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "other", symlinks=True)
    new = {1_000_000_000: 8, 1_000_000_001: 12, 1_000_000_002: 3}
    for where, order in ((data, sorted(new)), (tmp_path / "other", sorted(new, reverse=True))):
        for movie_id in order:
            put(where, Movie(movie_id, f"New {movie_id}", 2024, ("Sci-Fi",)), picture=new[movie_id])
    assert everything_of_look(MovieIndex.open(data)) == everything_of_look(MovieIndex.open(tmp_path / "other"))


def everything_of_look(index: MovieIndex) -> object:
    space = index.spaces["poster"]
    return [(i, by, index.similar(i, 30, by=by)) for i in space.ids.values.tolist() for by in ("poster", "blend")]


def test_a_removed_movie_is_in_no_answer(data: Path) -> None:
    Library.open(data).remove(3)
    index = MovieIndex.open(data)
    for by in WAYS:
        assert 3 not in {match.movie_id for match in index.similar(1, 30, by=by)}
        assert len(index.similar(1, 30, by=by)) >= 18
    for who in (1, 2, {1: 5.0, 2: 4.5}):
        assert 3 not in {each.movie_id for each in index.users.recommend(who, 30)}
    assert 3 not in {movie.movie_id for movie in index.catalogue.best_known(30)}
    assert 3 not in {part.movie_id for user in (1, 2) for part in index.users.explain(user, [5])[0].contributions}
    (explanation,) = index.users.explain(2, [5])
    whole = explanation.base + sum(part.watched + part.rated for part in explanation.contributions)
    assert whole == pytest.approx(explanation.rating, abs=1e-6)
    for ask in (
        lambda: index.similar(3),
        lambda: index.users.predict(1, [3]),
        lambda: index.poster(3),
        lambda: index.users.recommend({3: 5}),
        lambda: index.similar_to([1, 3]),
        lambda: index.explainer.look(1, 3),
    ):
        with pytest.raises(UnknownMovie, match="no movie 3 "):
            ask()


def test_a_replaced_poster_is_the_one_that_counts(data: Path) -> None:
    put(data, Movie(3, "Starship 3", 1973, ("Sci-Fi", "Action")), picture=15)
    index = MovieIndex.open(data)
    assert {match.movie_id for match in index.similar(3, 5, by="poster")} <= {*WEDDINGS, 23}
    assert {match.movie_id for match in index.similar(3, 5, by="taste")} <= {*SPACE}
    assert 3 in index.spaces["facts"].ids
    assert index.poster(3).read_bytes() == encoded(poster(15), "PNG")


def test_new_facts_keep_the_poster_and_the_ratings(data: Path) -> None:
    old = MovieIndex.open(data)
    put(data, Movie(3, "Voyage", 1980, ("Drama",)))
    index = MovieIndex.open(data)
    assert index.similar(3, 20, by="poster") == old.similar(3, 20, by="poster")
    assert index.similar(3, 20, by="taste") == old.similar(3, 20, by="taste")
    assert 3 not in index.spaces["facts"].ids  # until the next build
    assert index.catalogue.resolve("voyage").year == 1980
    assert index.catalogue.allowed(MovieFilter(genres=("drama",))).sum() == 1


def test_a_build_merges_the_library_and_says_the_same(world: World, data: Path) -> None:
    # Raw vectors do not depend on the other posters; statistics of 22 posters do, if one comes and one goes.
    plan = Plan(world.ratings, data, world.posters, "untrained", QUICK, look=RAW, evaluation=False)
    build(plan)
    put(data, Movie(1_000_000_000, "Starship New", 2024, ("Sci-Fi",)), picture=8)
    Library.open(data).remove(13)
    online = MovieIndex.open(data)
    build(plan)
    built = MovieIndex.open(data)
    assert built.catalogue.movies == online.catalogue.movies
    assert built.is_fresh()
    for movie_id in (1, 8, 1_000_000_000):
        ours, theirs = (index.similar(movie_id, 5, by="poster") for index in (online, built))
        assert {match.movie_id for match in ours} == {match.movie_id for match in theirs}
        assert [m.score for m in ours] == pytest.approx([m.score for m in theirs], abs=1e-5)
    assert 1_000_000_000 in built.spaces["facts"].ids
    assert built.users.predict(1, [1_000_000_000])[0].rating > 0


def test_what_is_served_has_a_change_as_soon_as_it_was_acknowledged(data: Path) -> None:
    served = SnapshotWatcher(data)
    for movie_id in range(1_000_000_000, 1_000_000_005):
        Library.open(data).put(Movie(movie_id, f"New {movie_id}"))
        assert served.index().catalogue.movie(movie_id).title == f"New {movie_id}"
    kept = served.index()
    assert served.index() is kept
    failures = []

    def ask() -> None:
        for _ in range(50):
            found = served.index()
            if found.catalogue.movie(1_000_000_004).movie_id not in found.catalogue.ids:
                failures.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for movie_id in range(1_000_000_005, 1_000_000_015):
        Library.open(data).put(Movie(movie_id, "More"))
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.system
def test_a_running_server_shows_at_once_what_the_command_adds_and_removes(data: Path) -> None:
    facts = ["--title", "Starship New", "--year", "2024"]
    library = [sys.executable, "-m", "posterity", "library"]
    with serving("serve", "--data", data, "--workers", 2) as server:
        added = subprocess.run([*library, "add", *facts, "--data", data], check=True, capture_output=True, text=True)
        address = f"{server.address}/api/v1/movies/{int(added.stdout)}"
        for _ in range(6):  # either worker may answer
            assert get(address)["movie"]["title"] == "Starship New"
        subprocess.run([*library, "remove", added.stdout.strip(), "--data", data], check=True)
        for _ in range(6):
            with pytest.raises(HTTPError, match="404"):
                get(address)
