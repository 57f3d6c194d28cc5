"""Candidate spaces for movie similarity: from every rating method, facts, posters and blends of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from indexer.spaces.facts import PEOPLE, SERIES, Labels, facts_vectors
from indexer.spaces.taste import taste_vectors
from indexer.spaces.writer import calibrate

_BLOCK = 256  # movies scored at a time


@dataclass(frozen=True, slots=True)
class CandidateSpace:
    """A similarity score between movies. Rows are catalogue rows."""

    # rows (m,) -> scores (m, n_movies); -inf for the movie itself and for movies without a score
    score_rows: Callable[[Int64Array], Float32Array]
    facts: frozenset[str] = frozenset()  # the facts it uses, of "genres", "year", "tags" and "people"
    space: Space | None = None  # vectors and calibration, for blends; None if the scores have no vectors
    without: Mapping[str, CandidateSpace] = field(default_factory=dict)  # fact -> the same space made without it

    def judged_by(self, fact: str) -> CandidateSpace | None:
        """Return the space to judge by data of some kind: made without them; None if there is no such."""
        space = self.without.get(fact, self)
        return None if fact in space.facts else space


def candidate_spaces(
    training: Training,
    rng: np.random.Generator,
    *,
    tags: Mapping[int, Sequence[str]],
    labels: Labels | None = None,
    names: Sequence[str] | None = None,
    settings: Settings | None = None,
    poster: tuple[Int64Array, Float32Array] | None = None,
    track: Track = silent,
) -> dict[str, CandidateSpace]:
    """Build candidate spaces from training ratings and facts; name -> space, the article's methods first.

    Args:
        training: the ratings, movies and users.
        rng: for the methods and the calibrations.
        tags: movie id -> tags.
        labels: kind -> movie id -> labels.
        names: the spaces to build; None for all.
        settings: of the factorisation machines.
        poster: rows (m,), ascending, of the movies with a poster, and their unit vectors (m, d).
        track: reports progress.
    """
    settings = settings or Settings()
    rated = np.unique(training.movie_rows)

    def from_vectors(rows: Int64Array, vectors: Float32Array, *facts: str) -> CandidateSpace:
        return vector_space(rows, vectors, training.movie_ids, rng, facts)

    def from_factors(factors: Float64Array | Float32Array) -> CandidateSpace:
        lengths = np.linalg.norm(factors[rated], axis=1, keepdims=True)
        return from_vectors(rated, (factors[rated] / np.maximum(lengths, 1e-12)).astype(np.float32))

    def from_machine(chosen: Settings, *facts: str) -> CandidateSpace:
        posterior = factorization_machine.fit(training, rng, chosen, track=track)
        return from_vectors(rated, taste_vectors(posterior, rated), *facts)

    def from_cosine() -> CandidateSpace:
        cosine = neighbourhood.fit(training, rng, neighbourhood.Settings("item"))
        return scored_space(rated, lambda at: cosine.similarity(rated[at])[:, rated], training.shape[1])

    def from_ranker(ranker: Ranker) -> CandidateSpace:
        """Score movies by the ranker's scores for a user with one rated movie."""

        def scores(at: Int64Array) -> Float32Array:
            return np.stack([ranker.scores(rated[[row]])[rated] for row in at])

        return scored_space(rated, scores, training.shape[1])

    builders: dict[str, Callable[[], CandidateSpace]] = {
        "item-cosine": from_cosine,
        "sgd": lambda: from_factors(sgd.fit(training, rng, track=track).factors.item_factors),
        "als": lambda: from_factors(als.fit(training, rng, track=track).item_factors),
        "bayesian-mf": lambda: from_machine(replace(settings, implicit=False, facts=False)),
        "taste": lambda: from_machine(settings, "genres", "year"),
    }
    if not implicit.UNAVAILABLE:
        builders["implicit-als"] = lambda: from_factors(implicit.fit(training, rng, track=track).item_factors)
    if ease.fits_in_memory(training):
        builders["ease"] = lambda: from_ranker(ease.fit(training, rng))
    of_people = {kind: given for kind, given in (labels or {}).items() if kind in PEOPLE}
    other_labels = {kind: given for kind, given in (labels or {}).items() if kind not in PEOPLE}
    used = ("genres", "year", SERIES, *(("tags",) if tags else ()), *(("people",) if of_people else ()))

    def from_facts() -> CandidateSpace:
        def made(tags: Mapping[int, Sequence[str]], labels: Labels, left_out: str) -> CandidateSpace:
            kept = (name for name in used if name != left_out)
            series = left_out != SERIES
            return from_vectors(*facts_vectors(training.movies, tags, labels, series=series), *kept)

        without = {SERIES: made(tags, other_labels | of_people, SERIES)}
        if tags:
            without["tags"] = made({}, other_labels | of_people, "tags")
        if of_people:
            without["people"] = made(tags, other_labels, "people")
        return replace(made(tags, other_labels | of_people, ""), without=without)

    if any(movie.genres or movie.year is not None for movie in training.movies) or tags or labels:
        builders["facts"] = from_facts
    if poster is not None:
        builders["poster"] = lambda: from_vectors(*poster)
    return {name: build() for name, build in builders.items() if names is None or name in names}


