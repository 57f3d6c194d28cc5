"""The cold-start model on a world where genres and posters tell who likes what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.arrays import AnyFloatArray, Float64Array, save_arrays
from index.core.ids import Ids
from index.ratings.cold_start import FOLD_IN, FOLDER, ColdStart, ColdStartFacts, own_share
from index.ratings.content import LOOK, PEOPLE_FOLDER, facts_similarity, look_similarity
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.training import Training
from indexer.evaluation.cold import evaluate_cold
from indexer.models import cold_start
from indexer.models.cold_start import FittedColdStart, Looks, movie_residuals, predictions
from indexer.spaces.people import shared_people
from tests.conftest import QUICK

USERS, MOVIES = 60, 80
CATALOGUE = tuple(
    Movie(i, f"Film {i}", 1990 + i % 20, ("Action" if i % 2 else "Romance",)) for i in range(1, MOVIES + 1)
)
DARK = np.arange(1, MOVIES + 1) % 4 < 2  # a kind of poster that half of each genre has


def looks() -> Looks:
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 0.2, (MOVIES, LOOK)).astype(np.float32)
    values[DARK, :20] += 1
    values[~DARK, 20:40] += 1
    return Looks(np.arange(MOVIES), values)


def directors(dark: np.ndarray = DARK) -> dict[str, dict[int, list[str]]]:
    """Four directors of dark films, and four of the others."""
    return {"directors": {i: [f"{'dark' if dark[i - 1] else 'light'} {i // 4 % 4}"] for i in range(1, MOVIES + 1)}}


def world(seed: int = 0) -> Training:
    """Users like one genre, and one kind of poster, beside what makes a movie good for everyone."""
    rng = np.random.default_rng(seed)
    genre, kind = rng.choice([-1, 1], USERS), rng.choice([-1, 1], USERS)
    action = np.where(np.arange(1, MOVIES + 1) % 2, 1, -1)
    good = rng.normal(0, 0.3, MOVIES)
    mean = 3 + 0.6 * np.outer(genre, action) + 0.5 * np.outer(kind, np.where(DARK, 1, -1)) + good
    seen = rng.random(mean.shape) < 0.6
    users, movies = np.nonzero(seen)
    values = np.clip(mean[seen] + rng.normal(0, 0.3, users.size), 0.5, 5).astype(np.float32)
    return Training(
        Ratings(users + 1, movies + 1, values, given_scale=(0.5, 5)), Ids(list(range(1, USERS + 1))), CATALOGUE
    )


@pytest.fixture(scope="module")
def unseen() -> tuple[Training, Training, FittedColdStart]:
    """Training data without the movies above 64, their ratings, and the model of the training data."""
    every = world()
    out = every.movie_rows >= 64
    rest, test = every.take(~out), every.take(out)
    return rest, test, cold_start.fit(rest, looks(), np.random.default_rng(0), QUICK)


def rmse(predicted: np.ndarray, test: Training) -> float:
    return float(np.sqrt(np.square(predicted - test.values).mean()))


def test_facts_predict_unseen_movies_and_posters_predict_them_better(
    unseen: tuple[Training, Training, FittedColdStart],
) -> None:
    rest, test, fitted = unseen
    assert fitted.facts.look_share > 0
    assert fitted.entry()["uses"] == ["genres", "year", "poster"]
    machine, facts, people, look, variance = predictions(fitted.model(rest), rest, test.user_rows, test.movie_rows)
    assert not people.any()
    alone, both = rmse(machine + facts, test), rmse(machine + facts + look, test)
    assert both < alone - 0.05 < float(test.values.std()) - 0.1
    errors = np.abs(machine + facts + look - test.values)
    assert 0.7 < (errors < 1.2816 * np.sqrt(variance)).mean() < 0.92


def test_posters_that_tell_nothing_are_seldom_used() -> None:
    used = []
    for seed in range(3, 7):
        shuffled = replace(looks(), values=np.random.default_rng(seed).permutation(looks().values))
        kept = cold_start.fit(world(), shuffled, np.random.default_rng(0), QUICK)
        assert "rmse_by_facts_and_poster" in kept.validation["with_poster"]  # the figures stay, for the manifest
        used.append(kept.facts.look_share > 0)
    assert sum(used) <= 1  # chance passes one standard error once in six times
    without = cold_start.fit(world(), None, np.random.default_rng(0), QUICK)
    assert without.entry()["uses"] == ["genres", "year"]
    assert without.arrays.looks.shape == (0, LOOK)


def test_people_predict_unseen_movies_better_if_they_tell_something(
    unseen: tuple[Training, Training, FittedColdStart], tmp_path: Path
) -> None:
    rest, test, _ = unseen
    fitted = cold_start.fit(rest, None, np.random.default_rng(0), QUICK, people=shared_people(CATALOGUE, directors()))
    assert fitted.facts.people_share > 0
    assert fitted.entry()["uses"] == ["genres", "year", "people"]
    machine, facts, people, _, _ = predictions(fitted.model(rest), rest, test.user_rows, test.movie_rows)
    assert rmse(machine + facts + people, test) < rmse(machine + facts, test) - 0.05
    validation = fitted.validation["with_people"]
    assert validation["rmse_by_facts_and_people"] < validation["rmse_by_facts"]
    # The server loads the same model.
    for part, folder in ((fitted.arrays, FOLDER), (fitted.fold_in, FOLD_IN), (fitted.people, PEOPLE_FOLDER)):
        assert part is not None
        save_arrays(part, tmp_path / folder)
    counts = np.bincount(rest.movie_rows, minlength=MOVIES)
    loaded = ColdStart.load(tmp_path, fitted.entry(), counts)
    assert loaded is not None
    user, movies = a_user(loaded, rest, 5), loaded.of_snapshot(np.arange(64, 80))
    found = loaded.predict(user, movies)
    np.testing.assert_array_equal(found.mean, fitted.model(rest).predict(user, movies).mean)
    parts = found.genres + found.year + found.by_rated.sum(axis=1)
    np.testing.assert_allclose(found.mean, found.usual + parts)
    assert found.by_people.any()
    at = found.parts(3, 0.5)
    assert at.similar == pytest.approx(found.by_facts[3].sum() + found.by_people[3].sum())


def test_peers_share_people_and_look_alike_where_these_help(unseen: tuple[Training, Training, FittedColdStart]) -> None:
    rest, _, with_posters = unseen
    people = shared_people(CATALOGUE, directors())
    with_people = cold_start.fit(rest, None, np.random.default_rng(0), QUICK, people=people)
    assert with_people.facts.people_share > 0
    assert with_posters.facts.look_share > 0
    alone = replace(with_posters, facts=replace(with_posters.facts, look_share=0.0))
    new = np.arange(64, 80)

    def of_one_kind(fitted: FittedColdStart) -> float:
        """Return the share of the peers' weight that is on movies of the same kind, which tastes are divided by."""
        model = fitted.model(rest)
        rows, weights = model.peers(model.of_snapshot(new))
        return float((weights * (DARK[rows] == DARK[new][:, None])).sum() / weights.sum())

    assert 0.4 < of_one_kind(alone) < 0.6
    assert of_one_kind(with_people) > 0.7
    assert of_one_kind(with_posters) > of_one_kind(alone) + 0.02


