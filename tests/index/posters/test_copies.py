import shutil
from pathlib import Path

import pytest
from PIL import Image

from index.catalogue.catalogue import MovieFilter
from index.core.progress import silent
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.posters.copies import find_copies, grouped, load_copies, save_copies
from indexer.sample import sample_movies
from indexer.sample.poster import draw_poster
from tests.conftest import raw_vector, with_vector_of
from tests.index.posters.test_duplicates import copy_of, everyone_near


def test_copies_are_pairs_of_neighbours_with_the_same_picture(tmp_path: Path) -> None:
    a, b = (draw_poster(film) for film in sample_movies()[:40:20])
    plain = Image.new("RGB", (60, 90), (200, 30, 40))
    pictures = {
        1: copy_of(a),
        2: copy_of(b),
        4: copy_of(a, quality=20, scale=0.5),
        6: copy_of(plain),
        7: copy_of(plain, quality=20),
        8: copy_of(Image.new("RGB", (60, 90), (30, 60, 200))),
        9: b"no picture",
        11: copy_of(a, cut=(0.05, 0.05, 0.05, 0.05)),
        12: copy_of(a, grey=True, quality=20),
        13: copy_of(a, quality=10),
        14: copy_of(turned(a)),
    }
    files = {movie_id: tmp_path / f"{movie_id}.jpg" for movie_id in pictures}
    for movie_id, content in pictures.items():
        files[movie_id].write_bytes(content)
    space = everyone_near(tmp_path / "space", sorted([*pictures, 10]))
    found = find_copies(space, files.get, pictures)
    assert {each for each in found if 1 in each} == {(1, 4), (1, 11), (1, 12), (1, 13)}
    assert [each for each in found if each[0] not in {1, 4, 11, 12, 13}] == [(6, 7)]
    assert {each for each in found if 14 in each} <= {(12, 14)}  # in grey, hues do not count
    assert find_copies(space, files.get, [6], track=silent) == [(6, 7)]


def turned(image: Image.Image) -> Image.Image:
    """Return an image with other hues."""
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda level: (level + 85) % 256), saturation, value)).convert("RGB")


def test_groups_are_connected_and_sorted() -> None:
    groups = grouped([(1, 4), (9, 2), (4, 9), (5, 6)])
    assert groups == dict.fromkeys((1, 2, 4, 9), (1, 2, 4, 9)) | dict.fromkeys((5, 6), (5, 6))
    assert grouped([]) == {}
    assert len(grouped((at, at + 1) for at in range(3000))[7]) == 3001


def test_pairs_are_saved_and_earlier_snapshots_have_none(tmp_path: Path) -> None:
    assert load_copies(tmp_path) == []
    save_copies(tmp_path, [(3, 4), (1, 2)])
    assert load_copies(tmp_path) == [(1, 2), (3, 4)]
    save_copies(tmp_path, [])
    assert load_copies(tmp_path) == []


@pytest.fixture(scope="module")
def data(copied_data: Path) -> Path:
    return copied_data


@pytest.fixture(scope="module")
def copied(data: Path) -> MovieIndex:
    return MovieIndex.open(data)


def ids(matches: list) -> list[int]:  # type: ignore[type-arg]
    return [match.movie_id for match in matches]


def test_eleven_copies_are_shown_once_with_their_number(copied: MovieIndex) -> None:
    plain = copied.similar(3, 10, by="poster")
    assert all(match.movie_id >= 1_000_000_000 for match in plain)
    assert {match.copies for match in plain} == {None}
    for by in ("poster", "blend"):
        found = copied.similar(3, 10, by=by, distinct=True)
        assert len(found) == 10
        (match,) = [match for match in found if match.movie_id >= 1_000_000_000]
        assert match.copies == 10
        assert {each.copies for each in found if each is not match} == {0}
    # For another movie the original is one of twelve.
    found = copied.similar(4, 10, by="poster", distinct=True)
    assert sorted(match.copies for match in found if match.copies) == [11]


def test_distinct_lists_are_the_plain_ones_without_copies(copied: MovieIndex) -> None:
    for by in ("poster", "taste", "facts", "blend"):
        everything = copied.similar(4, 100, by=by)
        group = {3, *(match.movie_id for match in everything if match.movie_id >= 1_000_000_000)}
        expected, seen = [], False
        for match in everything:
            if match.movie_id in group:
                if seen:
                    continue
                seen = True
            expected.append(match.movie_id)
        for k in (1, 3, 8, 12, 100):
            assert ids(copied.similar(4, k, by=by, distinct=True)) == expected[:k], (by, k)


def test_copies_are_counted_among_what_the_filter_allows(copied: MovieIndex) -> None:
    drama = copied.similar(3, 10, by="poster", where=MovieFilter(("Drama",)), distinct=True)
    assert [match.copies for match in drama] == [6]
    assert copied.similar(3, 10, by="taste", distinct=True)[0].copies == 0


def test_several_movies_and_pictures_are_answered_distinctly_too(
    copied: MovieIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = copied.similar_to([4, 5], [], 10, by="poster", distinct=True)
    assert sum(match.movie_id >= 1_000_000_000 or match.movie_id == 3 for match in found) == 1
    blended = copied.similar_to([4, 5], [], 10, distinct=True)
    assert len(blended) == 10
    assert sum(match.movie_id >= 1_000_000_000 or match.movie_id == 3 for match in blended) == 1
    vector = raw_vector(copied, 3)
    monkeypatch.setattr(MovieIndex, "embed", lambda *_: vector)
    first, *others = copied.similar_to_poster(b"", 5, distinct=True)
    assert first.copies == 11
    assert {match.copies for match in others} == {0}


def test_a_movie_with_another_poster_is_no_copy_any_more(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data", symlinks=True)
    index, library = MovieIndex.open(tmp_path / "data"), Library.open(tmp_path / "data")
    assert len(index.copies[3]) == 12
    added = max(index.copies[3])
    library.put(index.catalogue.movie(added), with_vector_of(index, 7, copy_of(draw_poster(sample_movies()[0]))))
    library.remove(min(set(index.copies[3]) - {3}))
    after = index.refreshed()
    assert len(after.copies[3]) == 10
    assert added not in after.copies
    assert len(index.copies[3]) == 12
