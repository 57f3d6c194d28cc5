"""Movies without ratings, or with few, in every answer at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.catalogue.catalogue import Movie, MovieFilter
from index.core.errors import NotComparable
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from index.ratings.groups import Person
from tests.conftest import SPACE, WEDDINGS, poster, with_vector_of
from tests.index.posters.test_images import encoded
from tests.paths import GOLDEN

NEW = 1_000_000_000
FAN, OTHER = 2, 1  # a user who loves spaceships, and one who loves weddings


def add(data: Path, movie_id: int, genres: tuple[str, ...], picture: int | None = None) -> MovieIndex:
    """Add a movie with the poster of movie ``picture``; return the index with it."""
    kept: Poster | None = None
    if picture is not None:
        kept = with_vector_of(MovieIndex.open(data), picture, encoded(poster(picture), "PNG"))
    Library.open(data).put(Movie(movie_id, f"New {movie_id}", 1975, genres), kept)
    return MovieIndex.open(data)


def test_an_added_movie_is_predicted_compared_and_recommended_at_once(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"), picture=8)
    fan, other = (index.users.predict(user, [NEW])[0] for user in (FAN, OTHER))
    assert fan.rating > other.rating + 1
    assert fan.low < fan.rating < fan.high
    known = index.users.predict(FAN, [3])[0]
    assert fan.high - fan.low > known.high - known.low  # less is known of it
    assert {match.movie_id for match in index.similar(NEW, 5, by="taste")} <= {*SPACE, 21}
    assert NEW in {match.movie_id for match in index.similar(3, 23, by="taste")}
    new = index.users.recommend(FAN, 3, new=True)
    assert {prediction.movie_id for prediction in new} == {21, 22, NEW}
    assert new[-1].movie_id == 22  # nothing is known of it
    assert index.users.recommend(FAN, 3, new=True, where=MovieFilter(exclude=(21,)))[0].movie_id == NEW
    assert NEW not in {prediction.movie_id for prediction in index.users.recommend(FAN, 3)}


def test_strangers_are_recommended_new_movies_of_their_kind(data: Path) -> None:
    add(data, NEW, ("Sci-Fi", "Action"))
    index = add(data, NEW + 1, ("Romance", "Comedy"))
    for liked, expected in ((SPACE, NEW), (WEDDINGS, NEW + 1)):
        stranger = {movie: 5.0 if movie in liked else 1.0 for movie in (1, 2, 3, 4, 12, 13, 14, 15)}
        ratings = {each.movie_id: each.rating for each in index.users.recommend(stranger, 5, new=True)}
        assert max((NEW, NEW + 1), key=lambda movie: ratings[movie]) == expected
    assert NEW not in {each.movie_id for each in index.users.recommend(stranger | {NEW: 4.0}, 5, new=True)}


def test_first_ratings_count_without_a_build(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    before = index.users.predict(FAN, [NEW])[0]
    log = RatingLog(Library.open(data).database)
    ratings, widths = [before.rating], [before.high - before.low]
    for users in ((4,), (6, 8), (10, 12, 14), (900, 901)):
        for user in users:
            log.put(user, NEW, 0.5)
        found = index.users.predict(FAN, [NEW])[0]
        ratings.append(found.rating)
        widths.append(found.high - found.low)
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[-1] < ratings[0] - 0.1  # most movies of this world are rated alike, so a few odd ratings say little
    assert widths == sorted(widths, reverse=True)
    log.remove(900, NEW)
    assert index.users.predict(FAN, [NEW])[0].rating > ratings[-1]
    # A rating that is replaced counts once.
    (explained,) = index.users.explain(FAN, [3])
    log.put(6, 3, 0.5)
    assert index.users.predict(FAN, [3])[0].rating < explained.rating


def test_ratings_that_were_taken_back_leave_no_room_for_fewer_others(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    log = RatingLog(Library.open(data).database)
    for user in range(900, 905):
        log.put(user, NEW, 5.0)
    rated = index.users.predict(FAN, [NEW])
    for user in range(1000, 1060):
        log.put(user, NEW, 0.5)
    assert index.users.predict(FAN, [NEW]) != rated
    for user in range(1000, 1060):
        log.remove(user, NEW)
    assert index.users.predict(FAN, [NEW]) == rated


def test_of_what_is_not_known_a_new_movie_has_the_usual(data: Path) -> None:
    Library.open(data).put(Movie(NEW, "Timeless", None, ("Sci-Fi", "Action")))
    Library.open(data).put(Movie(NEW + 1, "Of no kind", 1975))
    timeless, of_no_kind = (each.content for each in MovieIndex.open(data).users.explain(FAN, [NEW, NEW + 1]))
    assert timeless is not None
    assert of_no_kind is not None
    assert (timeless.year, of_no_kind.genres) == (0, 0)
    assert timeless.genres
    assert of_no_kind.year


def test_movies_named_one_by_one_are_recommended_without_ratings_too(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    users, among = index.users, MovieFilter(among=(NEW, 3, 13, 21))
    assert [each.movie_id for each in users.recommend(OTHER, 9, where=among)][-1:] == [NEW]
    assert {each.movie_id for each in users.recommend(OTHER, 9, where=among)} == {NEW, 3, 13, 21} - users.rated(
        OTHER
    ).keys()
    assert NEW not in {each.movie_id for each in users.recommend({NEW: 4.0}, 9, where=among)}
    watchlists = [Person(FAN, watchlist=(NEW,)), Person(OTHER, watchlist=(NEW,))]
    (pick,) = users.recommend_together(watchlists, 9, lists="all")
    assert [each.movie_id for each in pick.predictions] == [NEW, NEW]


def test_new_movies_may_be_diverse(data: Path) -> None:
    for at in range(4):
        add(data, NEW + at, ("Sci-Fi", "Action"))
    index = add(data, NEW + 4, ("Romance", "Comedy"))
    first, second = (
        [each.movie_id for each in index.users.recommend(FAN, 7, new=True, diversity=diversity)]
        for diversity in (0, 0.9)
    )
    assert sorted(first) == sorted(second)
    assert first[0] == second[0]
    assert second.index(NEW + 4) < first.index(NEW + 4)
    assert [each.movie_id for each in index.users.recommend(FAN, 3, new=True, diversity=0.9)] == second[:3]


def test_a_genre_in_other_letters_is_the_catalogue_s(data: Path) -> None:
    add(data, NEW, ("Sci-Fi", "Action"))
    index = add(data, NEW + 1, ("sci-fi", "ACTION", "Sci-Fi", "Anime"))
    assert index.catalogue.movie(NEW + 1).genres == ("Sci-Fi", "Action", "Anime")
    first, second = (index.users.predict(FAN, [movie_id])[0].rating for movie_id in (NEW, NEW + 1))
    assert first == second
    assert "sci-fi" not in index.catalogue.genres


def test_a_changed_movie_has_its_new_content(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    fan = index.users.predict(FAN, [NEW])[0].rating
    index = add(data, NEW, ("Romance", "Comedy"))
    assert index.users.predict(FAN, [NEW])[0].rating < fan - 1
    assert index.similar(NEW, 1, by="taste")[0].movie_id in WEDDINGS
    Library.open(data).put(Movie(21, "Unseen", 2001, ("Romance", "Comedy")))
    index = MovieIndex.open(data)
    assert index.similar(21, 1, by="taste")[0].movie_id in WEDDINGS


@pytest.mark.parametrize("who", [FAN, {1: 5.0, 2: 4.5, 12: 1.0}, {}])
def test_an_explanation_adds_up_to_the_prediction(data: Path, who: int | dict[int, float]) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"), picture=8)
    wanted = [NEW, 3, 21, 22]
    predictions = index.users.predict(who, wanted)
    for prediction, explanation in zip(predictions, index.users.explain(who, wanted), strict=True):
        total = sum(part.watched + part.rated for part in explanation.contributions)
        assert explanation.base + total == pytest.approx(explanation.rating, abs=1e-6)
        assert np.clip(explanation.rating, *index.users.scale) == pytest.approx(prediction.rating, abs=1e-5)
        content = explanation.content
        assert content is not None
        parts = content.usual, content.genres, content.year, content.similar, content.poster, content.ratings
        if prediction.movie_id != 3:
            assert content.share == 1
            assert sum(parts) == pytest.approx(explanation.rating, abs=1e-6)
    assert 0 < index.users.explain(who, [3])[0].content.share < 0.5  # type: ignore[union-attr]


def test_a_fan_s_prediction_is_explained_by_its_genres(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    (fan,), (other,) = (index.users.explain(user, [NEW]) for user in (FAN, OTHER))
    assert fan.content is not None
    assert other.content is not None
    assert fan.content.genres + fan.content.year > 0.3 > -0.3 > other.content.genres + other.content.year


def test_the_admirers_of_a_movie_are_asked(movie_index: MovieIndex) -> None:
    new_movies = movie_index.users.new_movies
    assert new_movies is not None
    content = new_movies.imagined(1975, ["Sci-Fi", "Action"], None)
    spaceship, wedding = new_movies.by_admirers(3, content), new_movies.by_admirers(13, content)
    assert spaceship is not None
    assert wedding is not None
    assert spaceship.rating > wedding.rating + 1
    assert spaceship.low < spaceship.rating < spaceship.high
    taste = movie_index.spaces["taste"]
    length = float(np.linalg.norm(new_movies.taste_vector(content, taste)))
    assert 0 < length < new_movies.usual_length(taste) * 1.01
    nothing = new_movies.imagined(None, [], None)
    assert not new_movies.taste_vector(nothing, taste).any()


def test_nobody_s_taste_explains_a_movie_without_ratings(data: Path) -> None:
    index = add(data, NEW, ("Sci-Fi", "Action"))
    for movie_id in (NEW, 21):
        with pytest.raises(NotComparable, match="has no ratings in the snapshot, so nobody's taste explains it"):
            index.explainer.taste(3, movie_id)


def test_an_older_snapshot_says_that_it_has_no_such_model() -> None:
    index = MovieIndex.open(GOLDEN / "v4")
    assert index.users.new_movies is None
    with pytest.raises(NotComparable, match="has no model of movies without ratings: build it again"):
        index.users.recommend(2, 3, new=True)