def test_movies_share_people_by_their_rarity() -> None:
    films = [Movie(i, f"Film {i}") for i in range(5)]
    labels = {"directors": {0: ["A"], 1: ["A"], 2: ["B"], 3: ["B"]}, "actors": {1: ["C"], 2: ["C"], 3: ["C"], 4: ["D"]}}
    found = shared_people(films, labels)
    assert found is not None
    table = found.similarities(np.array([0, 1, 2, 3, 4, -1]), np.arange(5))
    a, b, c = np.log1p([1, 1, 1]) * np.log(6 / np.array([2, 2, 3]))
    first, second = np.array([a, c]) / np.hypot(a, c), np.array([b, c]) / np.hypot(b, c)
    expected = np.zeros((6, 5))
    expected[0, 1] = expected[1, 0] = first[0]
    expected[1, 2] = expected[1, 3] = expected[2, 1] = expected[3, 1] = first[1] * second[1]
    expected[2, 3] = expected[3, 2] = 1  # the same people; a movie is not compared with itself
    np.testing.assert_allclose(table, expected, atol=1e-6)
    assert shared_people(films, {"directors": {0: ["A"], 1: ["B"]}, "keywords": {0: ["x"], 1: ["x"]}}) is None


def test_a_prediction_is_the_sum_of_its_parts(unseen: tuple[Training, Training, FittedColdStart]) -> None:
    rest, _, fitted = unseen
    model = fitted.model(rest)
    user = a_user(model, rest, 5)
    found = model.predict(user, model.of_snapshot(np.arange(64, 80)), [(2, 0.5)] * 16)
    parts = found.genres + found.year + found.by_facts.sum(axis=1) + found.by_look.sum(axis=1) + found.ratings
    np.testing.assert_allclose(found.mean, found.usual + parts)
    at = found.parts(3, 0.5)
    assert at.usual + at.genres + at.year + at.similar + at.poster + at.ratings == pytest.approx(found.mean[3])


