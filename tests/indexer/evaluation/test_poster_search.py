from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import click.testing
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.core.arrays import Float32Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.posters.images import decode_image
from indexer.datasets.movielens import read_dataset
from indexer.evaluate import EvaluationConfig, run
from indexer.evaluate_posters import evaluate_posters, find_poster_files
from indexer.evaluation.distortions import DISTORTIONS
from indexer.evaluation.poster_baselines import BASELINES, colour_histogram, thumbnail
from indexer.evaluation.poster_search import (
    SearchResult,
    baseline_embedder,
    median,
    nearest_other,
    recall,
    recall_gain,
    reciprocal_rank,
    search,
    search_all,
)
from indexer.metrics.bootstrap import estimate
from indexer.reports.poster_report import described, tables
from indexer.reports.report import write_report
from posterity.cli.main import main
from tests.conftest import QUICK, World, poster

AXES = np.eye(3, dtype=np.float32)
DRAWN = (1, 15)


def found(*ranks: int) -> SearchResult:
    return SearchResult(np.array(ranks), np.linspace(0, 1, len(ranks), dtype=np.float32))


def folder_of(folder: Path, movies: tuple[int, ...], suffix: str = "png") -> Path:
    folder.mkdir(parents=True)
    for movie in movies:
        poster(movie).save(folder / f"{movie}.{suffix}")
    return folder


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two posters and an unreadable one. Read-only."""
    folder = folder_of(tmp_path_factory.mktemp("posters") / "posters", DRAWN)
    (folder / "77.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def alternates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The poster of movie 1 upside down, movie 15's unchanged, and one of a movie without a poster."""
    folder = tmp_path_factory.mktemp("alternates")
    poster(1).rotate(180).save(folder / "1.png")
    for movie in (15, 12):
        poster(movie).save(folder / f"{movie}.jpg")
    return folder


@pytest.fixture(scope="module")
def evaluated(
    posters: Path, alternates: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, click.testing.Result]:
    """The command's output folder and result, for posters and alternates."""
    output = tmp_path_factory.mktemp("evaluated")
    return output, cli("--posters", posters, "--alternates", alternates, "--weights", "untrained", "--output", output)


@pytest.fixture
def output(evaluated: tuple[Path, click.testing.Result], tmp_path: Path) -> Path:
    """A folder for a report, with cached embeddings."""
    shutil.copytree(evaluated[0] / "embeddings", tmp_path / "report" / "embeddings")
    return tmp_path / "report"


def cli(*arguments: object) -> click.testing.Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def file_of(image: Image.Image, file: Path) -> bytes:
    image.save(file)
    return file.read_bytes()


def test_a_place_counts_what_scores_higher() -> None:
    queries = np.array([[0.9, 0.5, 0.1], [0.2, 0.1, 0.7]], dtype=np.float32)
    found = search(queries, np.array([1, 2]), AXES)
    assert found.ranks.tolist() == [2, 1]
    assert found.scores.tolist() == pytest.approx([0.5, 0.7])


def test_of_equal_scores_the_lower_id_comes_first() -> None:
    alike = np.ones((3, 2), dtype=np.float32)
    assert search(alike, np.arange(3), alike).ranks.tolist() == [1, 2, 3]


