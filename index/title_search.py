"""Titles as people type them: with words left out or turned round, without accents, and with typing errors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

Similarities = npt.NDArray[np.float32]

_ARTICLES = frozenset({"a", "an", "the"})
_ALIKE = 0.74  # of a title's words with what is typed, on average; "fight culb" has .88 with Fight Club
_EACH = 0.55  # of each word
_UNFINISHED = 0.98  # what a word counts for that may be the beginning of another


class TitleSearch:
    """All titles of a catalogue, ready to be searched. Never changes, so threads may share it.

    Args:
        titles: with their years, by row.
        bare: without.
        counts: how many people rated each; of titles that fit as well, the most rated comes first.
    """

    def __init__(self, titles: Sequence[str], bare: Sequence[str], counts: Sequence[int]) -> None:
        self._titles = tuple(normalise(title) for title in titles)
        self._bare = tuple(bare)
        self._counts = counts

    def exact(self, text: str) -> list[int]:
        """Rows whose title holds every word of ``text``, or words that begin like them; best first.

        Case, accents, punctuation and English articles do not matter; a year is a word. Exact titles come first,
        then titles that begin with the text, then the most rated.
        """
        words = normalise(text).split()
        if not words:
            return []
        joined = " ".join(words)
        found = [row for row, title in enumerate(self._titles) if all(f" {word}" in title for word in words)]

        def rank(row: int) -> tuple[bool, bool, int, int]:
            title = self._titles[row].strip()
            known_as = (title, normalise(self._bare[row]).strip())
            return joined not in known_as, not title.startswith(joined), -self._counts[row], row

        return sorted(found, key=rank)

    def near(self, text: str) -> list[int]:
        """Rows whose title has words much like those of ``text``, the last of which may be unfinished; best first.

        Also without the spaces between: "starwars". A number is right or wrong, never nearly so.
        """
        words = [word for word in normalise(text).split() if sorted(word) != sorted("the")]  # "teh"
        if not words or not self._titles:
            return []
        alike = self._by_word(words)
        whole = "".join(words)
        if not _has_digit(whole):
            joined = _similarities([whole], [title.replace(" ", "")[: len(whole)] for title in self._titles])[0]
            alike = np.maximum(alike, _UNFINISHED * joined)
        rows = np.flatnonzero(alike >= _ALIKE).tolist()
        return sorted(rows, key=lambda row: (-round(float(alike[row]), 2), -self._counts[row], row))

    def _by_word(self, words: Sequence[str]) -> Similarities:
        """(n_titles,) mean over the words of how much the likest word of a title is like each."""
        vocabulary, flat, starts = self._words
        alike = _similarities(words, vocabulary)  # (n_words, n_vocabulary)
        last = words[-1]
        beginnings = _similarities([last], [known[: len(last)] for known in vocabulary])[0]
        alike[-1] = np.maximum(alike[-1], _UNFINISHED * beginnings)
        numbers = [at for at, word in enumerate(words) if _has_digit(word)]
        alike[numbers] *= alike[numbers] >= _UNFINISHED
        best: Similarities = np.maximum.reduceat(alike[:, flat], starts, axis=1)
        mean: Similarities = best.mean(axis=0)
        return np.where(best.min(axis=0) >= _EACH, mean, np.float32(0))

    @cached_property
    def _words(self) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Every word there is; for each title the words it has, one title after the other; where each begins."""
        known: dict[str, int] = {}
        flat: list[int] = []
        starts: list[int] = []
        for title in self._titles:
            starts.append(len(flat))
            # A title of signs alone has no word; the empty one is like nothing.
            flat += [known.setdefault(word, len(known)) for word in title.split() or [""]]
        return list(known), np.array(flat, dtype=np.int64), np.array(starts, dtype=np.int64)


def normalise(title: str) -> str:
    """The words of a title as they are compared: ``" heat 1995 "``, each word after one space."""
    plain = unicodedata.normalize("NFKD", title).casefold().replace("&", " and ").replace("'", "")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"\w+", plain)
    kept = [word for word in words if word not in _ARTICLES] or words
    return f" {' '.join(kept)} "


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _similarities(words: Sequence[str], others: Sequence[str]) -> Similarities:
    """(n_words, n_others) 1 where they are the same, less for every letter wrong, left out, added or swapped."""
    found: Similarities = cdist(words, others, scorer=OSA.normalized_similarity, dtype=np.float32)
    return found