def test_posters_add_to_similar_movies_that_look_alike_and_to_any_that_do(
    unseen: tuple[Training, Training, FittedColdStart],
) -> None:
    rest, _, fitted = unseen
    shown = np.flatnonzero(np.arange(MOVIES) % 5)  # the others have no poster
    some = np.where(np.isin(np.arange(MOVIES), shown)[:, None], fitted.arrays.looks, np.float16(0))
    fitted = replace(fitted, arrays=replace(fitted.arrays, looks=some))
    model = fitted.model(rest)
    user, movies, rated = a_user(model, rest, 5), model.of_snapshot(np.arange(64, 80)), model.of_snapshot
    similar = facts_similarity(movies.facts, rated(user.rows).facts)
    alike = look_similarity(movies.looks, rated(user.rows).looks)
    emphasised = similar * (1 + 0.16 * alike / fitted.facts.usual_look) / 1.16
    emphasised[:, ~np.isin(user.rows, shown)] = similar[:, ~np.isin(user.rows, shown)]
    emphasised[~np.isin(movies.rows, shown)] = similar[~np.isin(movies.rows, shown)]

    def shares(weights: AnyFloatArray, prior: float) -> Float64Array:
        total: Float64Array = weights.sum(axis=1, keepdims=True, dtype=np.float64)
        return weights / (total + prior)

    more = 0.6 * shares(alike, 2) + shares(emphasised, 5) - shares(similar, 5)
    found = model.predict(user, movies)
    np.testing.assert_allclose(found.by_look, fitted.facts.look_share * more * user.residuals, atol=1e-6)
    without = replace(movies, looks=np.zeros_like(movies.looks))
    assert not model.predict(user, without).by_look.any()
    half = replace(fitted, facts=replace(fitted.facts, look_share=fitted.facts.look_share / 2)).model(rest)
    np.testing.assert_allclose(half.predict(user, movies).by_look, found.by_look / 2)


def test_posters_of_an_older_snapshot_count_alone(unseen: tuple[Training, Training, FittedColdStart]) -> None:
    rest, _, fitted = unseen
    entry = {name: value for name, value in fitted.entry().items() if name != "usual_look"}
    older = replace(fitted, facts=ColdStartFacts.from_manifest(entry)).model(rest)
    user, movies = a_user(older, rest, 5), older.of_snapshot(np.arange(64, 80))
    alike = look_similarity(movies.looks, older.of_snapshot(user.rows).looks)
    shares = alike / (alike.sum(axis=1, keepdims=True) + 2)
    expected = fitted.facts.look_share * shares * user.residuals
    np.testing.assert_allclose(older.predict(user, movies).by_look, expected, atol=1e-6)