@given(st.permutations(range(8)), st.integers(0, 100))
def test_places_are_those_of_a_sorted_list(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    originals, queries = rng.normal(size=(2, 8, 3)).astype(np.float32)
    relevant = np.array(order)
    scores = queries @ originals.T
    expected = [
        np.argsort(-line, kind="stable").tolist().index(row) + 1 for line, row in zip(scores, relevant, strict=True)
    ]
    assert search(queries, relevant, originals).ranks.tolist() == expected


def test_the_nearest_other_is_not_the_poster_itself() -> None:
    originals = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    assert nearest_other(originals).tolist() == pytest.approx([0.8, 0.8, 0.6])


def test_figures_of_places() -> None:
    assert recall(found(1, 1, 2, 6), 1).value == 0.5
    assert recall(found(1, 1, 2, 6), 5).value == 0.75
    assert reciprocal_rank(found(1, 2, 4)).value == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert median(found(1, 1, 1, 1, 1).scores).value == 0.5


def test_a_gain_is_over_the_same_queries() -> None:
    gain = recall_gain(found(1, 1, 2, 1), found(1, 3, 1, 2), 1)
    assert (gain.value, gain.low <= 0.25 <= gain.high) == (0.25, True)
    same = recall_gain(found(1, 2), found(1, 2), 1)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_an_interval_is_as_wide_as_that_of_a_mean() -> None:
    figure = estimate(np.repeat([0.0, 1.0], 200), np.mean)
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    assert estimate(np.ones(5), np.mean).low == 1


def test_every_distorted_poster_is_embedded_once_and_compared_with_its_own(tmp_path: Path) -> None:
    """An embedder that knows the ids finds the next poster for an even id, and the original for an odd one."""
    movie_ids = np.arange(1, 101)
    files = dict.fromkeys(movie_ids.tolist(), tmp_path / "1.png")
    poster(1).save(tmp_path / "1.png")
    seen: list[int] = []

    def embed_files(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:  # noqa: ARG001
        for file in posters.values():
            pixels = np.asarray(decode_image(file.read_bytes()))
            assert (pixels[..., 0] == pixels[..., 2]).all()
        seen.extend(posters)
        rows = [(movie_id - 1 + (movie_id % 2 == 0)) % 100 for movie_id in posters]
        return np.eye(100, dtype=np.float32)[rows]

    grey = next(each for each in DISTORTIONS if each.name == "greyscale")
    originals = {"ids": np.eye(100, dtype=np.float32)}
    searches = search_all(files, {"ids": embed_files}, originals, movie_ids, distortion=grey)["ids"]
    assert seen == movie_ids.tolist()
    assert (searches.ranks == 1).tolist() == [movie_id % 2 == 1 for movie_id in movie_ids.tolist()]


def test_a_histogram_counts_colours_wherever_they_are(tmp_path: Path) -> None:
    left, right = Image.new("RGB", (40, 60), "white"), Image.new("RGB", (40, 60), "white")
    left.paste("black", (0, 0, 10, 60))
    right.paste("black", (30, 0, 40, 60))
    first, second = (colour_histogram(file_of(image, tmp_path / "a.png")) for image in (left, right))
    assert first.shape == (512,)
    assert first[[0, 511]].tolist() == pytest.approx([0.25**0.5, 0.75**0.5])
    np.testing.assert_array_equal(first, second)


def test_a_thumbnail_knows_where_things_are_and_not_how_bright_it_all_is(tmp_path: Path) -> None:
    def half_lit(low: int, high: int, box: tuple[int, int, int, int]) -> Float32Array:
        image = Image.new("RGB", (160, 240), (low, low, low))
        image.paste((high, high, high), box)
        return thumbnail(file_of(image, tmp_path / "a.png"))

    top, darker = half_lit(100, 200, (0, 0, 160, 120)), half_lit(50, 100, (0, 0, 160, 120))
    bottom = half_lit(100, 200, (0, 120, 160, 240))
    assert top.shape == (16 * 24 * 3,)
    assert top @ darker == pytest.approx(1, abs=1e-3)
    assert top @ bottom == pytest.approx(-1, abs=1e-3)
    assert not thumbnail(file_of(Image.new("RGB", (40, 60), "grey"), tmp_path / "a.png")).any()


def test_a_baseline_has_a_row_for_each_poster(posters: Path) -> None:
    files = {movie_id: posters / f"{movie_id}.png" for movie_id in DRAWN}
    rows = baseline_embedder(colour_histogram)(files)
    assert rows.shape == (2, 512)
    np.testing.assert_array_equal(rows[1], colour_histogram(files[15].read_bytes()))


def test_pictures_are_paired_by_their_names(posters: Path, alternates: Path) -> None:
    pictures = find_poster_files(posters, alternates)
    assert list(pictures.posters) == [*DRAWN, 77]
    assert list(pictures.alternates) == [1, 15]
    assert pictures.warnings == (f"{alternates}: 1 left out, without a poster in {posters}",)


def test_folders_that_cannot_be_used_are_refused(posters: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no poster folder .*nowhere"):
        find_poster_files(tmp_path / "nowhere", None)
    with pytest.raises(InvalidInput, match=r"no poster folder .*nowhere"):
        find_poster_files(posters, tmp_path / "nowhere")
    others = folder_of(tmp_path / "others", (2, 3))
    with pytest.raises(InvalidInput, match=r"none of the 2 images in .*others has the name of one in .*posters"):
        find_poster_files(posters, others)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="empty holds no poster: name the files <movie id>"):
        find_poster_files(tmp_path / "empty", None)
    one = folder_of(tmp_path / "one", (1,))
    (one / "2.jpg").write_text("no picture")
    with pytest.raises(InvalidInput, match=r"1 of the posters in .*one can be read: at least 2"):
        evaluate_posters(one, None, "untrained", tmp_path / "report")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "1.jpg").write_text("no picture")
    with pytest.raises(
        InvalidInput, match=r"no image in .*bad can be used: the alternate of movie 1 is left out: this is no"
    ):
        evaluate_posters(posters, bad, "untrained", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_poster_search_is_evaluated_without_ratings_and_reported(evaluated: tuple[Path, click.testing.Result]) -> None:
    output, result = evaluated
    assert result.exit_code == 0, result.output
    assert "Warning: the poster of movie 77 is left out: this is no JPEG" in result.stderr
    assert "Poster search: 2 posters in the folder posters" in result.stdout
    assert "The weights are untrained" in result.stdout
    for word in ("JPEG, quality 20", "colour histogram", "Mean reciprocal rank", "the nearest other poster"):
        assert word in result.stdout
    page = (output / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "The weights are untrained" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_second_run_embeds_nothing_and_says_the_same(
    evaluated: tuple[Path, click.testing.Result], output: Path, posters: Path, alternates: Path
) -> None:
    how = ("--posters", posters, "--alternates", alternates, "--weights", "untrained", "--output", output)
    files = sorted(output.rglob("*.npy"))
    section = json.loads(cli(*how, "--json").stdout)["look"]
    assert sorted(output.rglob("*.npy")) == files
    assert json.loads((evaluated[0] / "report.json").read_text())["sections"]["look"] == section
    assert (section["weights"], section["posters"], section["alternates"]) == ("untrained", 2, 2)
    assert section["distorted"] == 2
    assert [each["distortion"] for each in section["distortions"]] == [each.name for each in DISTORTIONS]
    assert [method["method"] for method in section["methods"]] == [
        "VGG16, untrained weights, standardised",
        "VGG16, untrained weights, raw",
        *BASELINES,
    ]
    half = next(each for each in section["distortions"] if each["distortion"] == "half size")
    for method in (half["methods"][1], half["methods"][3]):  # not the histogram: two posters have equal colours
        assert method["figures"]["recall_1"] == {"value": 1, "low": 1, "high": 1}
        assert method["figures"]["score"]["value"] > 0.95
    assert set(section["methods"][0]["figures"]) == {
        "recall_1",
        "recall_2",
        "recall_1_gain",
        "reciprocal_rank",
    }  # of 2 posters


@pytest.mark.long
def test_without_alternates_there_are_two_tables(output: Path, posters: Path) -> None:
    section = evaluate_posters(posters, None, "untrained", output)[0]["look"]
    assert [table.title for table in tables(section)] == [
        "Distorted posters that find their original first",
        "Their median score with the original",
    ]
    # With a true share of the bound, 2 of 2 would succeed in one of twenty cases.
    assert f"at least {0.05 ** (1 / 2):.1%}" in tables(section)[0].words
    assert described(section)["caution"]
    assert not described(section | {"weights": "imagenet"})["caution"]


def test_poster_search_goes_with_ratings_of_any_data_set(world: World, posters: Path, output: Path) -> None:
    dataset = read_dataset(world.ratings)
    found, _ = run(EvaluationConfig(world.ratings, output, folds=2, settings=QUICK, methods=("biases",)), "ratings")
    sections, _ = evaluate_posters(posters, None, "untrained", output)
    report = json.loads((output / "report.json").read_text())
    assert set(report["sections"]) == {"ratings-kfold", "look"}
    assert report["dataset"]["ratings"] == len(dataset.ratings)
    (output / "report.json").unlink()
    assert write_report(output, None, sections)["dataset"] is None
    assert set(write_report(output, dataset, found)["sections"]) == {"ratings-kfold", "look"}


@pytest.mark.long
def test_all_with_posters_evaluates_poster_search_too(
    world: World, posters: Path, alternates: Path, output: Path
) -> None:
    config = EvaluationConfig(
        world.ratings, output, folds=2, settings=QUICK, methods=("biases",),
        posters=posters, weights="untrained", alternates=alternates,
    )  # fmt: skip
    found, warnings = run(config, "all")
    assert {"ratings-kfold", "ratings-time", "similarity", "look"} <= set(found)
    assert (found["look"]["posters"], found["look"]["alternates"]) == (2, 2)
    assert f"{posters}: 1 file left out, of movies not in the data set (such as 77.jpg)" in warnings
    assert not [warning for warning in warnings if warning.startswith("no poster search")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --ratings to compare methods, or --posters alone"),
        (("--ratings", "r", "--distorted", 3, "--ranking"), "--distorted needs --posters"),
        (("--alternates", "a"), "Give --ratings to compare methods, or --posters alone"),
        (("--posters", "a", "--ranking"), "Give --ratings"),
        (("--posters", "a", "--film", 3), "Give --ratings"),
        (
            ("--ratings", "r", "--posters", "a"),
            "--posters with --ratings needs --similarity, --gallery, --all or --protocol cold",
        ),
        (("--ratings", "r", "--alternates", "a"), "--alternates needs --posters"),
        (("--ratings", "r", "--similarity", "--posters", "a", "--alternates", "a"), "--alternates needs --posters"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: tuple[object, ...], message: str) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.long
@pytest.mark.realdata
def test_poor_copies_of_real_posters_find_themselves_first(realdata: Path, tmp_path: Path) -> None:
    """Eight real posters; alternates find their movie's poster above chance."""
    folder = tmp_path / "posters"
    folder.mkdir()
    for file in sorted((realdata / "posters-alternate").glob("*.jpg"))[::24][:8]:
        (folder / file.name).symlink_to(realdata / "posters" / file.name)
    found, _ = evaluate_posters(folder, realdata / "posters-alternate", "untrained", tmp_path / "report")
    section = found["look"]
    first = {each["distortion"]: each["methods"][0]["figures"]["recall_1"]["value"] for each in section["distortions"]}
    assert first["JPEG, quality 20"] == first["half size"] == 1
    assert min(first.values()) >= 0.9
    assert section["alternates"] == 8
    assert section["methods"][0]["figures"]["recall_1"]["value"] > 1 / 8
