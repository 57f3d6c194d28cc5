import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from indexer.spaces.facts import LABEL_DIMENSION, YEARS_APART, facts_vectors, series_labels

MOVIES = (
    Movie(1, "a", 1950, ("Drama",)),
    Movie(2, "b", 1951, ("Drama",)),
    Movie(3, "c", 2010, ("Drama",)),
    Movie(4, "d", 1950, ("Western", "Drama")),
    Movie(5, "e", 1950, ("Western", "Comedy")),
    Movie(6, "f", None, ()),
    Movie(7, "g", None, ("Comedy",)),
)


def score(tags: dict[int, tuple[str, ...]], a: int, b: int) -> float:
    rows, vectors = facts_vectors(MOVIES, tags)
    at = {MOVIES[row].movie_id: vectors[i] for i, row in enumerate(rows)}
    return float(at[a] @ at[b])


def test_vectors_have_length_1_and_a_movie_without_facts_has_none() -> None:
    rows, vectors = facts_vectors(MOVIES, {})
    assert rows.tolist() == [0, 1, 2, 3, 4, 6]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_nearer_year_is_more_alike() -> None:
    assert score({}, 1, 2) > score({}, 1, 3)


def test_likeness_by_year_is_gaussian_and_has_no_subnormal_numbers() -> None:
    years = [1890, 1900, 1901, 1904, 1950, 2024]
    _, vectors = facts_vectors([Movie(i, "", year) for i, year in enumerate(years)], {})
    apart = np.subtract.outer(years, years)
    np.testing.assert_allclose(vectors @ vectors.T, np.exp(-((apart / YEARS_APART) ** 2) / 2), atol=1e-5)
    assert np.abs(vectors[vectors != 0]).min() > np.finfo(np.float32).tiny  # processors are many times slower with them


def test_sharing_a_rare_genre_says_more_than_a_common_one() -> None:
    assert score({}, 4, 5) > score({}, 1, 4)


def test_a_shared_tag_brings_movies_together_and_case_does_not_matter() -> None:
    tags = {1: ("Sad ending",), 3: ("sad ending ",), 2: ("dull",)}
    assert score(tags, 1, 3) > score({2: ("dull",)}, 1, 3)


def test_many_tags_are_reduced_to_the_same_answer_every_time() -> None:
    movies = tuple(Movie(i, str(i), 2000, ("Drama",)) for i in range(200))
    rng = np.random.default_rng(0)
    tags = {i: tuple(f"tag {t}" for t in rng.integers(0, 150, 8)) for i in range(200)}
    first, again = facts_vectors(movies, tags)[1], facts_vectors(movies, tags)[1]
    assert first.shape[1] < 150
    np.testing.assert_array_equal(first, again)


LABELS = {"directors": {1: ("mann",), 3: ("mann",), 2: ("scott",)}, "keywords": {1: ("heist", "cop"), 2: ("heist",)}}


def labelled(labels: dict[str, dict[int, tuple[str, ...]]], a: int, b: int, **weights: float) -> float:
    rows, vectors = facts_vectors(MOVIES, {}, labels, weights)
    at = {MOVIES[row].movie_id: vectors[i] for i, row in enumerate(rows)}
    return float(at[a] @ at[b])


def test_a_shared_label_adds_its_weight() -> None:
    without = score({}, 1, 3)
    assert labelled(LABELS, 1, 3, directors=1, keywords=0) == pytest.approx((without + 1) / 2, abs=1e-6)
    assert labelled(LABELS, 1, 3, directors=0, keywords=0) == pytest.approx(without, abs=1e-6)


def test_a_movie_without_labels_scores_as_one_that_shares_none() -> None:
    scott, unknown = labelled(LABELS, 1, 2, directors=1, keywords=0), labelled(LABELS, 1, 4, directors=1, keywords=0)
    assert scott == pytest.approx(score({}, 1, 2) / 2, abs=1e-6)
    assert unknown == pytest.approx(score({}, 1, 4) / 2, abs=1e-6)


def test_a_movie_that_has_nothing_but_labels_is_compared() -> None:
    labels = {"directors": {5: ("mann",), 6: ("mann",)}}
    rows, _ = facts_vectors(MOVIES, {}, labels)
    assert 5 in rows
    assert labelled(labels, 5, 6) > 0


