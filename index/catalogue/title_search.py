"""Title search: by word prefixes in any order, and fuzzy, in spite of typing errors."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from rapidfuzz.distance import OSA

from index.catalogue import title_forms
from index.catalogue.similar_words import (
    LEAST,
    ONE_ERROR,
    PREFIX_WEIGHT,
    SHORT,
    Letters,
    has_digit,
    prefix_similarities,
    similarities,
    word_similarities,
)
from index.catalogue.title_forms import parse_title, verbatim
from index.core.arrays import BoolArray, Float32Array, Int64Array, runs

# Ranks of the hits by prefix.
_VERBATIM = 9  # a main title letter by letter, and more with the year or with alternative titles
_TITLE = 8  # the words of a title or main title
_NUMBERED = 7  # with numerals of the other kind, or with articles
_ALTERNATIVE = 6  # the words of an alternative title
WHOLE = 5  # this and more are whole titles
_SHORTENED = 4  # a title but for its foreign article
_BEGINNING = 2  # the beginning of a title, less of another name
_PHRASE = 1  # words in a row
_UNSPACED = 0.5  # so much less where spaces are elsewhere

_MIN_SIMILARITY = 0.74  # mean over the words of the query; "fight culb" has .88 with Fight Club
_TOLERANCE = 1e-4  # of float32 sums
_CONTAINED = 0.9  # similarity of a word of four letters or more with a title that has it amid others ("spiderman")

TitleHits = tuple[Int64Array, Float32Array]  # rows, ascending, and ranks (m,) each; a larger rank is better
_NO_HITS: TitleHits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of all titles, with the titles of each."""

    vocabulary: list[str]  # sorted
    n_titles: int
    titles: Int64Array  # rows of the titles with each word, words concatenated
    word_starts: Int64Array  # (n_vocabulary + 1,) start of each word in ``titles``
    letters: Letters  # of ``vocabulary``

    @classmethod
    def of(cls, split: Sequence[Sequence[str]]) -> _Words:
        """Index the words of titles."""
        vocabulary = sorted(set(chain.from_iterable(split)))
        position = {word: at for at, word in enumerate(vocabulary)}
        words = np.array([position[word] for word in chain.from_iterable(split)], dtype=np.int64)
        counts = np.array([len(each) for each in split], dtype=np.int64)
        by_word = np.argsort(words, kind="stable")
        return cls(
            vocabulary,
            counts.size,
            np.repeat(np.arange(counts.size), counts)[by_word],
            np.searchsorted(words[by_word], np.arange(len(vocabulary) + 1)),
            Letters.of(vocabulary),
        )

    def titles_with_prefix(self, prefix: str) -> Int64Array:
        """Return the rows of titles with a word of this prefix; a row repeats for each such word."""
        return self.titles[slice(*self.word_starts[list(_prefix_range(self.vocabulary, prefix))])]

    def best_matches(self, word: str, *, unfinished: bool) -> Float32Array:
        """Return the largest of the ``word_similarities`` of each title's words to a query's word, (n_titles,)."""
        similarity = word_similarities(word, self.vocabulary, self.letters, unfinished=unfinished)
        similar = np.flatnonzero(similarity)
        counts = self.word_starts[similar + 1] - self.word_starts[similar]
        best = np.zeros(self.n_titles, dtype=np.float32)
        places, _ = runs(self.word_starts[similar], counts)
        np.maximum.at(best, self.titles[places], np.repeat(similarity[similar], counts))
        return best


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of all titles: each title, its main title and alternative ones, and these in other forms.

    Parallel lists, not objects, which take twice the time to make. The names of a title follow each other, the first
    with all its words.
    """

    rows: list[int]  # of titles, ascending
    ranks: list[float]  # of a query that has exactly these words
    words: list[str]  # each word after one space but the first
    years: list[str]  # empty if unknown
    starts: Int64Array  # (n_titles,) position of the first name of each title
    ordered: list[int]  # positions of the names without spaces and with the year, sorted
    keys: list[str]  # those names
    firsts: list[str]  # (n_titles,) that of the first name of each title: the same strings, as there are very many

    @classmethod
    def of(cls, titles: Sequence[tuple[str, int | None]]) -> _Names:
        """Make the names of titles with years."""
        rows: list[int] = []
        ranks: list[float] = []
        words: list[str] = []
        years: list[str] = []
        starts = []
        texts: dict[int | None, str] = {None: ""}
        for row, (title, year) in enumerate(titles):
            names, year = _names_of(title, year)
            starts.append(len(rows))
            rows += [row] * len(names)
            ranks += names.values()
            words += names
            years += [texts.setdefault(year, str(year))] * len(names)
        keys = [each.replace(" ", "") + year for each, year in zip(words, years, strict=True)]
        ordered = sorted(range(len(keys)), key=keys.__getitem__)
        sorted_keys, firsts = [keys[at] for at in ordered], [keys[at] for at in starts]
        return cls(rows, ranks, words, years, np.array(starts, np.int64), ordered, sorted_keys, firsts)

    def unspaced(self, at: int) -> str:
        """Return a name without spaces and year."""
        return self.words[at].replace(" ", "")

    def of_rows(self, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return the positions of all names of some titles (m,), and the start of each title's among these (m,)."""
        counts = np.append(self.starts[1:], len(self.rows))[rows] - self.starts[rows]
        return runs(self.starts[rows], counts)

    def beginning_with(self, prefix: str) -> list[int]:
        """Return the positions of the names that begin so, spaces aside."""
        begin, end = _prefix_range(self.keys, prefix)
        return self.ordered[begin:end]

    def rank(self, at: int, wanted: str) -> float:
        """Return the rank of a name that begins with the words of a query, spaces aside."""
        words, year = self.words[at], self.years[at]
        rest = (self.unspaced(at) + year)[len(wanted.replace(" ", "")) :]
        best = self.ranks[at] if rest in ("", year) else self.ranks[at] / _TITLE * _BEGINNING
        return best if f"{words} {year}".startswith(wanted) else best - _UNSPACED


