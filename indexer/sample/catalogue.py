"""The invented movies of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from indexer.sample.titles import FAMILY_WORDS

FAMILIES = tuple(FAMILY_WORDS)

_ARTICLES = ("The", "An", "A")


@dataclass(frozen=True, slots=True)
class SampleMovie:
    """An invented movie."""

    movie_id: int
    title: str  # as on the poster
    year: int
    genres: tuple[str, ...]
    family: str  # one of ``FAMILIES``, the movies of one visual style
    tagline: str
    number: int  # position in the family, from 0

    @property
    def listed_title(self) -> str:
        """Title in the form of MovieLens: ``Velvet Ledger, The (1947)``."""
        first, _, rest = self.title.partition(" ")
        title = f"{rest}, {first}" if first in _ARTICLES and rest else self.title
        return f"{title} ({self.year})"


@cache
def sample_movies(seed: int = 2017) -> tuple[SampleMovie, ...]:
    """Return all movies by ascending ``movie_id``, in random order of families."""
    rng = np.random.default_rng([seed, 1])
    movies = []
    count = sum(len(words.titles) for words in FAMILY_WORDS.values())
    movie_ids = iter((rng.permutation(count) + 1).tolist())
    for family, words in FAMILY_WORDS.items():
        taglines = rng.permutation(len(words.taglines))
        for number, title in enumerate(words.titles):
            extra = rng.choice(words.more_genres)
            genres = {*words.genres, str(extra)} if rng.random() < 0.7 or len(words.genres) == 1 else {*words.genres}
            movies.append(
                SampleMovie(
                    movie_id=next(movie_ids),
                    title=title,
                    year=int(rng.integers(words.years[0], words.years[1] + 1)),
                    genres=tuple(sorted(genres)),
                    family=family,
                    tagline=words.taglines[taglines[number % len(taglines)]],
                    number=number,
                )
            )
    return tuple(sorted(movies, key=lambda movie: movie.movie_id))
