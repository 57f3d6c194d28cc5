import numpy as np

from index.catalogue.catalogue import Movie
from indexer.spaces.facts import facts_vectors

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
