"""The gallery: a few movies with their nearest neighbours by several methods, for a person to judge.

A figure does not show what a method takes for alike. The 2017 article showed rows of posters: of *Heat*, *Toy Story*
and others, by the cosine of ratings, by factors, and by look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from index.core.progress import Track, silent
from index.snapshot.gallery import NEAREST, Gallery, GalleryMovie
from indexer.datasets.training import Training
from indexer.evaluation.candidates import CandidateSpace, candidate_spaces, nearest
from indexer.evaluation.similarity import popular_movies
from indexer.models.all_users import subsample_users

ARTICLE = (("Heat", 1995), ("Toy Story", 1995))  # title and year: ids differ between data sets
MOVIES = 6  # those of the article included
MAX_RATINGS = 250_000  # gradient descent takes about 0.1 ms per rating; of more ratings, users are drawn
_SPARE = 2 * NEAREST  # neighbours stored, as some may be deleted online


def gallery_rows(training: Training, posters: Collection[int] = (), shown: Sequence[int] = ()) -> list[int]:
    """Return rows of the article's movies that are rated here, then of others: those given, or a few popular ones.

    Args:
        training: the ratings and movies.
        posters: ids of movies with a poster; if there are any, popular movies are chosen among them.
        shown: ids of the other movies.

    Raises:
        UnknownMovie: a movie in ``shown`` is not in the catalogue.
    """
    rated = np.bincount(training.movie_rows, minlength=training.shape[1]) > 0
    row_of = {(movie.title, movie.year): row for row, movie in enumerate(training.movies) if rated[row]}
    article = [row_of[movie] for movie in ARTICLE if movie in row_of]
    if shown:
        return list(dict.fromkeys([*article, *(training.movie_ids.row(movie_id) for movie_id in shown)]))
    among = np.isin(training.movie_ids.values, list(posters)) if posters else None
    return list(dict.fromkeys([*article, *popular_movies(training, among)]))[:MOVIES]


def neighbours(
    spaces: Mapping[str, CandidateSpace], training: Training, rows: Sequence[int], k: int = NEAREST
) -> tuple[GalleryMovie, ...]:
    """Return the movies in ``rows`` with the ids of their ``k`` nearest neighbours in every space."""
    ids = training.movie_ids.values
    return tuple(
        GalleryMovie(int(ids[row]), {name: tuple(ids[nearest(each, row, k)].tolist()) for name, each in spaces.items()})
        for row in rows
    )


def build_gallery(training: Training, posters: Collection[int], *, seed: int = 0, track: Track = silent) -> Gallery:
    """Return the gallery of a snapshot: neighbours by the article's methods, from at most ``MAX_RATINGS`` ratings.

    Args:
        training: all ratings of the build. Of data without ratings nothing is fitted by gradient descent.
        posters: ids of movies with a poster.
        seed: of the methods, and of the users drawn.
        track: reports progress.
    """
    rng = np.random.default_rng(seed)
    rows = gallery_rows(training, posters)
    sample = subsample_users(training, rng, MAX_RATINGS)
    names = ("item-cosine",) if training.ratings.implicit else ("item-cosine", "sgd")
    spaces = candidate_spaces(sample, rng, tags={}, names=names, track=track)
    return Gallery(neighbours(spaces, sample, rows, _SPARE), int(sample.values.size))
