import json
from pathlib import Path
from unittest.mock import patch

import pytest

from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.evaluate import UNFINISHED, EvaluationConfig, run, tasks
from indexer.evaluation.contest import evaluate
from indexer.metrics.estimate import FoldResult
from indexer.reports import report_html
from indexer.reports.report import JSON_FILE, PAGE_FILE, fingerprint, write_report
from indexer.reports.report_html import cell
from tests.conftest import QUICK, World


@pytest.fixture
def dataset(world: World) -> Dataset:
    return read_dataset(world.ratings)


def config(world: World, output: Path, *methods: str) -> EvaluationConfig:
    return EvaluationConfig(world.ratings, output, folds=2, settings=QUICK, methods=methods)


def test_a_section_says_what_was_held_out_and_what_was_found(world: World, tmp_path: Path) -> None:
    found = run(config(world, tmp_path, "biases", "factorization-machine"), "ratings")[0]["ratings-kfold"]
    assert found["held_out"] == len((world.ratings / "ratings.csv").read_text().splitlines()) - 1
    biases, machine = found["methods"]
    assert biases["settings"] == {"of_users": True, "of_movies": True, "damping": 5.0, "sweeps": 10}
    assert set(biases["figures"]) == {"rmse", "mae", "mse"}
    assert set(machine["figures"]) > {"inside_50", "few_inside_95", "width_80"}
    assert len(machine["folds"]) == 2
    assert "NaN" not in (tmp_path / JSON_FILE).read_text()


def test_the_page_has_a_plot_of_each_kind_and_titles_cannot_break_it(world: World, tmp_path: Path) -> None:
    dataset = read_dataset(world.ratings)
    found, _ = run(config(world, tmp_path, "sgd", "factorization-machine"), "ratings")
    renamed = Dataset("<script>alert(1)</script>", "a & b", dataset.movies, dataset.ratings)
    write_report(tmp_path, renamed, found)
    page = (tmp_path / PAGE_FILE).read_text()
    assert page.count("<svg") == 3  # errors, intervals, learning curve
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page


def test_a_plot_of_a_finished_section_is_not_drawn_again(world: World, tmp_path: Path) -> None:
    report_html.draw_plots.cache_clear()
    with patch.object(report_html, "svg", wraps=report_html.svg) as svg:
        run(config(world, tmp_path, "biases"), "ratings", ("kfold", "article", "time"))
    assert svg.call_count == (tmp_path / PAGE_FILE).read_text().count("<svg") == 3


def test_sections_gather_but_not_those_of_other_data(world: World, dataset: Dataset, tmp_path: Path) -> None:
    run(config(world, tmp_path, "biases"), "ratings", ("kfold", "article"))
    sections = json.loads((tmp_path / JSON_FILE).read_text())["sections"]
    assert set(sections) == {"ratings-kfold", "ratings-article"}
    fewer = Dataset(dataset.name, "", dataset.movies, dataset.ratings.take(dataset.ratings.values > 1))
    assert fingerprint(fewer) != fingerprint(dataset)
    report = write_report(tmp_path, fewer, {"ratings-cold": sections["ratings-kfold"]})
    assert set(report["sections"]) == {"ratings-cold"}
    (tmp_path / JSON_FILE).write_text("{")
    report = write_report(tmp_path, fewer, {"ratings-cold": sections["ratings-kfold"]})
    assert set(report["sections"]) == {"ratings-cold"}


def test_a_killed_run_goes_on_where_it_was(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_killed(*arguments: object, **options: object) -> object:
        for done, result in enumerate(evaluate(*arguments, **options), start=1):  # type: ignore[arg-type]
            yield result
            if done == 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("indexer.evaluate.evaluate", until_killed)
        with pytest.raises(KeyboardInterrupt):
            run(config(world, tmp_path, "biases", "als"), "ratings")
    kept = sorted((tmp_path / UNFINISHED).rglob("*.npz"))
    assert [file.name for file in kept] == ["als-1.npz", "biases-1.npz", "biases-2.npz"]
    assert not (tmp_path / JSON_FILE).exists()
    # Saved results are loaded, not computed again: a changed one shows in the report.
    marked = FoldResult.load(kept[0])
    FoldResult(marked.method, 1, marked.users, marked.measures, marked.facts | {"seconds": 1000.0}).save(kept[0])
    methods = run(config(world, tmp_path, "biases", "als"), "ratings")[0]["ratings-kfold"]["methods"]
    assert {each["method"]: each["seconds"] > 400 for each in methods} == {"biases": False, "als": True}
    assert not (tmp_path / UNFINISHED).exists()


def test_all_is_every_protocol_and_kind() -> None:
    assert len(tasks("all")) == 10
    assert tasks("ratings", ("time", "time")) == [("ratings", "time")]
    assert tasks("ranking") == [("ranking", "kfold")]


def test_shares_are_shown_in_percent() -> None:
    assert cell("inside_80", 0.8123) == "81.2%"
    assert cell("rmse", 0.83) == "0.8300"
    assert cell("rmse", None) == ""
