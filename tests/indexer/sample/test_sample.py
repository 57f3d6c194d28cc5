from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from indexer.sample import FAMILIES, latent_model, make_sample, sample_movies, simulated_ratings
from indexer.sample import make as make_module
from indexer.sample.lettering import FONTS
from indexer.sample.poster import draw_poster

SEED = 2017


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:  # other tests draw posters, and fewer
        patch.setattr(
            make_module,
            "draw_poster",
            lambda movie, seed: Image.new("RGB", (400, 600), (movie.movie_id, 0, seed % 256)),
        )
        make_sample(folder, seed=SEED)
    return folder


@pytest.fixture(scope="module")
def one_poster_of_each_composition() -> dict[tuple[str, int], Image.Image]:
    return {(movie.family, movie.number): draw_poster(movie, SEED) for movie in sample_movies(SEED) if movie.number < 4}


def test_there_are_twenty_films_in_each_of_twelve_families():
    families = [movie.family for movie in sample_movies(SEED)]
    assert len(FAMILIES) == 12
    assert {family: families.count(family) for family in FAMILIES} == dict.fromkeys(FAMILIES, 20)


def test_titles_and_movie_ids_are_unique():
    catalogue = sample_movies(SEED)
    assert len({movie.title.lower() for movie in catalogue}) == len(catalogue)
    assert sorted(movie.movie_id for movie in catalogue) == list(range(1, 241))


def test_films_are_in_order_of_movie_id_with_families_mingled():
    catalogue = sample_movies(SEED)
    assert [movie.movie_id for movie in catalogue] == sorted(movie.movie_id for movie in catalogue)
    assert len({movie.family for movie in catalogue[:30]}) > 6


@pytest.mark.parametrize(
    ("title", "listed"),
    [
        ("The Velvet Ledger", "Velvet Ledger, The (1950)"),
        ("A Debt After Midnight", "Debt After Midnight, A (1950)"),
        ("An Island Called Patience", "Island Called Patience, An (1950)"),
        ("Almost Yours, Always", "Almost Yours, Always (1950)"),
        ("Socks!", "Socks! (1950)"),
    ],
)
def test_leading_articles_are_listed_last_as_movielens_does(title: str, listed: str):
    movie = dataclasses.replace(sample_movies(SEED)[0], title=title, year=1950)
    assert movie.listed_title == listed


def test_each_film_has_two_or_three_genres():
    assert {len(movie.genres) for movie in sample_movies(SEED)} <= {2, 3}
    assert all(len(set(movie.genres)) == len(movie.genres) for movie in sample_movies(SEED))


def test_movies_csv_is_laid_out_as_movielens(tables: Path):
    movies = pd.read_csv(tables / "ratings" / "movies.csv")
    assert list(movies.columns) == ["movieId", "title", "genres"]
    assert movies.movieId.is_unique
    assert movies.title.map(lambda title: re.fullmatch(r".+ \((19|20)\d\d\)", title) is not None).all()


def test_links_lead_to_no_real_film(tables: Path):
    links = pd.read_csv(tables / "ratings" / "links.csv", dtype=str)
    assert list(links.columns) == ["movieId", "imdbId", "tmdbId"]
    assert (links.imdbId.str.len() == 8).all()
    assert links.imdbId.astype(int).min() == links.tmdbId.astype(int).min() == 99_000_001


def test_ratings_are_half_stars_once_per_user_and_movie(tables: Path):
    given = pd.read_csv(tables / "ratings" / "ratings.csv")
    assert list(given.columns) == ["userId", "movieId", "rating", "timestamp"]
    assert set(given.rating) <= set(np.arange(0.5, 5.5, 0.5))
    assert not given.duplicated(["userId", "movieId"]).any()
    assert given.userId.nunique() == 300
    assert set(given.movieId) == {movie.movie_id for movie in sample_movies(SEED)}
    assert 50 < len(given) / 300 < 70


def test_a_few_films_have_many_of_the_ratings():
    counts = np.sort(np.bincount(simulated_ratings(SEED).movie_ids, minlength=241)[1:])[::-1]
    assert counts[:24].sum() > 2.5 * counts[-24:].sum()


def test_tags_are_on_rated_films(tables: Path):
    tags = pd.read_csv(tables / "ratings" / "tags.csv")
    given = pd.read_csv(tables / "ratings" / "ratings.csv")
    assert list(tags.columns) == ["userId", "movieId", "tag", "timestamp"]
    assert 200 <= len(tags) <= 900
    assert len(tags.merge(given, on=["userId", "movieId"])) == len(tags)


def test_readme_says_that_all_is_invented(tables: Path):
    text = (tables / "ratings" / "README.txt").read_text()
    assert text.splitlines()[0] == "Posterity sample: invented films, generated posters, simulated ratings"
    assert "MIT" in text