def test_a_user_who_is_folded_in_is_predicted_as_one_of_the_snapshot(
    unseen: tuple[Training, Training, FittedColdStart],
) -> None:
    rest, _, fitted = unseen
    model = fitted.model(rest)
    movies = model.of_snapshot(np.arange(64, 80))
    for row in (0, 7):
        mine = np.flatnonzero(rest.user_rows == row)
        folded = model.fold(rest.movie_rows[mine], rest.values[mine].astype(np.float32))
        known = model.predict(a_user(model, rest, row), movies).mean
        np.testing.assert_allclose(model.predict(folded, movies).mean, known, atol=0.25)
    stranger = model.fold(np.array([], dtype=np.int64), np.array([], dtype=np.float32))
    assert np.isfinite(model.predict(stranger, movies).mean).all()


def test_first_ratings_move_a_movie_and_narrow_its_interval(
    unseen: tuple[Training, Training, FittedColdStart],
) -> None:
    rest, _, fitted = unseen
    model = fitted.model(rest)
    user, movie = a_user(model, rest, 5), model.of_snapshot(np.array([70]))
    found = [model.predict(user, movie, [(count, 0.8)]) for count in (0, 1, 2, 5, 10)]
    assert [float(each.ratings[0]) for each in found] == sorted(float(each.ratings[0]) for each in found)
    assert 0 == found[0].ratings[0] < found[-1].ratings[0] < 0.8
    widths = [float(each.variance[0]) for each in found]
    assert widths == sorted(widths, reverse=True)
    assert own_share([0, 4, 10_000]).tolist() == pytest.approx([0, 0.5, 0.9996])


def test_a_user_s_own_rating_of_a_movie_does_not_predict_it(
    unseen: tuple[Training, Training, FittedColdStart],
) -> None:
    rest, _, fitted = unseen
    model = fitted.model(rest)
    user = a_user(model, rest, 5)
    found = model.predict(user, model.of_snapshot(user.rows))
    np.testing.assert_array_equal(np.diagonal(found.by_facts), 0)
    np.testing.assert_array_equal(np.diagonal(found.by_look), 0)


def test_residuals_of_movies_are_those_of_their_ratings(unseen: tuple[Training, Training, FittedColdStart]) -> None:
    rest, _, fitted = unseen
    counts, _ = movie_residuals(fitted.model(rest), rest).T
    np.testing.assert_array_equal(counts, np.bincount(rest.movie_rows, minlength=MOVIES))


def test_new_movies_are_like_rated_ones_of_their_genre(unseen: tuple[Training, Training, FittedColdStart]) -> None:
    rest, _, fitted = unseen
    model = fitted.model(rest)
    rows, weights = model.peers(model.of_snapshot(np.array([70])))
    assert (rows % 2 == 0)[weights > 0].all()  # row 70 is film 71, an action film
    assert 0 < weights.sum() < 1


def test_the_evaluation_tells_the_lift_of_posters_from_that_of_shuffled_ones() -> None:
    every = world()
    dataset = Dataset("", "", CATALOGUE, every.ratings)
    found = evaluate_cold(dataset, looks(), QUICK, folds=3)
    rows = {row["method"]: row["rmse"]["value"] for row in found["rows"]}
    assert rows["posters"] < rows["facts"] < rows["user-mean"]
    assert found["lifts"]["posters"]["high"] < 0 < found["lifts"]["shuffled"]["high"]
    assert found["lifts"]["posters-alone"]["high"] < 0
    assert "people" not in found["lifts"]
    assert rows["served"] == pytest.approx(rows["posters"])
    assert 0 < found["lists"]["served"]["value"] <= 1
    first = [row["rmse"]["value"] for row in found["first_ratings"]]
    assert [row["ratings"] for row in found["first_ratings"]] == [0, 1, 2, 5, 10]
    assert first[-1] < first[1] < first[0]
    assert all(row["rmse"]["value"] < row["without_content"]["value"] for row in found["first_ratings"])


def a_user(model: ColdStart, training: Training, row: int):  # type: ignore[no-untyped-def]
    """Return a user of the training data, whose ratings are in order of users, then movies."""
    mine = np.flatnonzero(training.user_rows == row)
    positions = cold_start.served_positions(training)[mine]
    order = np.argsort(positions)
    return model.user(row, training.movie_rows[mine][order], slice(positions.min(), positions.max() + 1))
