"""The invented films of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from indexer.sample.titles import FAMILY_WORDS

FAMILIES = tuple(FAMILY_WORDS)

_ARTICLES = ("The", "An", "A")


@dataclass(frozen=True, slots=True)
class Film:
    """One invented film."""

    movie_id: int
    title: str  # as it stands on the poster
    year: int
    genres: tuple[str, ...]
    family: str  # the look it shares with others: one of ``FAMILIES``
    tagline: str
    number: int  # its place in the family, from 0

    @property
    def listed_title(self) -> str:
        """The title as MovieLens lists it: ``Velvet Ledger, The (1947)``."""
        first, _, rest = self.title.partition(" ")
        title = f"{rest}, {first}" if first in _ARTICLES and rest else self.title
        return f"{title} ({self.year})"


@cache
def films(seed: int = 2017) -> tuple[Film, ...]:
    """All films in order of ``movie_id``, families mingled."""
    rng = np.random.default_rng([seed, 1])
    found = []
    count = sum(len(words.titles) for words in FAMILY_WORDS.values())
    movie_ids = iter((rng.permutation(count) + 1).tolist())
    for family, words in FAMILY_WORDS.items():
        taglines = rng.permutation(len(words.taglines))
        for number, title in enumerate(words.titles):
            more = rng.choice(words.more_genres)
            genres = {*words.genres, str(more)} if rng.random() < 0.7 or len(words.genres) == 1 else {*words.genres}
            found.append(
                Film(
                    movie_id=next(movie_ids),
                    title=title,
                    year=int(rng.integers(words.years[0], words.years[1] + 1)),
                    genres=tuple(sorted(genres)),
                    family=family,
                    tagline=words.taglines[taglines[number % len(taglines)]],
                    number=number,
                )
            )
    return tuple(sorted(found, key=lambda film: film.movie_id))
