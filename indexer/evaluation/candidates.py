"""The ways to say which movies are alike that stand for election: every rating method's, facts, looks, blends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.ratings.rankers import Ranker
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index, top_rows
from index.spaces.space import Space
from index.spaces.vectors import FlatVectors
from indexer.datasets.training import Training
from indexer.models import (
    als,
    ease,
    factorization_machine,
    implicit,
    neighbourhood,
    sgd,
)
from indexer.models.factorization_machine import Settings
from indexer.spaces.facts import facts_vectors
from indexer.spaces.taste import taste_vectors
from indexer.spaces.writer import calibrate

_BLOCK = 256  # movies scored at a time


@dataclass(frozen=True, slots=True)
class CandidateSpace:
    """One way to say how alike two movies are. Rows are the catalogue's."""

    score_rows: Callable[
        [Int64Array], Float32Array
    ]  # rows (m,) -> (m, n_movies); -inf for itself and what it cannot compare
    facts: frozenset[str] = frozenset()  # of "genres", "year" and "tags", what it was made from
    space: Space | None = None  # its vectors and their calibration, for blends; None where it has none


def spaces_of(
    training: Training,
    rng: np.random.Generator,
    *,
    tags: Mapping[int, Sequence[str]],
    names: Sequence[str] | None = None,
    settings: Settings | None = None,
    poster: tuple[Int64Array, Float32Array] | None = None,
    track: Track = silent,
) -> dict[str, CandidateSpace]:
    """Spaces by name, the article's first, from training ratings and facts alone.

    Args:
        tags: movie id -> tags.
        names: which of them; all where it is None.
        settings: of the factorisation machines.
        poster: rows (m,), ascending, of the movies that have a poster, and their unit vectors (m, d).
    """
    settings = settings or Settings()
    rated = np.unique(training.movie_rows)

    def of_vectors(rows: Int64Array, vectors: Float32Array, *facts: str) -> CandidateSpace:
        return vector_space(rows, vectors, training.movie_ids, rng, facts)

    def of_factors(factors: Float64Array | Float32Array) -> CandidateSpace:
        lengths = np.linalg.norm(factors[rated], axis=1, keepdims=True)
        return of_vectors(rated, (factors[rated] / np.maximum(lengths, 1e-12)).astype(np.float32))

    def of_machine(chosen: Settings, *facts: str) -> CandidateSpace:
        posterior = factorization_machine.fit(training, rng, chosen, track=track)
        return of_vectors(rated, taste_vectors(posterior, rated), *facts)

    def of_cosine() -> CandidateSpace:
        cosine = neighbourhood.fit(training, rng, neighbourhood.Settings("item"))
        return scored_space(rated, lambda at: cosine.similarity(rated[at])[:, rated], training.shape[1])

    def of_ranker(ranker: Ranker) -> CandidateSpace:
        """What it would recommend to someone who rated one movie alone."""

        def scores(at: Int64Array) -> Float32Array:
            return np.stack([ranker.scores(rated[[row]])[rated] for row in at])

        return scored_space(rated, scores, training.shape[1])

    makers: dict[str, Callable[[], CandidateSpace]] = {
        "item-cosine": of_cosine,
        "sgd": lambda: of_factors(sgd.fit(training, rng, track=track).factors.item_factors),
        "als": lambda: of_factors(als.fit(training, rng, track=track).item_factors),
        "bayesian-mf": lambda: of_machine(replace(settings, implicit=False, facts=False)),
        "taste": lambda: of_machine(settings, "genres", "year"),
    }
    if not implicit.UNAVAILABLE:
        makers["implicit-als"] = lambda: of_factors(implicit.fit(training, rng, track=track).item_factors)
    if ease.fits_in_memory(training):
        makers["ease"] = lambda: of_ranker(ease.fit(training, rng))
    rows, vectors = facts_vectors(training.movies, tags)
    if rows.size:
        makers["facts"] = lambda: of_vectors(rows, vectors, "genres", "year", "tags")
    if poster is not None:
        makers["poster"] = lambda: of_vectors(*poster)
    return {name: make() for name, make in makers.items() if names is None or name in names}


def scored_space(
    rows: Int64Array,
    scores: Callable[[Int64Array], Float64Array | Float32Array],
    n_movies: int,
    facts: Sequence[str] = (),
) -> CandidateSpace:
    """A space of the movies in ``rows`` (m,); ``scores`` takes positions there (k,) and gives scores (k, m)."""
    position = np.full(n_movies, -1)
    position[rows] = np.arange(rows.size)

    def score_rows(asked: Int64Array) -> Float32Array:
        whole = np.full((asked.size, n_movies), -np.inf, dtype=np.float32)
        has = np.flatnonzero(position[asked] >= 0)
        whole[np.ix_(has, rows)] = scores(position[asked[has]])
        whole[np.arange(asked.size), asked] = -np.inf
        return whole

    return CandidateSpace(score_rows, frozenset(facts))


def vector_space(
    rows: Int64Array, vectors: Float32Array, movie_ids: Ids, rng: np.random.Generator, facts: Sequence[str] = ()
) -> CandidateSpace:
    """A space of the movies in ``rows`` (m,), ascending, by inner products of their vectors (m, d)."""
    flat = FlatVectors(flat_index(vectors))
    space = Space("candidate", Ids(movie_ids.values[rows]), flat, None, calibrate(flat, rng))
    scored = scored_space(rows, lambda at: flat.estimates(flat.rows(at)), len(movie_ids), facts)
    return replace(scored, space=space)


def blend_space(spaces: Mapping[str, CandidateSpace], weights: Mapping[str, float], movie_ids: Ids) -> CandidateSpace:
    """The spaces that have vectors and a weight as one, blended as the server does."""
    parts = {name: part.space for name, part in spaces.items() if part.space is not None and weights.get(name, 0) > 0}
    facts = frozenset[str]().union(*(spaces[name].facts for name in parts))
    return CandidateSpace(Blend(parts, weights, movie_ids).score_rows, facts)


def nearest(space: CandidateSpace, row: int, k: int) -> list[int]:
    """Rows of the ``k`` movies most like one, best first, ties by row."""
    near: list[int] = top_rows(space.score_rows(np.array([row]))[0], k).tolist()
    return near


def score_lines(space: CandidateSpace, rows: Int64Array) -> Iterator[Float32Array]:
    """Scores (n_movies,) of each of some movies with all, a block of them in memory at a time."""
    for start in range(0, rows.size, _BLOCK):
        yield from space.score_rows(rows[start : start + _BLOCK])


def pair_scores(space: CandidateSpace, first: Int64Array, second: Int64Array) -> Float32Array:
    """Scores (…, q) of movies (q,) with others (…, q)."""
    scores = np.empty(second.shape, dtype=np.float32)
    rows, at = np.unique(first, return_inverse=True)
    places = np.split(np.argsort(at, kind="stable"), np.cumsum(np.bincount(at))[:-1])
    for line, place in zip(score_lines(space, rows), places, strict=True):
        scores[..., place] = line[second[..., place]]
    return scores
