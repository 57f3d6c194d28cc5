import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from index.catalogue.catalogue import Movie
from index.core.errors import BadLibrary, InvalidInput
from index.library.database import Database
from index.library.entries import Entry, MovieChanges, Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.merge import merge, merge_posters
from tests.conftest import QUICK, SPACE, WEDDINGS, World

RATINGS = Ratings(np.array([1, 1, 2]), np.array([10, 20, 20]), np.array([3, 4, 5], np.float32), np.array([7, 8, 9]))
DATASET = Dataset(
    "mine", "", (Movie(10, "Ten"), Movie(20, "Twenty"), Movie(30, "Thirty")), RATINGS, {10: ("a",), 20: ("b", "b")}
)
NOTHING_RATED = RatingLog(Database(Path("nowhere"))).changes()


def entry(movie: Movie, poster: str | None = None) -> Entry:
    return Entry(movie, poster, None if poster is None else "sha", None, None)


def test_an_id_of_the_library_is_taken_from_the_data_set() -> None:
    changes = MovieChanges(1, (Entry(Movie(1_000_000_000, "Heat", imdb_id="tt1", tmdb_id=5), None, None, None, None),))
    movies = changes.applied_to([Movie(1, "Heat", imdb_id="tt1", tmdb_id=6), Movie(2, "Ronin", imdb_id="tt2")])
    assert [(movie.imdb_id, movie.tmdb_id) for movie in movies] == [(None, 6), ("tt2", None), ("tt1", 5)]


def test_a_library_without_changes_changes_nothing() -> None:
    assert merge(DATASET, MovieChanges(0), NOTHING_RATED) == DATASET


def test_added_and_replaced_movies_are_the_librarys() -> None:
    changes = MovieChanges(2, (entry(Movie(20, "Twenty, again", 1920)), entry(Movie(25, "New"))))
    merged = merge(DATASET, changes, NOTHING_RATED)
    assert [str(movie) for movie in merged.movies] == ["Ten", "Twenty, again (1920)", "New", "Thirty"]
    assert merged.ratings is RATINGS
    assert merged.tags == DATASET.tags


def test_a_removed_movie_takes_ratings_and_tags_with_it() -> None:
    merged = merge(DATASET, MovieChanges(1, (), frozenset({20, 30, 99})), NOTHING_RATED)
    assert merged.movies == (Movie(10, "Ten"),)
    assert merged.ratings.user_ids.tolist() == [1]
    assert merged.ratings.movie_ids.tolist() == [10]
    assert merged.ratings.timestamps is not None
    assert merged.ratings.timestamps.tolist() == [7]
    assert merged.tags == {10: ("a",)}
    assert len(DATASET.ratings) == 3  # the input is unchanged


def test_a_library_that_removes_all_that_was_rated_is_told_so() -> None:
    with pytest.raises(InvalidInput, match="deletes every rated movie of mine"):
        merge(DATASET, MovieChanges(2, (), frozenset({10, 20})), NOTHING_RATED)


def test_ratings_added_online_win(tmp_path: Path) -> None:
    log = RatingLog(Database(tmp_path), clock=lambda: 99)
    log.put(1, 20, 1.5)  # updated
    log.remove(2, 20)  # deleted
    log.put(3, 30, 5)  # added by a new user
    log.put(3, 77, 5)  # of an unknown movie
    log.remove(4, 10)  # of a rating that does not exist
    merged = merge(DATASET, MovieChanges(0), log.changes()).ratings
    assert merged.user_ids.tolist() == [1, 1, 3]
    assert merged.movie_ids.tolist() == [10, 20, 30]
    assert merged.values.tolist() == [3, 1.5, 5]
    assert merged.timestamps is not None
    assert merged.timestamps.tolist() == [7, 99, 99]
    assert RATINGS.values.tolist() == [3, 4, 5]  # the input is unchanged


