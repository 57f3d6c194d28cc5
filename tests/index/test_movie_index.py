import gc
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest

from index.answers.serialize import draw_look
from index.catalogue.catalogue import MovieFilter
from index.core.errors import (
    BadSnapshot,
    BadWeights,
    UnknownMovie,
    UnknownSpace,
    UnknownUser,
)
from index.movie_index import MovieIndex
from index.ratings.diversity import diversify
from index.snapshot.store import SnapshotStore
from tests.conftest import SPACE, WEDDINGS, World
from tests.tolerances import SAME_PICTURE


@pytest.mark.parametrize("by", ["poster", "taste", "facts", "blend"])
def test_spaceships_are_like_spaceships_every_way(movie_index: MovieIndex, by: str) -> None:
    assert {match.movie_id for match in movie_index.similar(1, 5, by=by)} <= {*SPACE, 21}
    assert {match.movie_id for match in movie_index.similar(12, 5, by=by)} <= {*WEDDINGS, 23}


def test_a_poster_of_the_catalogue_finds_itself(movie_index: MovieIndex, world: World) -> None:
    match = movie_index.similar_to_poster((world.posters / "3.jpg").read_bytes(), 1)[0]
    assert match.movie_id == 3
    assert match.score == pytest.approx(1, abs=SAME_PICTURE)
    assert match.percentile == pytest.approx(1)


def test_filters_reach_every_way_of_asking(movie_index: MovieIndex, world: World) -> None:
    where = MovieFilter(genres=("Romance",), year_to=2004, exclude=(11,))
    allowed = {12, 13, 14}
    for by in ("poster", "taste", "facts", "blend"):
        assert {match.movie_id for match in movie_index.similar(1, 10, by=by, where=where)} == allowed
    image = (world.posters / "3.jpg").read_bytes()
    assert {match.movie_id for match in movie_index.similar_to_poster(image, 10, where=where)} == allowed
    for user in (1, 2):
        rated = {match.movie_id for match in movie_index.users.recommend(user, 10, where=where)}
        assert rated <= allowed


def test_users_get_what_their_kind_loves(movie_index: MovieIndex) -> None:
    for user, loved, disliked in ((2, SPACE, WEDDINGS), (1, WEDDINGS, SPACE)):
        loves = [p.rating for p in movie_index.users.predict(user, list(loved))]
        dislikes = [p.rating for p in movie_index.users.predict(user, list(disliked))]
        assert min(loves) > max(dislikes)
    for prediction in movie_index.users.predict(1, [1, 2, 22]):
        assert 0.5 <= prediction.low < prediction.rating < prediction.high <= 5


def test_a_blend_can_be_weighed_anew(movie_index: MovieIndex) -> None:
    alone = [m.movie_id for m in movie_index.similar(1, 10, by="taste")]
    assert [m.movie_id for m in movie_index.similar(1, 10, weights={"taste": 2, "facts": 0})][:3] == alone[:3]
    own = movie_index.manifest.blend
    assert movie_index.similar(1, 10, weights=own) == movie_index.similar(1, 10)
    assert movie_index.similar_to([1, 2], [12], weights=own) == movie_index.similar_to([1, 2], [12])
    with pytest.raises(UnknownSpace, match="no sound space"):
        movie_index.similar(1, weights={"sound": 1})
    with pytest.raises(UnknownMovie, match="movie 22 has nothing to be compared by: no taste"):
        movie_index.similar(22, weights={"taste": 1})


def test_a_movie_that_lacks_a_space_says_what_there_is(movie_index: MovieIndex) -> None:
    with pytest.raises(UnknownMovie, match=r"id 20\) has no poster: compare by taste, facts, blend"):
        movie_index.similar(20, by="poster")
    with pytest.raises(
        UnknownMovie, match=r"id 22\) has no ratings in the snapshot, and too little .* to guess: there is nothing"
    ):
        movie_index.similar(22, by="taste")
    with pytest.raises(UnknownMovie, match=r"Nothing Known \(id 22\) has no genres, year or tags: there is nothing"):
        movie_index.similar(22, by="facts")
    with pytest.raises(UnknownMovie, match="movie 22 has nothing to be compared by: no poster, no taste, no facts"):
        movie_index.similar(22)
    assert movie_index.similar(21)[0].spaces == ("poster", "taste", "facts")  # nobody rated it: taste by content


def test_what_is_not_there_is_named(movie_index: MovieIndex) -> None:
    with pytest.raises(UnknownSpace, match="no sound space; it has poster, taste, facts, blend"):
        movie_index.similar(1, by="sound")
    with pytest.raises(UnknownUser, match="no user 99"):
        movie_index.users.predict(99, [1])
    with pytest.raises(UnknownMovie, match="no movie 99"):
        movie_index.similar(99)
    with pytest.raises(UnknownMovie, match="has no poster"):
        movie_index.poster(20)


