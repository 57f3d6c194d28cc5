"""Title search: by word prefixes in any order, and fuzzy, in spite of typing errors."""

from __future__ import annotations

import re
import sys
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from index.core.arrays import Float32Array, Int64Array

_ARTICLES = frozenset({"a", "an", "the"})
_MIN_SIMILARITY = 0.74  # mean over the words of the query; "fight culb" has .88 with Fight Club
_MIN_WORD_SIMILARITY = 0.55  # of each word
_TOLERANCE = 1e-4  # of float32 sums
_PREFIX_WEIGHT = 0.98  # factor on the similarity with a word's prefix, so that whole words rank first

TitleHits = tuple[Int64Array, Float32Array]  # rows, ascending, and ranks (m,) each; a larger rank is better
_NO_HITS: TitleHits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


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

    def best_matches(self, rows: Int64Array, similarity: Callable[[list[str]], Float32Array]) -> Float32Array:
        """Return the largest similarity of the words of each of some titles (m,), as (m,).

        Args:
            rows: of titles, ascending.
            similarity: words (w,) -> similarities (w,); called once, with each word of these titles.
        """
        if not rows.size:
            return np.empty(0, dtype=np.float32)
        ends = np.append(self.title_starts[1:], self.words.size)
        counts = ends[rows] - self.title_starts[rows]
        starts = np.cumsum(counts) - counts
        words = self.words[np.repeat(self.title_starts[rows] - starts, counts) + np.arange(counts.sum())]
        used = np.zeros(len(self.vocabulary), dtype=np.bool_)
        used[words] = True
        similarities = np.empty(used.size, dtype=np.float32)
        similarities[used] = similarity(list(compress(self.vocabulary, used.tolist())))
        best: Float32Array = np.maximum.reduceat(similarities[words], starts)
        return best


class TitleSearch:
    """Search index over the titles of some movies, by row. Immutable, so threads may share it.

    Args:
        titles: with years.
        without_years: the same titles without years.
        rating_counts: of each movie, to break ties.
    """

    def __init__(self, titles: Sequence[str], without_years: Sequence[str], rating_counts: Sequence[int]) -> None:
        self._titles = tuple(normalise(title).strip() for title in titles)
        self._without_years = tuple(without_years)
        self.rating_counts = np.array(rating_counts, dtype=np.int64)  # (n,)

    def prefix(self, text: str) -> list[int]:
        """Return the rows of titles with every word of ``text``, or a word that it is a prefix of; best first.

        Case, accents, punctuation and English articles do not matter; a year is a word. Exact titles come first,
        then titles that begin with the text, then the most rated.
        """
        return self._best_first(*self.prefix_hits(text))

    def fuzzy(self, text: str) -> list[int]:
        """Return the rows of titles with words similar to those of ``text``, whose last may be a prefix; best first.

        Spaces may be missing ("starwars"). Numbers must match exactly.
        """
        return self._best_first(*self.fuzzy_hits(text))

    def _best_first(self, rows: Int64Array, ranks: Float32Array) -> list[int]:
        return best_first(rows, rows, ranks, self.rating_counts[rows])

    def prefix_hits(self, text: str) -> TitleHits:
        """Return the hits of ``prefix``, by row: of rank 2 the titles that equal the text, 1 those that begin so."""
        words = normalise(text).split()
        if not words:
            return _NO_HITS
        has_all = np.ones(len(self._titles), dtype=np.bool_)
        for word in dict.fromkeys(words):
            has = np.zeros_like(has_all)
            has[self._words.titles_with_prefix(word)] = True
            has_all &= has
        joined = " ".join(words)
        ranks = np.zeros(has_all.size, dtype=np.float32)
        ordered, rows_of = self._sorted
        begin, end = _prefix_range(ordered, joined)
        for row in rows_of[begin:end]:
            ranks[row] = 2 if self._is_whole(row, joined) else 1
        rows = np.flatnonzero(has_all)
        return rows, ranks[rows]

    def _is_whole(self, row: int, prefix: str) -> bool:
        """Return True if the title that begins with ``prefix`` ends there, or only its year follows."""
        rest = self._titles[row][len(prefix) :]
        return not rest or (rest.rfind(" ") == 0 and normalise(self._without_years[row]).strip() == prefix)

    def fuzzy_hits(self, text: str) -> TitleHits:
        """Return the hits of ``fuzzy``, by row; their rank is the similarity."""
        words = [word for word in normalise(text).split() if sorted(word) != sorted("the")]  # "teh"
        if not words or not self._titles:
            return _NO_HITS
        similarity = self._word_similarity(words)
        joined = "".join(words)
        if not _has_digit(joined):
            prefixes = [title[: len(joined)] for title in self._unspaced]
            unspaced = _similarities([joined], prefixes, _MIN_SIMILARITY)[0]
            similarity = np.maximum(similarity, _PREFIX_WEIGHT * unspaced)
        rows = np.flatnonzero(similarity >= _MIN_SIMILARITY)
        return rows, np.round(similarity[rows], 2)

    def _word_similarity(self, words: Sequence[str]) -> Float32Array:
        """Return the similarity of each title to the query, (n_titles,): mean over the words of the best match.

        It is 0 where no mean of ``_MIN_SIMILARITY`` can come about: every further word is compared with the words of
        the titles that are left, which bounds the work and the memory for a long query.
        """
        *others, last = words
        counts = Counter((word, False) for word in others) + Counter([(last, True)])
        rows, left = np.arange(len(self._titles)), len(words)
        total = np.zeros(rows.size, dtype=np.float32)
        for (word, unfinished), count in sorted(counts.items(), key=lambda each: (-len(each[0][0]), each[0])):
            best = self._words.best_matches(rows, lambda known: _matches_of(word, known, unfinished=unfinished))  # noqa: B023
            left -= count
            total += np.float32(count) * best
            kept = (best >= _MIN_WORD_SIMILARITY) & ((total + left) / len(words) >= _MIN_SIMILARITY - _TOLERANCE)
            rows, total = rows[kept], total[kept]
            if not rows.size:
                break
        similarity = np.zeros(len(self._titles), dtype=np.float32)
        similarity[rows] = total / np.float32(len(words))
        return similarity

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


def best_first(found: Int64Array, ids: Int64Array, ranks: Float32Array, rating_counts: Int64Array) -> list[int]:
    """Return ``found`` (m,) by descending rank, then by rating count, then by ascending id; each is (m,)."""
    ordered: list[int] = found[np.lexsort((ids, -rating_counts, -ranks))].tolist()
    return ordered


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


def _matches_of(word: str, others: Sequence[str], *, unfinished: bool) -> Float32Array:
    """Return the similarity of a query's word to others (n,), as (n,).

    Args:
        word: with a digit it is similar to nothing but itself.
        others: n words.
        unfinished: it may be a prefix.
    """
    found = _similarities([word], others)[0]
    if unfinished:
        prefixes = _similarities([word], [other[: len(word)] for other in others])[0]
        found = np.maximum(found, _PREFIX_WEIGHT * prefixes)
    if _has_digit(word):
        found *= found >= _PREFIX_WEIGHT
    matches: Float32Array = found
    return matches


def _similarities(words: Sequence[str], others: Sequence[str], least: float = 0) -> Float32Array:
    """Return pairwise similarities (n_words, n_others): 1 minus the OSA edit distance over the longer word's length.

    Args:
        words: n_words texts.
        others: n_others texts.
        least: smaller similarities become 0, which is faster.
    """
    found: Float32Array = cdist(words, others, scorer=OSA.normalized_similarity, score_cutoff=least, dtype=np.float32)
    return found
