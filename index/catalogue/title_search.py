"""Title search: by word prefixes in any order, and fuzzy, in spite of typing errors."""

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
_MIN_SIMILARITY = 0.74  # mean over the words of the query; "fight culb" has .88 with Fight Club
_MIN_WORD_SIMILARITY = 0.55  # of each word
_PREFIX_WEIGHT = 0.98  # factor on the similarity with a word's prefix, so that whole words rank first


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of all titles, indexed in both directions."""

    vocabulary: list[str]  # sorted
    words: Int64Array  # positions in ``vocabulary`` of the words of each title, titles concatenated
    title_starts: Int64Array  # (n_titles,) start of each title in ``words``
    titles: Int64Array  # rows of the titles with each word, words concatenated
    word_starts: Int64Array  # (n_vocabulary + 1,) start of each word in ``titles``

    @classmethod
    def of(cls, titles: Sequence[str]) -> _Words:
        """Index the words of normalised titles."""
        # A title without letters and digits gets the empty word, which is similar to nothing.
        split = [title.split() or [""] for title in titles]
        vocabulary = sorted(set(chain.from_iterable(split)))
        position = {word: at for at, word in enumerate(vocabulary)}
        words = np.array([position[word] for word in chain.from_iterable(split)], dtype=np.int64)
        counts = np.array([len(each) for each in split], dtype=np.int64)
        by_word = np.argsort(words, kind="stable")
        return cls(
            vocabulary,
            words,
            np.cumsum(counts) - counts,
            np.repeat(np.arange(counts.size), counts)[by_word],
            np.searchsorted(words[by_word], np.arange(len(vocabulary) + 1)),
        )

    def titles_with_prefix(self, prefix: str) -> Int64Array:
        """Return the rows of titles with a word of this prefix; a row repeats for each such word."""
        return self.titles[slice(*self.word_starts[list(_prefix_range(self.vocabulary, prefix))])]


class TitleSearch:
    """Search index over the titles of a catalogue, by row. Immutable, so threads may share it.

    Args:
        titles: with years.
        without_years: the same titles without years.
        rating_counts: of each movie, to break ties.
    """

    def __init__(self, titles: Sequence[str], without_years: Sequence[str], rating_counts: Sequence[int]) -> None:
        self._titles = tuple(normalise(title).strip() for title in titles)
        self._without_years = tuple(without_years)
        self._counts = np.array(rating_counts, dtype=np.int64)

    def prefix(self, text: str) -> list[int]:
        """Return the rows of titles with every word of ``text``, or a word that it is a prefix of; best first.

        Case, accents, punctuation and English articles do not matter; a year is a word. Exact titles come first,
        then titles that begin with the text, then the most rated.
        """
        words = normalise(text).split()
        if not words:
            return []
        has_all = np.ones(len(self._titles), dtype=np.bool_)
        for word in words:
            has = np.zeros_like(has_all)
            has[self._words.titles_with_prefix(word)] = True
            has_all &= has
        joined = " ".join(words)
        begins, same = np.zeros((2, has_all.size), dtype=np.bool_)
        ordered, rows_of = self._sorted
        begin, end = _prefix_range(ordered, joined)
        for row in rows_of[begin:end]:
            begins[row], same[row] = True, self._is_whole(row, joined)
        rows = np.flatnonzero(has_all)
        order = np.lexsort((rows, -self._counts[rows], ~begins[rows], ~same[rows]))
        found: list[int] = rows[order].tolist()
        return found

    def _is_whole(self, row: int, prefix: str) -> bool:
        """Return True if the title that begins with ``prefix`` ends there, or only its year follows."""
        rest = self._titles[row][len(prefix) :]
        return not rest or (rest.rfind(" ") == 0 and normalise(self._without_years[row]).strip() == prefix)

    def fuzzy(self, text: str) -> list[int]:
        """Return the rows of titles with words similar to those of ``text``, whose last may be a prefix; best first.

        Spaces may be missing ("starwars"). Numbers must match exactly.
        """
        words = [word for word in normalise(text).split() if sorted(word) != sorted("the")]  # "teh"
        if not words or not self._titles:
            return []
        similarity = self._word_similarity(words)
        joined = "".join(words)
        if not _has_digit(joined):
            prefixes = [title[: len(joined)] for title in self._unspaced]
            unspaced = _similarities([joined], prefixes, _MIN_SIMILARITY)[0]
            similarity = np.maximum(similarity, _PREFIX_WEIGHT * unspaced)
        rows = np.flatnonzero(similarity >= _MIN_SIMILARITY)
        found: list[int] = rows[np.lexsort((rows, -self._counts[rows], -np.round(similarity[rows], 2)))].tolist()
        return found

    def _word_similarity(self, words: Sequence[str]) -> Float32Array:
        """Return the similarity of each title to the query, (n_titles,): mean over the words of the best match."""
        vocabulary = self._words.vocabulary
        similarities = _similarities(words, vocabulary)  # (n_words, n_vocabulary)
        last = words[-1]
        prefixes = _similarities([last], [other[: len(last)] for other in vocabulary])[0]
        similarities[-1] = np.maximum(similarities[-1], _PREFIX_WEIGHT * prefixes)
        numbers = [at for at, word in enumerate(words) if _has_digit(word)]
        similarities[numbers] *= similarities[numbers] >= _PREFIX_WEIGHT
        best: Float32Array = np.maximum.reduceat(similarities[:, self._words.words], self._words.title_starts, axis=1)
        mean: Float32Array = best.mean(axis=0)
        return np.where(best.min(axis=0) >= _MIN_WORD_SIMILARITY, mean, np.float32(0))

    # Built at the first search: opening a snapshot must not wait for them.

    @cached_property
    def _words(self) -> _Words:
        return _Words.of(self._titles)

    @cached_property
    def _sorted(self) -> tuple[list[str], list[int]]:
        """The sorted titles, and the row of each."""
        rows = sorted(range(len(self._titles)), key=self._titles.__getitem__)
        return [self._titles[row] for row in rows], rows

    @cached_property
    def _unspaced(self) -> list[str]:
        return [title.replace(" ", "") for title in self._titles]


def normalise(title: str) -> str:
    """Return the words of a title in the form that is compared, ``" heat 1995 "``: each after one space."""
    plain = unicodedata.normalize("NFKD", title).casefold().replace("&", " and ").replace("'", "")
    if not plain.isascii():  # most titles are: skip the slow loop
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"\w+", plain)
    kept = [word for word in words if word not in _ARTICLES] or words
    return f" {' '.join(kept)} "


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _prefix_range(ordered: Sequence[str], prefix: str) -> tuple[int, int]:
    """Return start and stop of the texts with this prefix, in a sorted sequence."""
    return bisect_left(ordered, prefix), bisect_left(ordered, prefix + chr(sys.maxunicode))


def _similarities(words: Sequence[str], others: Sequence[str], least: float = 0) -> Float32Array:
    """Return pairwise similarities (n_words, n_others): 1 minus the OSA edit distance over the longer word's length.

    Args:
        words: n_words texts.
        others: n_others texts.
        least: smaller similarities become 0, which is faster.
    """
    found: Float32Array = cdist(words, others, scorer=OSA.normalized_similarity, score_cutoff=least, dtype=np.float32)
    return found
