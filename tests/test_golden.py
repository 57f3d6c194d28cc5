"""Snapshots of every format version that was ever published must open and answer as they did."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from index.catalogue.catalogue import Movie
from index.core.errors import BadSnapshot, NotFound
from index.library.entries import Poster
from index.library.movies import Library
from index.movie_index import MovieIndex
from tests.conftest import poster
from tests.paths import GOLDEN


def test_format_1_is_refused_by_name() -> None:
    with pytest.raises(
        BadSnapshot, match="has format version 1, this version of Posterity reads 2 to 5: build the snapshot"
    ):
        MovieIndex.open(GOLDEN / "v1")


def test_format_2_opens_and_answers() -> None:
    index = MovieIndex.open(GOLDEN / "v2")
    assert index.manifest.id == "20261125T045208803-d083455a"
    assert index.ways == ("taste", "facts", "blend")
    assert index.catalogue.movie(3).title == "Starship 3"
    assert {match.movie_id for match in index.similar(3, 5, by="taste")} == {1, 4, 5, 8, 10}
    assert [match.movie_id for match in index.similar(3, 4, by="facts")] == [2, 4, 1, 5]
    known = index.users.predict(2, [3, 9])
    assert [p.rating for p in known] == pytest.approx([4.5289, 4.1481], abs=1e-3)
    assert [p.low for p in known] == pytest.approx([3.7827, 3.5494], abs=1e-3)
    stranger = {1: 5.0, 12: 1.0}
    assert [p.rating for p in index.users.predict(stranger, [3, 13])] == pytest.approx([4.8798, 1.7307], abs=1e-3)
    assert [p.movie_id for p in index.users.recommend(2, 3)] == [10, 1, 3]
    assert [p.movie_id for p in index.users.recommend(stranger, 3)] == [2, 10, 8]
    assert index.users.explain(2, [3])[0].base == pytest.approx(3.4714, abs=1e-3)


def test_format_3_opens_and_answers() -> None:
    index = MovieIndex.open(GOLDEN / "v3")
    assert index.manifest.id == "20261125T220542522-1f2f5e97"
    assert index.ways == ("poster", "taste", "facts", "blend")
    near, far = index.similar(1, 5, by="poster")
    assert (near.movie_id, far.movie_id) == (2, 11)
    assert [near.score, far.score] == pytest.approx([0.997904, 0.915286], abs=1e-5)
    assert index.manifest.spaces["poster"]["search"]["index"] == "Flat"
    assert [match.movie_id for match in index.similar_to([1, 2], [11], 5, by="poster")] == []
    assert [match.movie_id for match in index.similar_to([1], [11], 5, by="poster")] == [2]
    assert index.explainer.look(1, 2).comparison.cells.sum() == pytest.approx(near.score, abs=1e-5)
    assert [match.movie_id for match in index.similar(3, 5, by="taste")] == [8, 5, 9, 6, 10]
    assert [match.movie_id for match in index.similar(3, 4, by="facts")] == [2, 4, 1, 5]
    assert [p.rating for p in index.users.predict(2, [3, 9])] == pytest.approx([4.8443, 4.3631], abs=1e-3)


def test_format_4_opens_and_answers() -> None:
    index = MovieIndex.open(GOLDEN / "v4")
    assert index.manifest.id == "20261126T043854508-2bf28d53"
    near, far = index.similar(1, 5, by="poster")
    assert (near.movie_id, far.movie_id) == (2, 11)
    assert [near.score, far.score] == pytest.approx([0.997903, 0.918573], abs=1e-5)
    assert [match.movie_id for match in index.similar(3, 5, by="taste")] == [8, 9, 10, 7, 4]
    assert [p.rating for p in index.users.predict(2, [3, 9])] == pytest.approx([4.8041, 4.2890], abs=1e-3)
    map_of_looks = index.maps.of("poster")
    assert (map_of_looks.columns, map_of_looks.rows) == (3, 1)
    assert sorted(map_of_looks.slots.tolist()) == [0, 1, 2]
    assert index.maps.of("taste").movie_ids.size == 21
    assert index.maps.sheet(0)[8:12] == b"WEBP"
    assert index.manifest.evaluation["held_out"] == 52
    # Its blend was a mean of percentiles; it is searched for, as the sum of standardised scores.
    assert index.overlay.blended is None
    found = index.similar(3, 30)
    assert {match.movie_id for match in found} == {*range(1, 24)} - {3, 22}
    assert all(0 <= match.percentile <= 1 for match in found)
    explained = [blend.score for blend in index.explain_blend(3, (match.movie_id for match in found))]
    assert explained == pytest.approx([match.score for match in found], abs=1e-5)
    assert explained == sorted(explained, reverse=True)
    assert index.explainer.taste(3, 8).raters == index.catalogue.rating_counts[index.catalogue.ids.row(8)] > 0


def test_format_5_opens_and_answers() -> None:
    index = MovieIndex.open(GOLDEN / "v5")
    assert index.manifest.id == "20261129T110927879-1baead25"
    assert index.manifest.spaces["poster"]["look"] == index.overlay.snapshot.look.name == "standardised"
    near, far = index.similar(1, 5, by="poster")
    assert (near.movie_id, far.movie_id) == (2, 11)
    assert [near.score, far.score] == pytest.approx([0.987753, 0.296999], abs=1e-5)
    assert index.explainer.look(1, 2).comparison.cells.sum() == pytest.approx(near.score, abs=1e-5)
    assert [match.movie_id for match in index.similar(3, 5, by="taste")] == [8, 5, 6, 9, 10]
    assert [p.rating for p in index.users.predict(2, [3, 9])] == pytest.approx([4.7412, 4.3526], abs=1e-3)
    blended = index.similar(3, 5)
    assert [match.movie_id for match in blended] == [5, 8, 6, 4, 7]
    assert blended[0].score == pytest.approx(1.2166, abs=1e-3)
    # Nobody has rated film 21: its content tells.
    (unrated,) = index.users.predict(2, [21])
    assert [unrated.rating, unrated.low] == pytest.approx([2.0182, 1.2314], abs=1e-3)
    assert [match.movie_id for match in index.similar(21, 3, by="taste")] == [10, 5, 7]
    assert index.gallery.movies


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_posters_of_formats_before_5_are_raw(version: str) -> None:
    index = MovieIndex.open(GOLDEN / version)
    assert index.overlay.snapshot.look.name == "raw"


def test_a_poster_added_to_a_snapshot_of_format_4_is_compared_by_its_raw_vector(tmp_path: Path) -> None:
    data = shutil.copytree(GOLDEN / "v4", tmp_path / "data", symlinks=True)
    index = MovieIndex.open(data)
    weights = index.manifest.weights
    assert weights is not None
    content = io.BytesIO()
    poster(1).save(content, "PNG")
    raw = index.spaces["poster"].vector(1)
    Library.open(data).put(Movie(30, "Starship Again"), Poster(content.getvalue(), raw, weights["sha256"]))
    added = {match.movie_id: match.score for match in index.refreshed().similar(30, 5, by="poster")}
    expected = {match.movie_id: match.score for match in index.similar(1, 5, by="poster")}
    assert added == pytest.approx(expected | {1: 1.0}, abs=1e-4)


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_formats_before_4_have_no_maps_and_say_so(version: str) -> None:
    index = MovieIndex.open(GOLDEN / version)
    assert index.manifest.evaluation == {}
    with pytest.raises(NotFound, match="build"):
        index.maps.of("taste")
