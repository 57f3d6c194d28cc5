from __future__ import annotations

import json
import re
from pathlib import Path

from index.catalogue.catalogue import Movie
from index.snapshot.gallery import GalleryMovie
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.evaluate import EvaluationConfig, run
from indexer.reports.article_table import article_table
from indexer.reports.gallery_sheet import JSON_FILE, PAGE_FILE, gallery_section, write_gallery
from indexer.reports.report import write_report
from tests.conftest import QUICK, World, poster


def test_the_page_is_self_contained_and_titles_cannot_break_it(world: World, tmp_path: Path) -> None:
    ratings = read_dataset(world.ratings).ratings
    movies = (Movie(1, "<script>alert(1)</script>"), Movie(2, "Two & a half", 2000), Movie(3, "No picture"))
    poster(1).save(tmp_path / "1.png")
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    section = gallery_section(
        [GalleryMovie(1, {"sgd": (2, 3), "poster": ()})], Dataset("a < b", "by us", movies, ratings), "untrained"
    )
    write_gallery(tmp_path / "new", section, {1: tmp_path / "1.png", 3: tmp_path / "3.jpg"})
    assert json.loads((tmp_path / "new" / JSON_FILE).read_text()) == section
    page = (tmp_path / "new" / PAGE_FILE).read_text()
    assert "<script" not in page
    assert page.count('<img src="data:image/webp;base64,') == page.count("<img") == 1
    assert re.findall(r'class="blank" aria-hidden="true">([^<]+)<', page) == ["Two &amp; a half (2000)", "No picture"]
    assert "It has no poster." in page
    assert "weights are untrained" in page
    assert "http" not in page


def test_a_gallery_has_every_method_in_rows(world: World, tmp_path: Path) -> None:
    config = EvaluationConfig(world.ratings, tmp_path, settings=QUICK, shown=(3,))
    (section,) = run(config, "gallery")[0].values()
    (movie,) = section["movies"]
    assert movie["title"] == "Starship 3 (1973)"
    assert list(movie["nearest"]) == ["item-cosine", "sgd", "taste"]  # no folder of posters was given
    assert {len(others) for others in movie["nearest"].values()} == {4}
    for method in ("sgd", "taste"):
        assert all(other["title"].startswith("Starship") for other in movie["nearest"][method])
    assert not (tmp_path / "report.json").exists()


def test_the_articles_table_gathers_figures_of_all_sections() -> None:
    def section(metric: str, **values: float) -> dict[str, object]:
        methods = [
            {"method": name.replace("_", "-"), "figures": {metric: {"value": value, "low": 0.0, "high": 9.0}}}
            for name, value in values.items()
        ]
        return {"methods": methods}

    columns, rows = article_table(
        {
            "ratings-kfold": section("rmse", biases=0.9, sgd=0.8, factorization_machine=0.7),
            "ranking-kfold": section("ndcg_10", sgd=0.1, served=0.4),
        }
    )
    assert [column.title for column in columns] == ["RMSE", "nDCG@10"]
    found = {row.title: [figure and figure["value"] for figure in row.figures] for row in rows}
    assert found == {"Matrix factorisation by gradient descent": [0.8, 0.1], "As served": [0.7, 0.4]}
    assert article_table({}) == ((), ())


def test_the_report_leads_with_the_articles_methods(world: World, tmp_path: Path) -> None:
    config = EvaluationConfig(world.ratings, tmp_path, folds=2, settings=QUICK, methods=("user-cosine", "sgd"))
    sections = run(config, "ratings")[0] | run(config, "ranking")[0]
    write_report(tmp_path, read_dataset(world.ratings), sections)
    page = (tmp_path / "report.html").read_text()
    table = page[page.index('<h2 id="article">') : page.index('<h2 id="ratings-kfold">')]
    assert re.findall(r"<td>([A-Z][^<]+)<?", table) == ["Cosine of users", "Matrix factorisation by gradient descent"]
    for name in ("user-cosine", "sgd"):
        for key, metric in (("ratings-kfold", "rmse"), ("ranking-kfold", "ndcg_10")):
            figures = next(each["figures"] for each in sections[key]["methods"] if each["method"] == name)
            assert f"{figures[metric]['value']:.4f}" in table