def scored_space(
    rows: Int64Array,
    scores: Callable[[Int64Array], Float64Array | Float32Array],
    n_movies: int,
    facts: Sequence[str] = (),
) -> CandidateSpace:
    """Return a space of the movies in ``rows`` (m,); ``scores`` maps positions in ``rows`` (k,) to scores (k, m)."""
    position = np.full(n_movies, -1)
    position[rows] = np.arange(rows.size)

    def score_rows(queries: Int64Array) -> Float32Array:
        all_scores = np.full((queries.size, n_movies), -np.inf, dtype=np.float32)
        known = np.flatnonzero(position[queries] >= 0)
        all_scores[np.ix_(known, rows)] = scores(position[queries[known]])
        all_scores[np.arange(queries.size), queries] = -np.inf
        return all_scores

    return CandidateSpace(score_rows, frozenset(facts))


def vector_space(
    rows: Int64Array, vectors: Float32Array, movie_ids: Ids, rng: np.random.Generator, facts: Sequence[str] = ()
) -> CandidateSpace:
    """Return a space of the movies in ``rows`` (m,), ascending; its scores are inner products of ``vectors`` (m, d)."""
    flat = FlatVectors(flat_index(vectors))
    space = Space("candidate", Ids(movie_ids.values[rows]), flat, None, calibrate(flat, rng))
    scored = scored_space(rows, lambda at: flat.estimates(flat.rows(at)), len(movie_ids), facts)
    return replace(scored, space=space)


def blend_space(spaces: Mapping[str, CandidateSpace], weights: Mapping[str, float], movie_ids: Ids) -> CandidateSpace:
    """Return the served blend of the spaces that have vectors and a positive weight."""
    parts = {name: part for name, part in spaces.items() if part.space is not None and weights.get(name, 0) > 0}
    facts = frozenset[str]().union(*(part.facts for part in parts.values()))
    without = {
        fact: blend_space({name: part.without.get(fact, part) for name, part in parts.items()}, weights, movie_ids)
        for fact in {fact for part in parts.values() for fact in part.without}
    }
    vectors = {name: part.space for name, part in parts.items() if part.space is not None}
    return CandidateSpace(Blend(vectors, weights, movie_ids).score_rows, facts, without=without)


def nearest(space: CandidateSpace, row: int, k: int) -> list[int]:
    """Return the rows of the ``k`` nearest neighbours of a movie, best first, ties by row."""
    neighbours: list[int] = top_rows(space.score_rows(np.array([row]))[0], k).tolist()
    return neighbours


def iter_scores(space: CandidateSpace, rows: Int64Array) -> Iterator[Float32Array]:
    """Yield the scores (n_movies,) of each row with all movies; computed in blocks to bound memory."""
    for start in range(0, rows.size, _BLOCK):
        yield from space.score_rows(rows[start : start + _BLOCK])


def pair_scores(space: CandidateSpace, first: Int64Array, second: Int64Array) -> Float32Array:
    """Return the scores (…, q) of movies (q,) with others (…, q)."""
    scores = np.empty(second.shape, dtype=np.float32)
    rows, at = np.unique(first, return_inverse=True)
    places = np.split(np.argsort(at, kind="stable"), np.cumsum(np.bincount(at))[:-1])
    for row_scores, place in zip(iter_scores(space, rows), places, strict=True):
        scores[..., place] = row_scores[second[..., place]]
    return scores
