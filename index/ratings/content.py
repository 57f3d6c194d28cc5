"""Content of movies as the cold-start model sees it: genres and year, people, and a compact look. numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.catalogue.movie import Movie
from index.core.arrays import AnyFloatArray, AnyIntArray, Float32Array, Float64Array, Int32Array, Int64Array

PEOPLE_FOLDER = "cold_start_people"  # of SharedPeople
KINDS = ("genres", "year", "poster")

YEARS_APART = 4.0  # standard deviation of the bumps of ``year_features``
LOOK = 512  # dimension of a compact look
# Movies count as similar in content by their facts: the cosine of genres to this power, times a Gaussian in years.
_GENRE_POWER = 4
_KERNEL_YEARS = 8.0
_OTHER_YEARS = 0.1  # of movies of other times
_UNKNOWN_YEAR = 0.5  # in place of the Gaussian
_LOOK_POWER = 2
_COMPARED = 2_000  # posters, for the mean similarity of two


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of the features that the model was trained with. Other genres are ignored."""

    genres: tuple[str, ...]  # sorted
    rarity: tuple[float, ...]  # per genre, log(1 + movies / movies of the genre)
    centres: tuple[int, ...]  # years at the centres of the bumps

    @classmethod
    def of(cls, movies: Sequence[Movie]) -> Vocabulary:
        """Return the vocabulary of a catalogue."""
        genres = sorted({genre for movie in movies for genre in movie.genres})
        counts = {genre: sum(genre in movie.genres for movie in movies) for genre in genres}
        rarity = tuple(round(float(np.log1p(len(movies) / counts[genre])), 6) for genre in genres)
        return cls(tuple(genres), rarity, year_centres(movies))

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every feature: genres, then years."""
        return (*self.genres, *map(str, self.centres))

    def features(self, movies: Sequence[Movie]) -> Float64Array:
        """Return the features of movies, (n, genres + centres): 1 for each genre, then ``year_features``."""
        return np.hstack([self._one_hot(movies), year_features(years_of(movies), self.centres)])

    def features_of(self, facts: Facts) -> Float64Array:
        """Return the features of movies by their facts."""
        return np.hstack([facts.genres > 0, year_features(facts.years, self.centres)])

    def facts(self, movies: Sequence[Movie]) -> Facts:
        """Return genres and years of movies, for ``facts_similarity``."""
        genres = self._one_hot(movies) * np.sqrt(np.array(self.rarity))
        return Facts(_unit(genres).astype(np.float32), years_of(movies))

    def _one_hot(self, movies: Sequence[Movie]) -> Float64Array:
        column = {genre: at for at, genre in enumerate(self.genres)}
        features = np.zeros((len(movies), len(self.genres)))
        for row, movie in enumerate(movies):
            features[row, [column[genre] for genre in movie.genres if genre in column]] = 1
        return features


@dataclass(frozen=True, slots=True)
class Facts:
    """Genres and years of movies."""

    genres: Float32Array  # (n, n_genres) of length 1; zeros without genres
    years: Float64Array  # (n,) NaN if unknown

    def take(self, rows: AnyIntArray) -> Facts:
        """Return those of some movies."""
        return Facts(self.genres[rows], self.years[rows])


@dataclass(frozen=True, slots=True)
class SharedPeople:
    """Movies of a catalogue that share people with each of its movies. Each array is one file of the snapshot."""

    starts: Int64Array  # (n_movies + 1,) those of movie row m are at starts[m]:starts[m + 1]
    rows: Int32Array  # (p,) movie rows
    similarity: Float32Array  # (p,) 0 to 1

    def similarities(self, movies: Int64Array, others: Int64Array) -> Float32Array:
        """Return the similarity of movies (k,) with others (r,), by row, (k, r); 0 for rows of -1."""
        line = np.zeros(self.starts.size - 1, dtype=np.float32)
        found = np.zeros((movies.size, others.size), dtype=np.float32)
        for at, row in enumerate(movies.tolist()):
            if row >= 0:
                part = slice(*self.starts[row : row + 2].tolist())
                line[self.rows[part]] = self.similarity[part]
                found[at] = line[others]
                line[self.rows[part]] = 0
        return found


def year_centres(movies: Iterable[Movie]) -> tuple[int, ...]:
    """Return the centres of the bumps of ``year_features`` for a catalogue; none if no year is known."""
    known = [movie.year for movie in movies if movie.year is not None]
    return tuple(range(min(known), max(known) + 1, 3)) if known else ()


def years_of(movies: Sequence[Movie]) -> Float64Array:
    """Return the years of release, (n,); NaN if unknown."""
    return np.array([np.nan if movie.year is None else movie.year for movie in movies], dtype=np.float64)


def year_features(years: Float64Array, centres: Sequence[int]) -> Float64Array:
    """Return (n, centres) Gaussian bumps of length 1 around the years of release (n,); zeros without a year."""
    if not centres:
        return np.zeros((years.size, 0))
    # A movie of the future is as one of the latest year: of no bump nothing would be known.
    years = np.clip(years, min(centres), max(centres) + 2)
    bumps = np.exp(-(((years[:, None] - np.array(centres)) / YEARS_APART) ** 2) / 2)
    features: Float64Array = _unit(np.where(bumps > 0.001, bumps, 0)).astype(np.float64)  # also NaN, of a missing year
    return features


def facts_similarity(
    first: Facts, second: Facts, *, genre_power: int = _GENRE_POWER, years_apart: float = _KERNEL_YEARS
) -> Float32Array:
    """Return how similar movies (m) are to others (n) in genres and year, (m, n) float32, from 0 to 1.

    Args:
        first: (m).
        second: (n).
        genre_power: of the cosine of the genres.
        years_apart: standard deviation of the similarity by year.
    """
    genres = (first.genres @ second.genres.T) ** genre_power
    apart = (first.years[:, None] - second.years) / years_apart
    years = np.where(np.isnan(apart), _UNKNOWN_YEAR, _OTHER_YEARS + (1 - _OTHER_YEARS) * np.exp(-(apart**2) / 2))
    return (genres * years).astype(np.float32)


def compact_looks(embeddings: AnyFloatArray) -> Float32Array:
    """Return compact looks (n, 512) of embeddings (n, 25088): roots of the means of every channel over the picture."""
    cells = np.asarray(embeddings, dtype=np.float32).reshape(len(embeddings), -1, LOOK)
    looks: Float32Array = np.sqrt(np.maximum(cells.mean(axis=1), 0))
    return looks


def centred_looks(looks: Float32Array, centre: Float32Array) -> Float32Array:
    """Return compact looks (n, 512) relative to those of a catalogue, of length 1; zeros stay zeros (no poster)."""
    present = looks.any(axis=1, keepdims=True)
    return _unit(np.where(present, looks - centre, 0)).astype(np.float32)


def look_similarity(first: AnyFloatArray, second: AnyFloatArray) -> Float32Array:
    """Return how similar centred looks (m, 512) are to others (n, 512), (m, n) float32, from 0 to 1."""
    cosines = np.asarray(first, dtype=np.float32) @ np.asarray(second, dtype=np.float32).T
    similar: Float32Array = np.maximum(cosines, 0) ** _LOOK_POWER
    return similar


def usual_look(looks: AnyFloatArray) -> float:
    """Return the mean similarity of two different movies with posters, by centred looks (n, 512); 1 without any pair.

    Of many movies some, evenly spaced, are compared.
    """
    shown = np.flatnonzero(np.asarray(looks).any(axis=1))
    if shown.size < 2:
        return 1.0
    some = looks[shown[np.linspace(0, shown.size - 1, min(shown.size, _COMPARED)).astype(int)]]
    similar = look_similarity(some, some)
    return (float(similar.sum(dtype=np.float64)) - float(np.trace(similar))) / (len(some) * (len(some) - 1))


def _unit(vectors: AnyFloatArray) -> AnyFloatArray:
    """Scale each row to length 1; keep rows of zeros."""
    unit: AnyFloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