def test_every_film_has_a_poster_file(tables: Path):
    assert {int(file.stem) for file in (tables / "posters").glob("*.jpg")} == {
        movie.movie_id for movie in sample_movies(SEED)
    }


def test_a_second_run_rewrites_the_same_bytes(tables: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        make_module, "draw_poster", lambda movie, seed: Image.new("RGB", (400, 600), (movie.movie_id, 0, seed % 256))
    )
    before = {file: file.read_bytes() for file in tables.rglob("*.*")}
    make_sample(tables, seed=SEED)
    assert {file: file.read_bytes() for file in tables.rglob("*.*")} == before


def test_only_posters_that_are_asked_for_are_drawn(tmp_path: Path) -> None:
    make_sample(tmp_path, posters={1, 3}, seed=SEED)
    assert {file.name for file in (tmp_path / "posters").iterdir()} == {"1.jpg", "3.jpg"}
    assert len((tmp_path / "ratings" / "movies.csv").read_text().splitlines()) == 241


def test_a_poster_is_the_same_for_the_same_seed_only():
    movie = sample_movies(SEED)[0]
    assert draw_poster(movie, 1).tobytes() == draw_poster(movie, 1).tobytes()
    assert draw_poster(movie, 1).tobytes() != draw_poster(movie, 2).tobytes()


def test_posters_are_small_rgb_pictures(one_poster_of_each_composition, tmp_path: Path):
    sizes = []
    for (family, number), poster in one_poster_of_each_composition.items():
        assert (poster.size, poster.mode) == ((400, 600), "RGB")
        file = tmp_path / f"{family}{number}.jpg"
        make_module.save_poster(poster, file)
        sizes.append(file.stat().st_size)
    assert np.mean(sizes) * len(sample_movies(SEED)) < 4_500_000  # with the tables the sample stays below 5 MB


def test_posters_of_one_family_differ_visibly(one_poster_of_each_composition):
    for family in FAMILIES:
        shown = [np.asarray(one_poster_of_each_composition[family, number], dtype=float) for number in range(4)]
        for first in range(4):
            for second in range(first):
                assert np.abs(shown[first] - shown[second]).mean() > 4, (family, first, second)


def test_posters_of_one_family_have_the_nearest_colours(one_poster_of_each_composition):
    keys = list(one_poster_of_each_composition)
    coarse = np.stack(
        [np.asarray(poster.resize((4, 6)), dtype=float).ravel() for poster in one_poster_of_each_composition.values()]
    )
    distances = np.linalg.norm(coarse[:, None] - coarse, axis=2)
    np.fill_diagonal(distances, np.inf)
    shared = [keys[row][0] == keys[nearest][0] for row, nearest in enumerate(distances.argmin(axis=1))]
    assert np.mean(shared) > 0.8


def test_truth_agrees_with_the_ratings():
    model, given = latent_model(SEED), simulated_ratings(SEED)
    rows = np.searchsorted(model.movie_ids, given.movie_ids)
    expected = model.expected[given.user_ids - 1, rows]
    inside = (expected > 2) & (expected < 3.5)  # far from the ends of the scale, where clipping reduces the noise
    residuals = (given.stars - expected)[inside]
    assert inside.sum() > 3000
    assert abs(residuals.mean()) < 0.03
    assert residuals.std() == pytest.approx(np.hypot(model.noise, 0.5 / np.sqrt(12)), rel=0.05)  # half-star rounding


def test_taste_leans_on_the_family_without_being_it():
    model = latent_model(SEED)
    families = np.array([movie.family for movie in sample_movies(SEED)])
    unit = model.item_factors / np.linalg.norm(model.item_factors, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -1)
    shared = (families[np.argsort(-scores, axis=1)[:, :4]] == families[:, None]).mean()
    assert 2 / 12 < shared < 0.9


def test_users_rate_what_they_like_more_often():
    model, given = latent_model(SEED), simulated_ratings(SEED)
    rows = np.searchsorted(model.movie_ids, given.movie_ids)
    assert model.expected[given.user_ids - 1, rows].mean() > model.expected.mean() + 0.1


def test_another_seed_gives_other_ratings_from_another_truth():
    assert not np.array_equal(latent_model(1).item_factors, latent_model(2).item_factors)
    assert simulated_ratings(1).stars[:500].tolist() != simulated_ratings(2).stars[:500].tolist()


def test_every_font_carries_its_licence():
    fonts = sorted(FONTS.glob("*.ttf"))
    assert len(fonts) == 13
    for font in fonts:
        licence = font.with_name(f"{font.stem}.OFL.txt").read_text()
        assert licence.startswith("Copyright")
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert sum(font.stat().st_size for font in fonts) < 600_000
