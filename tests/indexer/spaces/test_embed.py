from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.core.arrays import Float32Array, UInt8Array
from index.core.errors import InvalidInput
from index.posters import vgg16
from index.posters.images import decode_image, pixels_for_vgg16
from indexer.spaces.embed import embed_posters
from tests.conftest import poster
from tests.tolerances import FLOAT16


@pytest.fixture(scope="module")
def embed() -> vgg16.Vgg16:
    return vgg16.load("untrained")


@pytest.fixture
def posters(tmp_path: Path) -> dict[int, Path]:
    found = {movie_id: tmp_path / f"{movie_id}.png" for movie_id in (1, 11)}
    for movie_id, file in found.items():
        poster(movie_id).save(file)
    return found


def test_vectors_are_those_of_the_pictures(posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path) -> None:
    embeddings = embed_posters(posters, embed, tmp_path / "cache")
    assert embeddings.movie_ids.tolist() == [1, 11]
    assert embeddings.embedded == 2
    pixels = np.stack([pixels_for_vgg16(decode_image(file.read_bytes())) for file in posters.values()])
    vectors = embed(pixels)
    # Another order of summation may round a number to the next float16; the smallest are 2^-24 apart.
    np.testing.assert_allclose(embeddings.vectors, vectors, atol=2e-5, rtol=2 * FLOAT16)
    assert np.linalg.norm(embeddings.vectors.astype(np.float64), axis=1) == pytest.approx(1, abs=FLOAT16)


def test_a_poster_is_never_embedded_twice(posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path) -> None:
    first = embed_posters(posters, embed, tmp_path / "cache")
    again = embed_posters(posters, embed, tmp_path / "cache")
    assert again.embedded == 0
    np.testing.assert_array_equal(again.vectors, first.vectors)
    # The same picture under another id, and one that is new.
    more = posters | {12: posters[1], 13: tmp_path / "13.png"}
    poster(13).save(more[13])
    assert embed_posters(more, embed, tmp_path / "cache").embedded == 1


def test_what_was_embedded_before_a_kill_is_kept(posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path) -> None:
    many = posters | {i: tmp_path / f"{i}.png" for i in range(20, 24)}
    for i in range(20, 24):
        poster(i).save(many[i])

    class Killed:
        sha256, path = embed.sha256, embed.path
        calls = 0

        def __call__(self, pixels: UInt8Array) -> Float32Array:
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return embed(pixels)

    with pytest.raises(KeyboardInterrupt):
        embed_posters(many, Killed(), tmp_path / "cache")  # type: ignore[arg-type]
    assert embed_posters(many, embed, tmp_path / "cache").embedded == len(many) - 2  # two were done


def test_a_damaged_cache_file_is_made_again(posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path) -> None:
    first = embed_posters(posters, embed, tmp_path / "cache")
    cached = sorted((tmp_path / "cache").rglob("*.npy"))
    cached[0].write_bytes(cached[0].read_bytes()[:1000])
    cached[1].write_bytes(b"")
    again = embed_posters(posters, embed, tmp_path / "cache")
    assert again.embedded == 2
    np.testing.assert_allclose(again.vectors, first.vectors, atol=1e-6, rtol=2 * FLOAT16)


@pytest.mark.parametrize(("sha256", "path"), [("f" * 64, "float32"), (None, "bfloat16")])
def test_other_weights_and_paths_have_a_cache_of_their_own(
    sha256: str | None, path: str, posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path
) -> None:
    float32 = replace(embed, path="float32")
    embed_posters(posters, float32, tmp_path / "cache")
    other = replace(embed, sha256=sha256 or embed.sha256, path=path)
    assert embed_posters(posters, other, tmp_path / "cache").embedded == 2
    assert embed_posters(posters, float32, tmp_path / "cache").embedded == 0


def test_unreadable_posters_are_listed_with_the_reason(
    posters: dict[int, Path], embed: vgg16.Vgg16, tmp_path: Path
) -> None:
    bad = {3: tmp_path / "3.jpg", 4: tmp_path / "4.jpg", 5: tmp_path / "5.jpg"}
    bad[3].write_text("no picture")
    bad[4].write_bytes(b"")
    bad[5].write_bytes(bytes(11 * 2**20))
    embeddings = embed_posters(dict(sorted((posters | bad).items())), embed, tmp_path / "cache")
    assert embeddings.movie_ids.tolist() == [1, 11]
    assert list(embeddings.unreadable) == [3, 4, 5]
    assert "no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC" in embeddings.unreadable[3]
    assert "11.0 MiB; at most 10 MiB" in embeddings.unreadable[5]


def test_nothing_readable_is_an_error(embed: vgg16.Vgg16, tmp_path: Path) -> None:
    (tmp_path / "3.jpg").write_text("no picture")
    with pytest.raises(InvalidInput, match=r"none of the 1 posters could be read; .*3\.jpg: this is no"):
        embed_posters({3: tmp_path / "3.jpg"}, embed, tmp_path / "cache")
