"""Groups of people with planted tastes: spaceships (films 1 to 10) against weddings (films 11 to 20)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.catalogue.catalogue import MovieFilter
from index.movie_index import MovieIndex
from index.ratings.group_ways import WAYS
from index.ratings.groups import GroupPick, Person, group_order
from tests.conftest import SPACE, WEDDINGS

PILOT = Person({1: 5.0, 2: 5.0, 3: 4.5, 11: 1.0, 12: 0.5})
GUEST = Person({1: 1.0, 2: 0.5, 11: 5.0, 12: 5.0, 13: 4.5})


def ids(picks: list[GroupPick]) -> list[int]:
    return [pick.movie_id for pick in picks]


@pytest.mark.parametrize(
    ("together", "order"),
    [
        # Of four movies: the first is A's favourite, the second B's, the third is bearable for both, the fourth for none.
        ("mean", [0, 1, 2, 3]),
        ("least-misery", [2, 0, 1, 3]),
        ("fair", [2, 0, 1, 3]),
    ],
)
def test_each_way_orders_as_its_name_says(together: str, order: list[int]) -> None:
    ratings = np.array([[5.0, 1.5, 1.8, 1.0], [1.5, 4.9, 1.8, 1.0]])
    assert group_order(ratings, together, 4).tolist() == order  # type: ignore[arg-type]
    assert group_order(ratings, together, 2).tolist() == order[:2]  # type: ignore[arg-type]


def test_opposed_tastes_take_turns_if_the_list_is_fair_and_not_by_the_mean() -> None:
    # Four movies that A loves and four that B loves a little less.
    ratings = np.array([[5.0, 4.9, 4.8, 4.7, 1, 1, 1, 1], [1, 1, 1, 1, 4.0, 3.9, 3.8, 3.7]])
    assert group_order(ratings, "mean", 4).tolist() == [0, 1, 2, 3]
    fair = group_order(ratings, "fair", 8).tolist()
    for n in range(2, 9, 2):
        assert sum(each < 4 for each in fair[:n]) == n / 2


@settings(max_examples=50)
@given(st.integers(2, 5), st.integers(2, 30), st.integers(0, 99))
def test_every_way_returns_each_movie_once_and_the_fair_one_serves_nobody_last(people: int, n: int, seed: int) -> None:
    ratings = np.random.default_rng(seed).uniform(0.5, 5, (people, n))
    for way in WAYS:
        assert sorted(group_order(ratings, way, n).tolist()) == list(range(n))
    worth = ratings.argsort(axis=1).argsort(axis=1) / n
    served = {way: worth[:, group_order(ratings, way, n // 2)].sum(axis=1) for way in WAYS}
    # The worst served person never has much less than by the mean.
    assert served["fair"].min() >= served["mean"].min() - 1


def test_a_group_s_list_has_each_person_s_prediction_and_leaves_out_what_anyone_saw(movie_index: MovieIndex) -> None:
    users = movie_index.users
    watcher = Person(PILOT.user, watched=(4, 14))
    for way in WAYS:
        picks = users.recommend_together([watcher, GUEST], 30, together=way)
        assert {1, 2, 3, 4, 11, 12, 13, 14}.isdisjoint(ids(picks))
        assert set(ids(picks)) == set(movie_index.catalogue.ids.values.tolist()) - {1, 2, 3, 4, 11, 12, 13, 14}
        for person, line in zip((PILOT, GUEST), zip(*(pick.predictions for pick in picks), strict=True), strict=True):
            assert list(line) == users.predict(person.user, ids(picks))
        assert all(pick.given == (None, None) for pick in picks)
    by_mean = users.recommend_together([PILOT, GUEST], 30)
    means = [sum(each.rating for each in pick.predictions) / 2 for pick in by_mean]
    assert means == sorted(means, reverse=True)
    assert [pick.mean for pick in by_mean] == pytest.approx(means)
    by_least = users.recommend_together([PILOT, GUEST], 30, together="least-misery")
    least = [min(each.rating for each in pick.predictions) for pick in by_least]
    assert least == sorted(least, reverse=True) == [pick.least for pick in by_least]


def test_a_fair_list_serves_both_tastes(movie_index: MovieIndex) -> None:
    where = MovieFilter(exclude=(21, 22, 23))  # nobody has rated them, so both would find them bearable
    fair = ids(movie_index.users.recommend_together([PILOT, GUEST], 6, together="fair", where=where))
    assert 2 <= sum(each in SPACE for each in fair) <= 4
    assert 2 <= sum(each in WEDDINGS for each in fair) <= 4
    # With a second pilot, spaceships have more.
    three = ids(movie_index.users.recommend_together([PILOT, Person(2), GUEST], 8, together="fair"))
    assert 1 <= sum(each in WEDDINGS for each in three) <= sum(each in SPACE for each in three)


def test_people_of_one_taste_get_it(movie_index: MovieIndex) -> None:
    for way in WAYS:
        top = ids(movie_index.users.recommend_together([PILOT, Person({5: 5.0})], 4, together=way))
        assert set(top) <= {*SPACE, 21}


def test_what_some_have_seen_may_be_seen_again_and_their_ratings_count(movie_index: MovieIndex) -> None:
    users = movie_index.users
    both = Person(dict(GUEST.user) | {3: 4.0})  # type: ignore[arg-type]
    picks = {pick.movie_id: pick for pick in users.recommend_together([PILOT, both], 30, seen=True)}
    assert {1, 2, 3, 11, 12}.isdisjoint(picks)  # seen by both
    assert picks[13].given == (None, 4.5)
    assert picks[13].mean == pytest.approx((picks[13].predictions[0].rating + 4.5) / 2)
    assert picks[13].least == pytest.approx(min(picks[13].predictions[0].rating, 4.5))


def test_watchlists_filter_by_any_or_by_all(movie_index: MovieIndex) -> None:
    users = movie_index.users
    people = [Person(PILOT.user, watchlist=(5, 6, 15)), Person(GUEST.user, watchlist=(6, 15, 16))]
    assert set(ids(users.recommend_together(people, 30, lists="any"))) == {5, 6, 15, 16}
    assert set(ids(users.recommend_together(people, 30, lists="all"))) == {6, 15}
    where = MovieFilter(genres=("Romance",), among=(15, 16, 17))
    assert set(ids(users.recommend_together(people, 30, lists="any", where=where))) == {15, 16}
    assert users.recommend_together(people, 30, lists="all", where=MovieFilter(exclude=(6, 15))) == []


def test_users_of_the_data_set_may_be_members(movie_index: MovieIndex) -> None:
    users = movie_index.users
    picks = users.recommend_together([Person(1), Person(2)], 30)
    assert {*users.rated(1), *users.rated(2)}.isdisjoint(ids(picks))


def test_watched_films_are_never_recommended_and_leave_predictions_as_they_are(movie_index: MovieIndex) -> None:
    users = movie_index.users
    # Predictions do not change, and a watched film is never listed.
    found = users.recommend({5: 5.0}, 30, watched=(1, 2, 999))
    assert found != users.recommend({5: 5.0}, 30)
    assert {1, 2, 5}.isdisjoint(each.movie_id for each in found)
    assert found == users.predict({5: 5.0}, [each.movie_id for each in found])
    new = users.recommend({5: 5.0}, 5, watched=(21,), new=True)
    assert [each.movie_id for each in new] == [22]
    # A user of the data set may have watched more, too.
    assert not {7, 17} & {each.movie_id for each in users.recommend(2, 30, watched=(7, 17))}
    assert users.explain_ranks(2, [8], (7, 17)).keys() <= {8}
