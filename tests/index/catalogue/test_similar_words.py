from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from index.catalogue.similar_words import LEAST, SHORT, Letters, prefix_similarities, word_similarities

# Some letters share a bit with others, 64 or 128 code points apart: "a" with "!", "d" with "ä".
TEXTS = st.text(alphabet="abcdeéä!1七人侍\U00020000", max_size=40)


@given(TEXTS.filter(bool), st.lists(TEXTS, min_size=1, max_size=8), st.sampled_from([0.55, 0.74, 0.9]), st.booleans())
def test_no_similar_text_is_left_out(text: str, others: list[str], least: float, unfinished: bool) -> None:
    near = Letters.of(others).near(text, least, unfinished=unfinished)
    for other, kept in zip(others, near, strict=True):
        similarity = OSA.normalized_similarity(text, other)
        if unfinished:
            similarity = max(similarity, OSA.normalized_similarity(text, other[: len(text)]))
        assert kept or similarity < least
        assert kept or len(text) > SHORT or OSA.distance(text, other) > 1


@given(TEXTS.filter(bool), st.lists(TEXTS.filter(bool), min_size=1, max_size=8))
def test_similarities_are_those_of_every_comparison(text: str, others: list[str]) -> None:
    letters = Letters.of(others)
    prefixes = [OSA.normalized_similarity(text, other[: len(text)]) for other in others]
    assert np.allclose(
        prefix_similarities(text, others, letters, 0.74), [each if each >= 0.74 else 0 for each in prefixes]
    )
    whole = word_similarities(text, others, letters, unfinished=False)
    for other, found in zip(others, whole.tolist(), strict=True):
        expected = OSA.normalized_similarity(text, other)
        if 1 < len(text) <= SHORT and OSA.distance(text, other) <= 1 and "1" not in text:
            expected = max(expected, 0.75)
        if "1" in text:
            expected *= text == other
        assert np.isclose(found, expected if expected >= LEAST else 0)


def test_most_other_texts_are_left_out() -> None:
    names = ["".join(chr(97 + (7 * at + step * step) % 26) for step in range(9)) for at in range(500)]
    assert Letters.of(names).near("additions", 0.74, unfinished=True).mean() < 0.05