class TitleSearch:
    """Search index over the titles of some movies, by row. Immutable, so threads may share it.

    Args:
        titles: of the movies, without years.
        years: of the movies; None if unknown.
        rating_counts: of the movies, to break ties.
    """

    def __init__(self, titles: Sequence[str], years: Sequence[int | None], rating_counts: Sequence[int]) -> None:
        self._titles = tuple(zip(titles, years, strict=True))
        self.rating_counts = np.array(rating_counts, dtype=np.int64)  # (n,)

    def prefix(self, text: str) -> list[int]:
        """Return the rows of titles with every word of ``text``, or a word that it is a prefix of; best first.

        Case, accents, punctuation, spaces, "and" and articles do not matter; a year is a word, and numerals are roman
        or arabic. Whole titles come first, then titles that begin with the text, then those with its words in a row,
        then the most rated.
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
        """Return the hits of ``prefix``, by row; ranks from ``WHOLE`` are of whole titles."""
        every = _every_word(text)
        words = title_forms.without_small_words(every)
        if not words:
            return _NO_HITS
        has_all = np.ones(len(self._titles), dtype=np.bool_)
        for word in dict.fromkeys(words):
            has = np.zeros_like(has_all)
            has[self._words.titles_with_prefix(word)] = True
            has_all &= has
        ranks = np.where(has_all, np.float32(0), np.float32(-1))
        if len(words) > 1:
            phrase = f" {' '.join(words)}"
            for row in np.flatnonzero(has_all).tolist():
                if phrase in self._joined[row]:
                    ranks[row] = _PHRASE
        for row, rank in self._ranks_of_names(text).items():
            ranks[row] = max(ranks[row], rank)
        rows = np.flatnonzero(ranks >= 0)
        return rows, ranks[rows]

    def whole_hits(self, text: str) -> TitleHits:
        """Return the hits of ``prefix_hits`` that are whole titles, without the search for others."""
        ranks = self._ranks_of_names(text)
        rows = sorted(row for row, rank in ranks.items() if rank >= WHOLE)
        return np.array(rows, dtype=np.int64), np.array([ranks[row] for row in rows], dtype=np.float32)

    def names_of_year(self, year: int) -> list[tuple[str, int]]:
        """Return the names of the titles of a year in all forms, without spaces, each with its row."""
        names = self._names
        return [(names.unspaced(at), names.rows[at]) for at in self._names_by_year.get(str(year), ())]

    def _ranks_of_names(self, text: str) -> dict[int, float]:
        """Return the rank of each row with a name that begins with the words of a query."""
        every = _every_word(text)
        words = title_forms.without_small_words(every)
        ranks: dict[int, float] = {}
        for wanted in {" ".join(each): None for each in (words, title_forms.numbered(words), every) if each}:
            for at in self._names.beginning_with(wanted.replace(" ", "")):
                row = self._names.rows[at]
                ranks[row] = max(ranks.get(row, 0), self._names.rank(at, wanted))
        exact = verbatim(_shown(*parse_title(text)))
        for row in [row for row, rank in ranks.items() if rank >= _SHORTENED]:
            title, year = self._titles[row]
            main, _ = title_forms.alternatives(title)
            for more, given in enumerate(((main, None), (main, year), (title, None), (title, year))):
                if exact == verbatim(_shown(*given)):
                    ranks[row] = _VERBATIM + more
        return ranks

    def fuzzy_hits(self, text: str) -> TitleHits:
        """Return the hits of ``fuzzy``, by row; their rank is the similarity of the words, plus that of the whole."""
        words = [
            word for word in title_forms.without_small_words(_every_word(text)) if sorted(word) != sorted("the")
        ]  # "teh"
        if not words or not self._titles:
            return _NO_HITS
        similarity = self._word_similarity(words)
        joined = "".join(words)
        if not has_digit(joined):
            unspaced = prefix_similarities(joined, self._names.firsts, self._letters, _MIN_SIMILARITY)
            similarity = np.maximum(similarity, PREFIX_WEIGHT * unspaced)
        rows = np.flatnonzero(similarity >= _MIN_SIMILARITY)
        return rows, np.round(similarity[rows] + self._whole_similarity(joined, rows), 2)

    def _whole_similarity(self, joined: str, rows: Int64Array) -> Float32Array:
        """Return the similarity of the query without spaces to the best name of each row (m,), as (m,)."""
        if not rows.size:
            return np.empty(0, dtype=np.float32)
        positions, starts = self._names.of_rows(rows)
        keys = [self._names.unspaced(at) for at in positions.tolist()]
        dated = [self._names.unspaced(at) + self._names.years[at] for at in positions.tolist()]
        found = np.maximum(similarities([joined], keys)[0], similarities([joined], dated)[0])
        best: Float32Array = np.maximum.reduceat(found, starts)
        return best

    def _word_similarity(self, words: Sequence[str]) -> Float32Array:
        """Return the similarity of each title to the query, (n_titles,): mean over the words of the best match.

        It is 0 where no mean of ``_MIN_SIMILARITY`` can come about. Once that is so of all titles, the further words of
        a long query are compared with nothing.
        """
        *others, last = words
        counts = Counter((word, False) for word in others) + Counter([(last, True)])
        rows, left = np.arange(len(self._titles)), len(words)
        total = np.zeros(rows.size, dtype=np.float32)
        for (word, unfinished), count in sorted(counts.items(), key=lambda each: (-len(each[0][0]), each[0])):
            best = self._words.best_matches(word, unfinished=unfinished)[rows]
            if len(word) > SHORT and not has_digit(word):
                best = np.maximum(best, np.where(self._contains(word)[rows], np.float32(_CONTAINED), 0))
            if len(words) > 1 and _is_nearly_ignored(word):
                best = np.maximum(best, np.float32(ONE_ERROR))
            left -= count
            total += np.float32(count) * best
            kept = (best >= LEAST) & ((total + left) / len(words) >= _MIN_SIMILARITY - _TOLERANCE)
            rows, total = rows[kept], total[kept]
            if not rows.size:
                break
        similarity = np.zeros(len(self._titles), dtype=np.float32)
        similarity[rows] = total / np.float32(len(words))
        return similarity

    def _contains(self, word: str) -> BoolArray:
        """Return True for each title that has a word without its spaces, (n_titles,)."""
        text, starts = self._concatenated
        found = np.zeros(starts.size, dtype=np.bool_)
        places, at = [], text.find(word)  # a third of the time of a regular expression
        while at >= 0:
            places.append(at)
            at = text.find(word, at + len(word))
        found[starts.searchsorted(np.array(places, np.int64), side="right") - 1] = True
        return found

    # Built at the first search: opening a snapshot must not wait for them.

    @cached_property
    def _names(self) -> _Names:
        return _Names.of(self._titles)

    @cached_property
    def _names_by_year(self) -> dict[str, list[int]]:
        """Positions of names by year."""
        found: dict[str, list[int]] = {}
        for at, year in enumerate(self._names.years):
            found.setdefault(year, []).append(at)
        return found

    @cached_property
    def _words(self) -> _Words:
        names = self._names
        bounds = pairwise([*names.starts.tolist(), len(names.rows)])
        return _Words.of([_all_words(names.words[begin:end], names.years[begin]) for begin, end in bounds])

    @cached_property
    def _joined(self) -> list[str]:
        names = self._names
        return [f" {names.words[at]} {names.years[at]}" for at in names.starts.tolist()]

    @cached_property
    def _letters(self) -> Letters:
        return Letters.of(self._names.firsts)

    @cached_property
    def _concatenated(self) -> tuple[str, Int64Array]:
        """The titles without spaces, a line each, and the start of each."""
        lengths = np.array([len(title) + 1 for title in self._names.firsts], dtype=np.int64)
        return "\n".join(self._names.firsts), np.cumsum(lengths) - lengths


def best_first(found: Int64Array, ids: Int64Array, ranks: Float32Array, rating_counts: Int64Array) -> list[int]:
    """Return ``found`` (m,) by descending rank, then by rating count, then by ascending id; each is (m,)."""
    ordered: list[int] = found[np.lexsort((ids, -rating_counts, -ranks))].tolist()
    return ordered


def _every_word(text: str) -> list[str]:
    """Return the words of a query, with its articles in front."""
    return title_forms.every_word(_shown(*parse_title(text)))


def _shown(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def _names_of(title: str, year: int | None) -> tuple[dict[str, float], int | None]:
    """Return the names of a movie as joined words, the one with all words first, each with its rank; and the year."""
    if ", " in title or title.endswith(")"):  # of a movie that was added as MovieLens writes it
        title, written = parse_title(title)
        year = year or written
    main, alternatives = title_forms.alternatives(title)
    forms = [(title, _TITLE), *((form, _ALTERNATIVE) for form in alternatives)]
    if main != title:
        forms.insert(1, (main, _TITLE))
    found: dict[str, float] = {}
    for form, rank in forms:
        every = title_forms.every_word(form)
        words = title_forms.without_small_words(every)
        others = [
            (every, min(rank, _NUMBERED)),
            (title_forms.numbered(words), min(rank, _NUMBERED)),
            (title_forms.without_article(words), _SHORTENED),
        ]
        if not form.isascii() and any(map(title_forms.is_cjk, form)):
            others.append((title_forms.romanised(form), _ALTERNATIVE))
        for each, its_rank in [(words, rank), *(other for other in others if other[0] is not words)]:
            joined = " ".join(each)
            found[joined] = max(its_rank, found.get(joined, 0))
    return found, year


def _all_words(names: Sequence[str], year: str) -> list[str]:
    """Return each word of a movie's names, its year, and each number in its other forms."""
    # A title without letters and digits gets the empty word, which is similar to nothing.
    found = dict.fromkeys(" ".join(names).split()) or {"": None}
    numbers = (title_forms.NUMERALS, title_forms.SPELLED)
    others = [forms[word] for word in found for forms in numbers if word in forms]
    return [*found, *others, year] if year else [*found, *others]


def _is_nearly_ignored(word: str) -> bool:
    """Return True for "the" or "and" with a typing error."""
    return any(OSA.distance(word, ignored, score_cutoff=1) <= 1 for ignored in ("the", "and"))


def _prefix_range(ordered: Sequence[str], prefix: str) -> tuple[int, int]:
    """Return start and stop of the texts with this prefix, in a sorted sequence."""
    return bisect_left(ordered, prefix), bisect_left(ordered, prefix + chr(sys.maxunicode))
