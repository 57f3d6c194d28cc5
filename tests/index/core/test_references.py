from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.core.references import MAX_ID, movie_reference, plain_id, user_reference

# Texts that other programs read as numbers, or that begin with one: none is an id.
NO_IDS = [
    "", " ", "3:10 to Yuma", "2001: A Space Odyssey (1968)", "300 (2007)", "1_0", "+1", "-1", "0x1", "1e0", "1.0", "1,0",
    "1.", "007", "00", "٣", "３", "²", "Ⅳ", "½", "1 0", "1\x00", "#1", "1;2", "1/2", "6%20", str(MAX_ID + 1), "9" * 30,
    "true", "None", "nan", "6a", "a6", "id", "id:", "id:x", "id:007", "id:+6", ":6", "movie:6",
]  # fmt: skip
NO_OTHER_IDS = [
    "imdb:", "imdb:tt", "imdb:113277", "imdb:tt01", "imdb:tt0113277x", "imdb:tt٠١١٣٢٧٧", "tmdb:", "tmdb:x", "tmdb:-1",
    "tmdb:0949", "tmdb:9_49", "imdb:tmdb:949", "tt0113277", "imdb.tt0113277", "tvdb:949",
]  # fmt: skip


@pytest.mark.parametrize("text", [*NO_IDS, *NO_OTHER_IDS])
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert movie_reference(text) is None
    assert user_reference(text) is None


@given(st.integers(0, MAX_ID))
def test_every_number_is_an_id_in_plain_digits(number: int) -> None:
    assert movie_reference(str(number)) == movie_reference(f" {number}\n") == movie_reference(f"id:{number}") == number
    assert user_reference(str(number)) == plain_id(str(number)) == number


@given(st.text(max_size=8) | st.text("0123456789+-_.x ٣３", max_size=5))
def test_an_id_is_written_in_one_way(text: str) -> None:
    found = user_reference(text)
    assert found is None or text.strip() == str(found)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("imdb:tt0113277", "imdb:tt0113277"),
        (" IMDb: TT0113277 ", "imdb:tt0113277"),
        ("tmdb:949", "tmdb:949"),
        ("TMDB: 949", "tmdb:949"),
        ("ID: 6", 6),
    ],
)
def test_ids_of_other_sites_have_a_prefix(text: str, reference: int | str) -> None:
    assert movie_reference(text) == reference
    assert user_reference(text) is None
