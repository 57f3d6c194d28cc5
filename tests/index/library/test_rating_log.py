from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.catalogue.movie import Movie
from index.core.errors import BadLibrary, UnknownUser
from index.library.database import Database
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from tests.conftest import SPACE, WEDDINGS, World

NEW = 4000  # a user without ratings in the data set


@pytest.fixture
def log(tmp_path: Path) -> RatingLog:
    return RatingLog(Database(tmp_path), clock=lambda: 1234.5)


def test_the_latest_rating_counts(log: RatingLog) -> None:
    assert log.of(1) == {}
    assert [log.put(1, 6, 4.5), log.put(1, 7, 3), log.put(1, 6, 2)] == [1, 2, 3]
    assert log.of(1) == {6: 2, 7: 3}
    assert log.of(1, since=2) == {6: 2}
    assert log.of(2) == {}
    assert log.remove(1, 6) == 4
    assert log.of(1) == {6: None, 7: 3}
    changes = log.changes()
    assert changes.movie_ids.tolist() == [6, 7]
    assert str(changes.values.tolist()) == "[nan, 3.0]"
    assert changes.timestamps.tolist() == [1234, 1234]


def test_a_rating_given_or_taken_back_twice_is_so_once(log: RatingLog) -> None:
    assert [log.put(1, 6, 4.5), log.put(1, 6, 4.5), log.remove(1, 6), log.remove(1, 6)] == [1, 1, 2, 2]


def test_many_ratings_are_written_in_one_transaction_all_or_none(log: RatingLog) -> None:
    assert log.put(1, 6, 4.5) == 1
    assert log.put_all(1, {6: 4.5, 7: 3, 8: 2}) == 3  # the first is so already
    assert log.put_all(1, {6: 4.5}) == 1
    assert log.put_all(1, {}) == 0
    with pytest.raises(BadLibrary):
        log.put_all(1, {9: 4, 10: object()})  # type: ignore[dict-item]
    assert log.of(1) == {6: 4.5, 7: 3, 8: 2}
    log.put(2, 6, 1)
    log.remove_all(1, [7, 99])  # 99 is of the data set
    log.remove_all(1, [7, 99])
    assert log.of(1) == {6: None, 7: None, 8: None, 99: None}
    assert log.of(2) == {6: 1}


def test_movies_and_ratings_share_their_numbers(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    log = RatingLog(library.database)
    assert [log.put(1, 6, 4), library.remove(6), log.put(1, 7, 4)] == [1, 2, 3]
    assert (library.version(), library.movies_version()) == (3, 2)


GIVEN = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(1, 3)), st.none() | st.floats(0.5, 5, width=32))


@settings(max_examples=40)
@given(first=GIVEN, then=GIVEN)
def test_what_is_read_is_what_was_written_last(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[tuple[int, int], float | None],
    then: dict[tuple[int, int], float | None],
) -> None:
    log = RatingLog(Database(tmp_path_factory.mktemp("log")))
    for (user, movie), rating in [*first.items(), *then.items()]:
        if rating is None:
            log.remove(user, movie)
        else:
            log.put(user, movie, rating)
    expected = first | then
    assert {(user, movie): rating for user in (1, 2, 3) for movie, rating in log.of(user).items()} == expected


def test_someone_new_is_predicted_from_their_first_rating_on(data: Path) -> None:
    index = MovieIndex.open(data)
    log = RatingLog(Library.open(data).database)
    with pytest.raises(UnknownUser, match="no user 4000 here"):
        index.users.resolve(NEW)
    for movie in (1, 2, 3):
        log.put(NEW, movie, 5)
    who = index.users.resolve(NEW)
    assert who == {1: 5, 2: 5, 3: 5}
    space = [p.rating for p in index.users.predict(who, [4, 5, 6])]
    weddings = [p.rating for p in index.users.predict(who, [14, 15, 16])]
    assert min(space) > max(weddings)
    assert {p.movie_id for p in index.users.recommend(who, 3)} <= {*SPACE} - {1, 2, 3}
    assert index.users.rated(NEW) == who
    for movie in (1, 2, 3):
        log.remove(NEW, movie)
    with pytest.raises(UnknownUser, match="were deleted"):
        index.users.resolve(NEW)