def test_very_many_labels_keep_their_scores_but_for_noise() -> None:
    rng = np.random.default_rng(0)
    movies = tuple(Movie(i, str(i)) for i in range(300))
    labels = {"actors": {i: tuple({f"actor {a}" for a in rng.integers(0, 900, 6)}) for i in range(300)}}
    rows, vectors = facts_vectors(movies, {}, labels, {"actors": 1})
    assert vectors.shape == (300, LABEL_DIMENSION)
    scores = 2 * vectors @ vectors.T  # labels have half of the weight
    sets = [set(labels["actors"][i]) for i in rows.tolist()]
    sharing = np.array([[len(a & b) for b in sets] for a in sets])
    off = ~np.eye(300, dtype=bool)
    assert abs(scores[off & (sharing == 0)].mean()) < 0.01
    assert scores[off & (sharing == 0)].std() < 1.3 / LABEL_DIMENSION**0.5
    assert scores[off & (sharing == 2)].min() > scores[off & (sharing == 0)].mean() + 0.1
    np.testing.assert_array_equal(vectors, facts_vectors(movies, {}, labels, {"actors": 1})[1])


def test_parts_of_a_series_are_near_and_a_common_word_says_nothing() -> None:
    titles = ["Toy Story", "Toy Story 2", "The Matrix", "Matrix Reloaded (Matrix 2)", "Heat", "Body Heat", "Alone"]
    titles += [f"Love {number}" for number in range(40)]
    movies = [Movie(at, title, 2000, ("Drama",)) for at, title in enumerate(titles)]
    labels = series_labels(movies)
    assert labels[1] == ["toy", "toy story"]
    assert labels[3] == ["matrix"]
    assert labels[4] == labels[6] == labels[7] == []
    _, plain = facts_vectors(movies, {})
    _, vectors = facts_vectors(movies, {}, series=True)
    scores, before = vectors @ vectors.T, plain @ plain.T
    assert scores[0, 1] > scores[0, 2]
    assert scores[2, 3] > scores[4, 5] == pytest.approx(before[4, 5] / 1.3, abs=1e-6)
    assert scores[0, 1] == pytest.approx((before[0, 1] + 0.3) / 1.3, abs=1e-6)
    nothing = [Movie(1, "Toy Story", None, ()), Movie(2, "Toy Story 2", None, ())]
    assert facts_vectors(nothing, {}, series=True)[0].size == 0


def test_a_plural_begins_as_its_singular() -> None:
    films = ("Alien", "Aliens", "Glass", "Glas", "As", "A")
    labels = series_labels([Movie(at, title, 1980 + at) for at, title in enumerate(films)])
    assert labels == {0: ["alien"], 1: ["alien"], 2: [], 3: [], 4: [], 5: []}


def test_parts_of_a_collection_are_near_whatever_they_are_called() -> None:
    titles = {1: "Batman Begins", 2: "The Dark Knight", 3: "The Prestige", 4: "Heat", 5: "Ronin", 6: "Memento"}
    movies = [Movie(i, title, 2000, ("Crime", "Drama")) for i, title in titles.items()]
    labels = {
        "collections": {1: ("the dark knight collection",), 2: ("the dark knight collection",)},
        "directors": dict.fromkeys((1, 2, 3, 6), ("christopher nolan",)),
    }

    def nearest(chosen: dict[str, float]) -> set[int]:
        _, vectors = facts_vectors(movies, {}, labels, chosen, series=True)
        scores = vectors @ vectors[0]
        scores[0] = -1
        return {movies[at].movie_id for at in np.flatnonzero(scores > scores.max() - 1e-6)}

    assert nearest({}) == {2}
    assert nearest({"collections": 0}) == {2, 3, 6}  # the same director


def test_parts_of_a_collection_are_nearer_than_films_of_the_same_genres_and_year() -> None:
    movies = [Movie(1, "First", 1980, ("Horror", "Sci-Fi")), Movie(2, "Second", 1995, ("Action", "Sci-Fi")),
              Movie(3, "Other", 1980, ("Horror", "Sci-Fi")), Movie(4, "Last", 1990, ("Action", "Drama"))]  # fmt: skip
    _, vectors = facts_vectors(movies, {}, {"collections": {1: ("one",), 2: ("one",)}}, series=True)
    scores = vectors @ vectors[0]
    assert scores[1] > scores[2]
