from __future__ import annotations

from pathlib import Path

from index.movie_index import MovieIndex
from index.snapshot.gallery import Gallery, GalleryMovie
from tests.conftest import SPACE, World


def test_a_gallery_is_read_as_it_was_written(tmp_path: Path) -> None:
    gallery = Gallery((GalleryMovie(6, {"item-cosine": (733, 25), "sgd": ()}),), 100)
    gallery.save(tmp_path)
    assert Gallery.load(tmp_path) == gallery


def test_a_snapshot_of_an_older_version_has_no_movies_in_its_gallery(tmp_path: Path) -> None:
    assert Gallery.load(tmp_path) == Gallery()


def test_a_build_writes_the_gallery_as_a_file_of_its_snapshot(movie_index: MovieIndex, world: World) -> None:
    assert "gallery.json" in world.manifest.files
    starship = next(movie for movie in movie_index.gallery.movies if movie.movie_id in SPACE)
    assert starship.nearest["item-cosine"][0] == 23  # everyone rated it: a missing rating counts as zero
    assert set(starship.nearest["sgd"][:4]) < set(SPACE)
    assert {len(ids) for movie in movie_index.gallery.movies for ids in movie.nearest.values()} == {8}
    assert movie_index.gallery.ratings == world.manifest.dataset["ratings"]
