"""Similarity of words by edit distance, and the letters of many texts, which tell those that cannot be similar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from index.core.arrays import BoolArray, Float32Array, Int64Array, UInt64Array

LEAST = 0.55  # similarity of words that counts
PREFIX_WEIGHT = 0.98  # factor on the similarity with a word's prefix, so that whole words rank first
ONE_ERROR = 0.75  # similarity of short words that differ by one
SHORT = 3  # letters, at most
_TOLERANCE = 1e-6
_BEGINNINGS = (8, 16, 32)  # letters


@dataclass(frozen=True, slots=True)
class Letters:
    """Letters and lengths of many texts: bounds of their edit distances from a query that take no comparison.

    An edit removes one letter of the query at most, and adds one of the text.
    """

    masks: UInt64Array  # (4, n) a bit per letter among the first 8, 16, 32 or all; those 64 code points apart share one
    lengths: Int64Array  # (n,)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Letters:
        """Return the letters of texts (n,)."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        bits = np.append(np.uint64(1) << (points % 64).astype(np.uint64), np.uint64(0))
        masks = np.zeros((len(_BEGINNINGS) + 1, lengths.size), np.uint64)
        written = np.flatnonzero(lengths)  # of an empty text reduceat would take the next one's letters
        starts = (np.cumsum(lengths) - lengths)[written]
        for mask, most in zip(masks, (*_BEGINNINGS, points.size), strict=True):
            spans = np.stack([starts, starts + np.minimum(lengths[written], most)], axis=1).ravel()
            mask[written] = np.bitwise_or.reduceat(bits, spans)[::2] if spans.size else 0
        return cls(masks, lengths)

    def near(self, text: str, least: float, *, unfinished: bool) -> BoolArray:
        """Return False for each text (n,) that is less similar to another one.

        Args:
            text: the other one.
            least: similarity, as of ``similarities``; texts of up to ``SHORT`` letters may also differ by one.
            unfinished: the text may be a prefix: of the others, as many letters count as it has.
        """
        own = Letters.of([text])
        size, mask, masks = int(own.lengths[0]), own.masks[-1, 0], self.masks[-1]
        short = 1 if size <= SHORT else 0
        longest = np.maximum(self.lengths, size)
        more, fewer = np.bitwise_count(mask & ~masks), np.bitwise_count(masks & ~mask)
        apart = np.maximum(np.maximum(more, fewer), np.abs(self.lengths - size))
        near: BoolArray = apart <= np.maximum((1 - least) * longest + _TOLERANCE, short)
        if unfinished:
            more = np.bitwise_count(mask & ~self.masks[bisect_left(_BEGINNINGS, size)])
            near |= np.maximum(more, size - self.lengths) <= max((1 - least) * size + _TOLERANCE, short)
        return near


def has_digit(word: str) -> bool:
    """Return True if a word has a digit."""
    return any(letter.isdigit() for letter in word)


def word_similarities(word: str, others: Sequence[str], letters: Letters, *, unfinished: bool) -> Float32Array:
    """Return the similarity of a query's word to others (n,), as (n,); 0 where it is less than ``LEAST``.

    Args:
        word: with a digit it is similar to nothing but itself; one of up to ``SHORT`` letters, to those with one error.
        others: n words.
        letters: of the others.
        unfinished: it may be a prefix.
    """
    near = np.flatnonzero(letters.near(word, LEAST, unfinished=unfinished))
    some = [others[at] for at in near.tolist()]
    found = similarities([word], some)[0]
    if unfinished:
        prefixes = similarities([word], [other[: len(word)] for other in some])[0]
        found = np.maximum(found, PREFIX_WEIGHT * prefixes)
    if has_digit(word):
        found *= found >= PREFIX_WEIGHT
    elif 1 < len(word) <= SHORT:
        one = cdist([word], some, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)[0] <= 1
        found = np.where(one, np.maximum(found, ONE_ERROR), found)
    matches = np.zeros(len(others), np.float32)
    matches[near] = np.where(found >= LEAST, found, 0)
    return matches


def prefix_similarities(text: str, others: Sequence[str], letters: Letters, least: float) -> Float32Array:
    """Return the similarity of a text to the beginnings of others (n,), as (n,); 0 where it is less than ``least``."""
    near = np.flatnonzero(letters.near(text, least, unfinished=True))
    prefixes = [others[at][: len(text)] for at in near.tolist()]
    found = np.zeros(len(others), np.float32)
    found[near] = similarities([text], prefixes, least)[0]
    return found


def similarities(words: Sequence[str], others: Sequence[str], least: float = 0) -> Float32Array:
    """Return pairwise similarities (n_words, n_others): 1 minus the OSA edit distance over the longer word's length.

    Args:
        words: n_words texts.
        others: n_others texts.
        least: smaller similarities become 0, which is faster.
    """
    found: Float32Array = cdist(words, others, scorer=OSA.normalized_similarity, score_cutoff=least, dtype=np.float32)
    return found