@pytest.mark.parametrize(
    "name", ["poster/rows.faiss", "poster/short.faiss", "ratings/movie_vectors.npy", "movies.json"]
)
def test_a_flipped_byte_anywhere_is_refused_by_file_name(world: World, tmp_path: Path, name: str) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    file = SnapshotStore(tmp_path / "data").path() / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadSnapshot, match=f"{name} is damaged"):
        MovieIndex.open(tmp_path / "data")
    file.unlink()
    with pytest.raises(BadSnapshot, match=f"{name} is missing"):
        MovieIndex.open(tmp_path / "data")


def test_weights_that_are_gone_are_named(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    shutil.rmtree(tmp_path / "data" / "weights")
    index = MovieIndex.open(tmp_path / "data")
    with pytest.raises(BadWeights, match=r"no weights file .*\.weights\.h5"):
        index.similar_to_poster((world.posters / "3.jpg").read_bytes())


def test_a_look_is_explained_by_parts_that_add_up(movie_index: MovieIndex) -> None:
    match = movie_index.similar(3, 1, by="poster")[0]
    look = movie_index.explainer.look(3, match.movie_id)
    assert look.score == pytest.approx(match.score, abs=1e-5)
    assert look.percentile == pytest.approx(match.percentile, abs=1e-3)
    assert look.comparison.cells.sum() == pytest.approx(match.score, abs=1e-5)
    assert look.baseline_score < look.score
    # A spaceship is more similar to a spaceship than to a wedding, in total and in most cells.
    wedding = movie_index.explainer.look(3, 13)
    assert look.comparison.likeness.mean() > wedding.comparison.likeness.mean()
    assert wedding.score < look.score


def test_a_look_is_explained_of_posters_only(movie_index: MovieIndex) -> None:
    for pair in ((3, 20), (20, 3)):
        with pytest.raises(UnknownMovie, match=r"id 20\) has no poster: compare by taste, facts, blend"):
            movie_index.explainer.look(*pair)
    with pytest.raises(UnknownMovie, match="no movie 99"):
        movie_index.explainer.look(3, 99)


def test_a_poster_is_like_itself_everywhere(movie_index: MovieIndex) -> None:
    look = movie_index.explainer.look(3, 3)
    assert look.score == pytest.approx(1, abs=SAME_PICTURE)
    assert all(match.cell == match.other for match in look.comparison.matches)
    np.testing.assert_allclose(look.comparison.likeness, 1, atol=1e-9)


def test_a_poster_that_is_no_picture_any_more_is_named(movie_index: MovieIndex, world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    index = MovieIndex.open(tmp_path / "data")
    look = index.explainer.look(3, 4)
    assert draw_look(index, look) == draw_look(movie_index, look)
    index.poster(4).unlink()
    with pytest.raises(UnknownMovie, match=r"Starship 4 \(1974\) \(id 4\) has no poster"):
        draw_look(index, look)
    (tmp_path / "data" / "posters" / "4.jpg").write_bytes(b"no picture")
    with pytest.raises(UnknownMovie, match=r"the poster of Starship 4 .* can no longer be read: this is no JPEG"):
        draw_look(index, look)


def test_one_that_nobody_holds_is_gone_at_once_with_its_files(world: World) -> None:
    index = MovieIndex.open(world.data)
    assert index.similar(1, 3)
    assert index.users.recommend(1, 3)
    assert index.explainer.look(3, 4)
    gone = [weakref.ref(each) for each in (index, *index.spaces.values())]
    gc.disable()  # a server that switches snapshots must not wait for a collection to unmap the old files
    try:
        del index
        assert [each() for each in gone] == [None] * 4
    finally:
        gc.enable()


def test_a_diverse_list_weighs_likeness_by_percentiles_of_the_blend(movie_index: MovieIndex) -> None:
    """Scores of the blend have no bound: beside relevance, which is at most 1, they would decide alone."""
    plain = [each.movie_id for each in movie_index.users.recommend(2, 100)]

    def percentile(movie_id: int, other_id: int) -> float:
        if 22 in {movie_id, other_id}:  # nothing is known of it
            return 0.0
        return movie_index.explain_blend(movie_id, [other_id])[0].percentile

    alike = np.array([[percentile(movie_id, other_id) for other_id in plain] for movie_id in plain], dtype=np.float32)

    for diversity in (0.2, 0.6):
        expected = diversify(np.arange(len(plain)), 100, diversity, alike)
        found = movie_index.users.recommend(2, 100, diversity=diversity)
        assert [each.movie_id for each in found] == [plain[at] for at in expected.tolist()]
        assert [each.movie_id for each in found] != plain
