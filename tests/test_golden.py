"""Snapshots of every format version that was ever published must open and answer as they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.movie_index import MovieIndex

GOLDEN = Path(__file__).parent / "golden"


def test_format_1_opens_and_answers() -> None:
    index = MovieIndex.open(GOLDEN / "v1")
    assert index.manifest.id == "20261124T222634110-3a2c02e9"
    assert index.ways == ("taste", "facts", "blend")
    assert index.catalogue.movie(3).title == "Starship 3"
    assert {match.movie_id for match in index.similar(3, 5, by="taste")} == {1, 2, 4, 5, 6}
    assert [match.movie_id for match in index.similar(3, 4, by="facts")] == [2, 4, 1, 5]
    prediction, other = index.predict(2, [3, 9])
    assert prediction.rating == pytest.approx(4.5000, abs=1e-3)
    assert other.rating == pytest.approx(1.6505, abs=1e-3)
    assert prediction.low < prediction.rating <= prediction.high
