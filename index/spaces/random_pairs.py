"""Scores of random pairs of movies in several spaces at once, with which the scores of a blend are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.spaces.space import Calibration, Space

_QUERIES, _OTHERS = 200, 250  # movies drawn; every query makes a pair with each of the others
_BLOCK = 50  # queries per product, to bound memory
_TAIL = 0.002  # share of the pairs, of highest scores, to which an exponential distribution is fitted
_LEAST_IN_TAIL = 10
_TAIL_STEPS = np.arange(1, 121) / 8  # in units of the tail's mean: up to 3 in 10 million of it


@dataclass(frozen=True)
class RandomPairs:
    """Standardised scores of random pairs of different movies."""

    names: tuple[str, ...]  # of the spaces
    scores: Float32Array  # (m, spaces); NaN where a space lacks one of the two movies

    @classmethod
    def draw(cls, spaces: Mapping[str, Space], catalogue_rows: Mapping[str, Int64Array], n_movies: int) -> RandomPairs:
        """Draw pairs of a catalogue, the same ones each time. Spaces of two stages score them approximately.

        Args:
            spaces: by name.
            catalogue_rows: space -> (n_space,) catalogue row of each of its rows.
            n_movies: in the catalogue.
        """
        rng = np.random.default_rng(0)
        known = np.unique(np.concatenate([np.empty(0, np.int64), *catalogue_rows.values()]))
        queries, others = (np.sort(rng.choice(known, min(n, known.size), replace=False)) for n in (_QUERIES, _OTHERS))
        scores = np.full((queries.size, others.size, len(spaces)), np.nan, dtype=np.float32)
        for at, (name, space) in enumerate(spaces.items()):
            space_rows = np.full(n_movies, -1)
            space_rows[catalogue_rows[name]] = np.arange(len(space))
            present = np.flatnonzero(space_rows[queries] >= 0)
            columns = np.flatnonzero(space_rows[others] >= 0)
            for start in range(0, present.size, _BLOCK):
                lines = present[start : start + _BLOCK]
                found = space.vectors.estimates(space.vectors.rows(space_rows[queries[lines]]))
                standardised = space.calibration.standardised(found[:, space_rows[others[columns]]])
                scores[:, :, at][np.ix_(lines, columns)] = standardised
        different = queries[:, None] != others
        return cls(tuple(spaces), scores[different])

    @classmethod
    def load(cls, folder: Path, names: Sequence[str]) -> RandomPairs:
        """Return the pairs saved in a folder, in some spaces."""
        return cls(tuple(names), np.stack([np.load(_file(folder, name)) for name in names], axis=1))

    def save(self, folder: Path) -> None:
        """Write the files that ``load`` reads, one per space."""
        for at, name in enumerate(self.names):
            np.save(_file(folder, name), self.scores[:, at])

    def of(self, names: Sequence[str]) -> Float32Array:
        """Return the scores of the pairs in some spaces, (m, spaces)."""
        return self.scores[:, [self.names.index(name) for name in names]]

    def correlations(self, names: Sequence[str]) -> Float64Array:
        """Return the correlations (s, s) of the scores in some spaces, 0 where they are negative or unknown."""
        at = [self.names.index(name) for name in names]
        return self._correlations[np.ix_(at, at)]

    @cached_property
    def _correlations(self) -> Float64Array:
        return correlations(self.scores)


def _file(folder: Path, name: str) -> Path:
    return folder / f"random_pairs_{name}.npy"


def correlations(scores: Float32Array | Float64Array) -> Float64Array:
    """Return the correlations (s, s) of the columns of standardised scores (m, s), over the rows that have both.

    They are 0 where they are negative or unknown.
    """
    known = np.isfinite(scores)
    filled = np.where(known, scores, 0).astype(np.float64)
    products = filled.T @ filled
    lengths = np.sqrt(np.square(filled).T @ known)  # (i, j): of column i, over the rows that column j has too
    both = lengths * lengths.T  # 0 where all scores of one are alike, as those of equal posters
    found: Float64Array = np.divide(products, both, out=np.zeros_like(products), where=both > 0)
    found = np.clip(found, 0, 1)
    np.fill_diagonal(found, 1)
    return found


def coefficients(weights: Sequence[float], correlated: Float64Array) -> Float32Array:
    """Return the factor of each space's standardised score in the blended one, by the spaces that two movies share.

    The blended score is the weighted sum of the spaces' scores, divided by the deviation of that sum among random
    pairs that share all spaces. A score that is missing is replaced by its expectation given the others (linear
    regression), so that on average it neither raises nor lowers the sum.

    Args:
        weights: (s,) positive.
        correlated: (s, s) correlations of the spaces' scores.

    Returns:
        (2^s, s): row p is of the pairs that share the spaces whose bits are set in p; row 0 is 0.

    Source: Buck, "A Method of Estimation of Missing Values in Multivariate Data", JRSS B 1960.
    """
    given = np.array(weights, dtype=np.float64)
    deviation = np.sqrt(given @ correlated @ given)
    factors = np.zeros((2**given.size, given.size))
    for pattern in range(1, 2**given.size):
        shared = (pattern >> np.arange(given.size) & 1).astype(np.bool_)
        expected = np.linalg.pinv(correlated[np.ix_(shared, shared)]) @ correlated[np.ix_(shared, ~shared)]
        factors[pattern, shared] = given[shared] + expected @ given[~shared]
    # A higher score in a space never lowers the sum.
    return (np.maximum(factors, 0) / deviation).astype(np.float32)


def calibration_of(blended: Float32Array) -> Calibration:
    """Return the distribution of blended scores (m,), with an exponential tail beyond the highest.

    Source: Pickands, "Statistical Inference Using Extreme Order Statistics", Annals of Statistics 1975.
    """
    scores = np.sort(blended[np.isfinite(blended)])
    if scores.size < 2:
        return Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))
    in_tail = min(max(_LEAST_IN_TAIL, round(_TAIL * scores.size)), scores.size // 2)
    body = scores[:-in_tail]
    start = float(scores[-in_tail])
    mean = max(float(scores[-in_tail:].mean()) - start, 1e-6)
    shares = (np.arange(body.size) + 0.5) / scores.size
    tail = 1 - in_tail / scores.size * np.exp(-np.concatenate([[0.0], _TAIL_STEPS]))
    return Calibration(
        np.concatenate([body, start + mean * np.concatenate([[0.0], _TAIL_STEPS])]).astype(np.float32),
        np.concatenate([shares, tail]),
    )