def test_the_librarys_posters_win(tmp_path: Path) -> None:
    found = {10: Path("10.jpg"), 30: Path("30.jpg")}
    changes = MovieChanges(
        3, (entry(Movie(10, "Ten")), entry(Movie(20, "Twenty"), "20-ab.png"), entry(Movie(30, "x"), "y"))
    )
    merged = merge_posters(found, changes, tmp_path)
    assert list(merged.items()) == [(10, Path("10.jpg")), (20, tmp_path / "20-ab.png"), (30, tmp_path / "y")]


def green(at: int) -> bytes:
    """Return a poster that resembles none of the world's."""
    image = Image.new("RGB", (120, 180), (20, 160, 60))
    ImageDraw.Draw(image).rectangle((10, at, 110, at + 30), fill=(250, 240, 0))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_a_build_merges_the_library(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    library = Library.open(data)
    added, bare = library.next_id(23), library.next_id(23)
    library.put(Movie(added, "Meadow", 2020, ("Sci-Fi",), "tt9999999"), Poster(green(20)))
    library.put(Movie(bare, "Neither Rated Nor Seen"))
    library.put(Movie(5, "Starship 5, restored", 1976, ("Sci-Fi",)), Poster(green(120)))
    library.put(Movie(6, "Starship 6, renamed", 1976, ("Sci-Fi",)))
    library.remove(12)
    manifest = build(Plan(world.ratings, data, world.posters, "untrained", QUICK))

    assert manifest.dataset["library"] == library.version() == 5
    assert manifest.dataset["movies"] == 24
    assert manifest.dataset["rated_movies"] == 20
    assert manifest.posters == {"posters": 21, "embedded": 2, "replaced": 1, "unreadable": {}}
    index = MovieIndex.open(data)
    assert index.similar_to_poster(green(20), 1)[0].movie_id == added
    assert index.similar_to_poster(green(120), 1)[0].movie_id == 5
    assert index.poster(5).read_bytes() == green(120)
    assert index.poster(6).read_bytes() == (world.posters / "6.jpg").read_bytes()
    assert index.catalogue.identify("imdb:tt9999999").movie_id == added
    assert str(index.catalogue.movie(6)) == "Starship 6, renamed (1976)"
    # Of movie 23 nothing is known but the same year.
    assert {match.movie_id for match in index.similar(added, 5, by="facts")} <= {*SPACE, 21, 23}
    assert index.users.predict(1, [added, bare])[0].rating > 0
    # Files of earlier snapshots stay.
    assert (data / "posters" / "5.png").read_bytes() == (world.posters / "5.png").read_bytes()

    assert 12 not in index.catalogue.ids
    assert all(12 not in space.ids for space in index.spaces.values())
    assert all(match.movie_id != 12 for way in index.ways for match in index.similar(13, 20, by=way))
    assert {prediction.movie_id for user in (1, 2) for prediction in index.users.recommend(user, 24)} >= {added, bare}
    assert all(prediction.movie_id != 12 for user in (1, 2) for prediction in index.users.recommend(user, 24))

    again = build(Plan(world.ratings, data, world.posters, "untrained", QUICK))
    assert again.posters["embedded"] == 0
    assert again.files == manifest.files  # every build merges the library anew


def test_without_a_poster_folder_the_librarys_posters_are_compared(world: World, tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(Movie(1_000_000_000, "Meadow"), Poster(green(20)))
    manifest = build(Plan(world.ratings, tmp_path, weights="untrained", settings=QUICK))
    assert manifest.spaces["poster"]["movies"] == 1
    assert manifest.weights is not None
    index = MovieIndex.open(tmp_path)
    assert index.similar_to_poster(green(21), 5)[0].movie_id == 1_000_000_000
    assert index.poster(1_000_000_000).read_bytes() == green(20)
    assert all(match.movie_id in WEDDINGS or match.movie_id == 23 for match in index.similar(12, 5))


def test_a_library_that_cannot_be_read_ends_a_build_at_its_start(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    (data / "library.db").write_text("no library")
    with pytest.raises(BadLibrary, match="file is not a database"):
        build(Plan(world.ratings, data, world.posters, "untrained", QUICK))
    assert SnapshotStore(data).current_id() == world.manifest.id
