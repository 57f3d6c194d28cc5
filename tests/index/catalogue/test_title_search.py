from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from index.catalogue import title_search
from index.catalogue.title_search import TitleSearch, normalise

BARE = ["The Godfather", "Tokyo Godfathers", "Amélie", "Star Wars", "Fight Club", "The Matrix", "Seven Samurai", "??"]
COUNTS = [9, 1, 5, 8, 7, 6, 4, 0]


@pytest.fixture(scope="module")
def titles() -> TitleSearch:
    return TitleSearch([f"{title} (1999)" for title in BARE], BARE, COUNTS)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("godfater", "The Godfather"),  # left out
        ("godffather the", "The Godfather"),  # doubled, turned round
        ("fight culb", "Fight Club"),  # swapped
        ("amelje", "Amélie"),  # wrong, without its accent
        ("starwars", "Star Wars"),  # without the space
        ("teh matrix", "The Matrix"),  # an article, mistyped
        ("semen samu", "Seven Samurai"),  # mistyped, and not finished
    ],
)
def test_titles_are_found_in_spite_of_typing_errors(titles: TitleSearch, text: str, title: str) -> None:
    assert titles.prefix(text) == []
    assert BARE[titles.fuzzy(text)[0]] == title


@pytest.mark.parametrize("text", ["", "  ", "zzzzqqqq", "teh", "the the the", "?"])
def test_nothing_is_like_what_is_no_title(titles: TitleSearch, text: str) -> None:
    assert titles.fuzzy(text) == []


def test_of_titles_that_fit_as_well_the_most_rated_comes_first(titles: TitleSearch) -> None:
    assert [BARE[row] for row in titles.fuzzy("godfathr")] == ["The Godfather", "Tokyo Godfathers"]


def test_a_number_is_never_nearly_right() -> None:
    numbered = ["Heat 2", "Heat 12", "Heat 21"]
    titles = TitleSearch(numbered, numbered, [0, 0, 0])
    assert [numbered[row] for row in titles.fuzzy("haet 12")] == ["Heat 12"]
    assert [numbered[row] for row in titles.fuzzy("haet 2")] == ["Heat 2", "Heat 21"]  # it may go on


def test_a_catalogue_may_be_empty() -> None:
    empty = TitleSearch([], [], [])
    assert empty.prefix("heat") == empty.fuzzy("heat") == []


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_answered(text: str) -> None:
    titles = TitleSearch(BARE, BARE, COUNTS)
    for rows in (titles.prefix(text), titles.fuzzy(text)):
        assert len(set(rows)) == len(rows)
        assert set(rows) <= set(range(len(BARE)))


@given(st.sampled_from(BARE[:-1]), st.data())
def test_a_long_word_with_a_letter_left_out_is_still_found(title: str, data: st.DataObject) -> None:
    word = max(normalise(title).split(), key=len)
    at = data.draw(st.integers(0, len(word) - 1))
    titles = TitleSearch(BARE, BARE, COUNTS)
    wanted = word[:at] + word[at + 1 :]
    assert BARE.index(title) in {*titles.prefix(wanted), *titles.fuzzy(wanted)}


WORD = st.sampled_from(["the", "a", "heat", "he", "heath", "2", "2000", "é", "&", "??", "x-men"])


@given(st.lists(st.tuples(st.lists(WORD, max_size=3).map(" ".join), st.integers(0, 2))), st.lists(WORD).map(" ".join))
def test_titles_with_every_word_come_in_the_order_that_is_promised(named: list[tuple[str, int]], text: str) -> None:
    bare, counts = [title for title, _ in named], [count for _, count in named]
    titles = [f"{title} (2000)" if count else title for title, count in named]
    wanted = normalise(text).split()

    def rank(row: int) -> tuple[bool, bool, int, int]:
        title = normalise(titles[row]).strip()
        same = " ".join(wanted) in (title, normalise(bare[row]).strip())
        return not same, not title.startswith(" ".join(wanted)), -counts[row], row

    fits = [
        row
        for row, title in enumerate(titles)
        if wanted and all(any(word.startswith(each) for word in normalise(title).split()) for each in wanted)
    ]
    assert TitleSearch(titles, bare, counts).prefix(text) == sorted(fits, key=rank)


WORDS = ["star", "stars", "stare", "wars", "war", "heat", "heart", "1995", "1996", "a", "ab", "xyz"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


@given(st.lists(SENTENCES, min_size=1, max_size=8), st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
def test_a_similarity_is_the_mean_over_the_words_of_the_best_matches(titles: list[str], words: list[str]) -> None:
    def best(word: str, title: str, *, last: bool) -> float:
        found = 0.0
        for other in title.split() or [""]:
            similarity = OSA.normalized_similarity(word, other)
            if last:
                similarity = max(similarity, 0.98 * OSA.normalized_similarity(word, other[: len(word)]))
            if similarity >= 0.98 or not any(letter.isdigit() for letter in word):
                found = max(found, similarity)
        return found

    query = " ".join(words)
    plain = [normalise(title).strip() for title in titles]
    asked = normalise(query).split()
    search = TitleSearch(titles, titles, [0] * len(titles))
    found, ranks = search.fuzzy_hits(query)
    similarities = dict(zip(found.tolist(), ranks.tolist(), strict=True))
    for row, title in enumerate(plain):
        matches = [best(word, title, last=at == len(asked) - 1) for at, word in enumerate(asked)]
        expected = sum(matches) / len(matches) if min(matches) >= 0.55 else 0
        if expected >= 0.76:
            assert similarities[row] >= expected - 0.01  # more without the spaces


def test_a_long_query_is_not_compared_with_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)  # noqa: S311
    words = ["".join(rng.choices("bcdfghlmnprst", k=6)) for _ in range(2000)]
    search = TitleSearch(words, words, [0] * len(words))
    compared = []
    monkeypatch.setattr(
        title_search, "cdist", lambda a, b, **how: compared.append(len(a) * len(b)) or cdist(a, b, **how)
    )
    assert search.fuzzy(" ".join(words[:28])) == []
    assert sum(compared) < 6 * len(words)
