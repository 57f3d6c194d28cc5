"""Titles as people type them: with words left out or turned round, without accents, and with typing errors."""

from __future__ import annotations

import re
import sys
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from index.core.arrays import Float32Array, Int64Array

_ARTICLES = frozenset({"a", "an", "the"})
_ALIKE = 0.74  # of a title's words with what is typed, on average; "fight culb" has .88 with Fight Club
_EACH = 0.55  # of each word
_UNFINISHED = 0.98  # what a word counts for that may be the beginning of another


@dataclass(frozen=True, slots=True)
class _Words:
    """Every word of all titles, both ways round."""

    known: list[str]  # sorted
    of_titles: Int64Array  # places in ``known`` of the words of each title, one title after the other
    title_starts: Int64Array  # (n_titles,) where the words of each title begin
    titles: Int64Array  # rows of the titles that have each word, one word after the other
    word_starts: Int64Array  # (n_known + 1,) where the titles of each word begin

    @classmethod
    def of(cls, titles: Sequence[str]) -> _Words:
        """The words of some titles, each normalised."""
        # A title of signs alone has no word; the empty one is like nothing.
        words = [title.split() or [""] for title in titles]
        known = sorted(set(chain.from_iterable(words)))
        place = {word: at for at, word in enumerate(known)}
        of_titles = np.array([place[word] for word in chain.from_iterable(words)], dtype=np.int64)
        counts = np.array([len(each) for each in words], dtype=np.int64)
        by_word = np.argsort(of_titles, kind="stable")
        return cls(
            known,
            of_titles,
            np.cumsum(counts) - counts,
            np.repeat(np.arange(counts.size), counts)[by_word],
            np.searchsorted(of_titles[by_word], np.arange(len(known) + 1)),
        )

    def beginning(self, word: str) -> Int64Array:
        """Rows of the titles that have a word which begins so; one that has two of them comes twice."""
        return self.titles[slice(*self.word_starts[list(_range(self.known, word))])]


class TitleSearch:
    """All titles of a catalogue, ready to be searched. Never changes, so threads may share it.

    Args:
        titles: with their years, by row.
        bare: without.
        counts: how many people rated each; of titles that fit as well, the most rated comes first.
    """

    def __init__(self, titles: Sequence[str], bare: Sequence[str], counts: Sequence[int]) -> None:
        self._titles = tuple(normalise(title).strip() for title in titles)
        self._bare = tuple(bare)
        self._counts = np.array(counts, dtype=np.int64)

    def exact(self, text: str) -> list[int]:
        """Rows whose title holds every word of ``text``, or words that begin like them; best first.

        Case, accents, punctuation and English articles do not matter; a year is a word. Exact titles come first,
        then titles that begin with the text, then the most rated.
        """
        words = normalise(text).split()
        if not words:
            return []
        has_all = np.ones(len(self._titles), dtype=np.bool_)
        for word in words:
            has = np.zeros_like(has_all)
            has[self._words.beginning(word)] = True
            has_all &= has
        joined = " ".join(words)
        begins, same = np.zeros((2, has_all.size), dtype=np.bool_)
        begin, end = _range(self._in_order[0], joined)
        for row in self._in_order[1][begin:end]:
            begins[row], same[row] = True, self._is(row, joined)
        rows = np.flatnonzero(has_all)
        order = np.lexsort((rows, -self._counts[rows], ~begins[rows], ~same[rows]))
        found: list[int] = rows[order].tolist()
        return found

    def _is(self, row: int, joined: str) -> bool:
        """Whether a title that begins with the words is just that, but for its year."""
        rest = self._titles[row][len(joined) :]
        return not rest or (rest.rfind(" ") == 0 and normalise(self._bare[row]).strip() == joined)

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
            joined = _similarities([whole], [title[: len(whole)] for title in self._unspaced], _ALIKE)[0]
            alike = np.maximum(alike, _UNFINISHED * joined)
        rows = np.flatnonzero(alike >= _ALIKE)
        found: list[int] = rows[np.lexsort((rows, -self._counts[rows], -np.round(alike[rows], 2)))].tolist()
        return found

    def _by_word(self, words: Sequence[str]) -> Float32Array:
        """(n_titles,) mean over the words of how much the likest word of a title is like each."""
        known = self._words.known
        alike = _similarities(words, known)  # (n_words, n_known)
        last = words[-1]
        beginnings = _similarities([last], [other[: len(last)] for other in known])[0]
        alike[-1] = np.maximum(alike[-1], _UNFINISHED * beginnings)
        numbers = [at for at, word in enumerate(words) if _has_digit(word)]
        alike[numbers] *= alike[numbers] >= _UNFINISHED
        best: Float32Array = np.maximum.reduceat(alike[:, self._words.of_titles], self._words.title_starts, axis=1)
        mean: Float32Array = best.mean(axis=0)
        return np.where(best.min(axis=0) >= _EACH, mean, np.float32(0))

    # What follows is made when it is first searched for.

    @cached_property
    def _words(self) -> _Words:
        return _Words.of(self._titles)

    @cached_property
    def _in_order(self) -> tuple[list[str], list[int]]:
        """The titles, sorted, and the row of each."""
        rows = sorted(range(len(self._titles)), key=self._titles.__getitem__)
        return [self._titles[row] for row in rows], rows

    @cached_property
    def _unspaced(self) -> list[str]:
        return [title.replace(" ", "") for title in self._titles]


def normalise(title: str) -> str:
    """The words of a title as they are compared: ``" heat 1995 "``, each word after one space."""
    plain = unicodedata.normalize("NFKD", title).casefold().replace("&", " and ").replace("'", "")
    if not plain.isascii():  # most are, and there are many
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"\w+", plain)
    kept = [word for word in words if word not in _ARTICLES] or words
    return f" {' '.join(kept)} "


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _range(ordered: Sequence[str], beginning: str) -> tuple[int, int]:
    """From where to where the texts that begin so are, among texts in order."""
    return bisect_left(ordered, beginning), bisect_left(ordered, beginning + chr(sys.maxunicode))


def _similarities(words: Sequence[str], others: Sequence[str], least: float = 0) -> Float32Array:
    """(n_words, n_others) 1 where they are the same, less for every letter wrong, left out, added or swapped.

    Args:
        least: less than that counts as nothing, which takes less time.
    """
    found: Float32Array = cdist(words, others, scorer=OSA.normalized_similarity, score_cutoff=least, dtype=np.float32)
    return found
