"""Judgements about neighbours by blend on MovieLens itself, written down before any list was seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from index.core.progress import silent
from index.spaces.blend import Blend
from index.spaces.space import Space
from indexer.config import BLEND
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.models import factorization_machine
from indexer.models.factorization_machine import Settings
from indexer.spaces.facts import facts_vectors
from indexer.spaces.taste import taste_vectors
from indexer.spaces.writer import write_space
from tests.conftest import shared_folder

pytestmark = [pytest.mark.realdata, pytest.mark.long]

Nearest = Callable[[int], list[Movie]]  # movie id -> its ten nearest neighbours by blend

# Movie, number of its nearest neighbours, movies of which at least one must be among them.
ANY = {
    "Toy Story 2 among the first two of Toy Story": (1, 2, {3114}),
    "The Godfather: Part II among the first two of The Godfather": (858, 2, {1221}),
    "The Terminator among the first five of Terminator 2": (589, 5, {1240}),
    "another Die Hard among the first five of Die Hard": (1036, 5, {1370, 165}),
    "Aliens among the first three of Alien": (1214, 3, {1200}),
    "Princess Mononoke among the first five of Spirited Away": (5618, 5, {3000}),
}
# Movie, number of its nearest neighbours, movies that must all be among them.
ALL = {
    "both sequels among the first five of The Matrix": (2571, 5, {6365, 6934}),
    "both sequels among the first five of Star Wars": (260, 5, {1196, 1210}),
    "both sequels among the first five of The Fellowship of the Ring": (4993, 5, {5952, 7153}),
}
# Movie, number of its ten nearest neighbours that must have one of the genres.
GENRES = {
    "Heat": (6, 10, {"Action", "Crime", "Thriller"}),
    "The Lion King": (364, 8, {"Animation", "Children", "Musical"}),
    "The Shining": (1258, 7, {"Horror", "Thriller"}),
    "When Harry Met Sally": (1307, 8, {"Comedy", "Romance"}),
}


@pytest.fixture(scope="session")
def nearest(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Nearest:
    """Neighbours by the default blend of taste and facts, of fewer draws of the sampler than a build's."""
    dataset = read_dataset(realdata / "ml-latest-small-2016", facts=realdata / "facts" / "facts.csv")
    training = Training.of(dataset)
    with shared_folder(tmp_path_factory, "judged") as folder:
        if not any(folder.iterdir()):
            rng = np.random.default_rng(0)
            posterior = factorization_machine.fit(training, rng, Settings(chains=2, iterations=60))
            rated = np.unique(training.movie_rows)
            parts = {
                "taste": (rated, taste_vectors(posterior, rated)),
                "facts": facts_vectors(dataset.movies, dataset.tags, dataset.labels, series=True),
            }
            for name, (rows, vectors) in parts.items():
                ids = Ids(training.movie_ids.values[rows])
                write_space(folder / name, ids, vectors, rng, label=name, track=silent)
    blend = Blend({name: Space.load(name, folder / name, {}) for name in ("taste", "facts")}, BLEND, training.movie_ids)

    def find(movie_id: int) -> list[Movie]:
        rows = training.movie_ids.rows([match.movie_id for match in blend.similar(movie_id, 10)])
        return [training.movies[row] for row in rows]

    return find


@pytest.mark.parametrize(("movie_id", "k", "wanted"), ANY.values(), ids=ANY)
def test_one_of_some_movies_is_near(nearest: Nearest, movie_id: int, k: int, wanted: set[int]) -> None:
    assert wanted & {movie.movie_id for movie in nearest(movie_id)[:k]}


@pytest.mark.parametrize(("movie_id", "k", "wanted"), ALL.values(), ids=ALL)
def test_all_of_some_movies_are_near(nearest: Nearest, movie_id: int, k: int, wanted: set[int]) -> None:
    assert wanted <= {movie.movie_id for movie in nearest(movie_id)[:k]}


@pytest.mark.parametrize(("movie_id", "least", "genres"), GENRES.values(), ids=GENRES)
def test_neighbours_are_of_a_genre(nearest: Nearest, movie_id: int, least: int, genres: set[str]) -> None:
    assert sum(bool(genres & set(movie.genres)) for movie in nearest(movie_id)) >= least