def test_a_user_of_the_data_set_is_known_with_what_they_rated_since(data: Path) -> None:
    index = MovieIndex.open(data)
    log = RatingLog(Library.open(data).database)
    assert index.users.resolve(2) == 2
    before = index.users.rated(2)
    changed, gone = sorted(before)[:2]
    unseen = next(movie for movie in (*SPACE, *WEDDINGS) if movie not in before)
    log.put(2, changed, 1.5)
    log.remove(2, gone)
    log.put(2, unseen, 4)
    expected = {movie: rating for movie, rating in before.items() if movie != gone} | {changed: 1.5, unseen: 4}
    assert index.users.resolve(2) == index.users.rated(2) == expected
    assert unseen not in {p.movie_id for p in index.users.recommend(index.users.resolve(2), 30)}
    assert gone in {p.movie_id for p in index.users.recommend(index.users.resolve(2), 30)}
    assert index.users.resolve(1) == 1


def test_a_user_whose_changes_were_taken_back_is_as_before(data: Path) -> None:
    index = MovieIndex.open(data)
    (user, *_) = index.users.ids.values.tolist()
    before = index.users.predict(index.users.resolve(user), [3, 13])
    log = RatingLog(Library.open(data).database)
    rated = index.users.rated(user)
    movie, other = next(iter(rated)), next(each for each in index.catalogue.ids.values.tolist() if each not in rated)
    log.put(user, other, 2.5)
    log.put(user, movie, rated[movie])  # the same again
    assert isinstance(index.users.resolve(user), dict)
    log.remove(user, other)
    assert index.users.resolve(user) == user
    assert index.users.predict(index.users.resolve(user), [3, 13]) == before


def test_a_user_who_rated_only_what_is_gone_is_unknown(data: Path) -> None:
    library = Library.open(data)
    library.put(Movie(10**9, "Added", 1990))
    RatingLog(library.database).put(NEW, 10**9, 4)
    assert MovieIndex.open(data).users.resolve(NEW) == {10**9: 4}
    library.remove(10**9)
    with pytest.raises(UnknownUser, match="there is no user 4000"):
        MovieIndex.open(data).users.resolve(NEW)


def test_a_rating_of_a_movie_that_was_removed_does_not_show(data: Path) -> None:
    index = MovieIndex.open(data)
    library = Library.open(data)
    log = RatingLog(library.database)
    log.put(NEW, 1, 5)
    log.put(NEW, 2, 4)
    library.remove(1)
    index = index.refreshed()
    assert index.users.resolve(NEW) == index.users.rated(NEW) == {2: 4}
    assert 1 not in index.users.rated(2)


def test_ratings_leave_the_movies_fresh_and_change_the_version_of_what_depends_on_them(data: Path) -> None:
    index = MovieIndex.open(data)
    before = index.version(ratings=False), index.version(ratings=True)
    RatingLog(Library.open(data).database).put(NEW, 1, 5)
    assert index.is_fresh()
    assert index.refreshed() is index
    assert index.version(ratings=False) == before[0]
    assert index.version(ratings=True) != before[1]


def test_who_opened_it_earlier_and_later_say_the_same_version(data: Path) -> None:
    library = Library.open(data)
    library.remove(2)
    earlier = MovieIndex.open(data)
    RatingLog(library.database).put(NEW, 1, 5)
    later = MovieIndex.open(data)
    for ratings in (False, True):
        assert earlier.version(ratings=ratings) == later.version(ratings=ratings)


def test_another_library_in_its_place_counts_from_its_start(world: World, data: Path) -> None:
    from indexer.build import build
    from indexer.config import Plan
    from tests.conftest import QUICK

    library = Library.open(data)
    for movie in (1, 2, 3):
        library.remove(movie)
    built = build(Plan(world.ratings, data, settings=QUICK))
    assert (built.dataset["library"], built.dataset["library_id"]) == (3, library.identity())
    for file in data.glob("library.db*"):
        file.unlink()
    Library.open(data).remove(4)  # sequence number 1 of another library
    index = MovieIndex.open(data)
    assert index.movies_version == 1
    assert 4 not in index.catalogue.ids
