"""Evaluation of the cold-start model: unseen movies by content, the lift of posters, and movies with first ratings.

Movies are held out in folds. A lift of posters is claimed over facts alone, on the movies with posters, with posters
shuffled between movies as control, and with a bootstrap over movies; one of people on the movies with people. Facts are
the machine without ids (genres and year) and the residuals of movies with similar ones; the lift over that machine
alone is shown, too. The model's settings are chosen inside each training part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float64Array, Int64Array
from index.core.progress import Track, silent
from index.ratings.cold_start import ColdStart
from index.ratings.content import SharedPeople, usual_look
from index.ratings.model import INTERVAL
from indexer.datasets.dataset import Dataset
from indexer.datasets.training import Training
from indexer.evaluation.splits import movie_folds
from indexer.metrics.bootstrap import Estimate, interval, resample_means
from indexer.metrics.ranking import ndcg
from indexer.models import cold_start, ease, factorization_machine
from indexer.models.cold_start import PEOPLE_SHARES, SHARES, FittedColdStart, Looks, predictions
from indexer.spaces.facts import facts_vectors
from indexer.spaces.people import shared_people

# Posters beside facts, and beside the machine alone; with those of other movies as control. Name -> without posters.
POSTERS = {"posters": "facts", "shuffled": "facts", "posters-alone": "machine", "shuffled-alone": "machine"}
METHODS = ("user-mean", "machine", "facts", *POSTERS, "people", "served")
FIRST = (0, 1, 2, 5, 10)  # first ratings of an unseen movie
_LEAST = 5  # further ratings that a movie needs for the table of first ratings


def evaluate_cold(
    dataset: Dataset,
    looks: Looks | None,
    settings: factorization_machine.Settings,
    *,
    folds: int = 5,
    seed: int = 0,
    track: Track = silent,
) -> dict[str, Any]:
    """Return errors on held-out movies as JSON values.

    ``rows`` are of all held-out ratings, ``with_posters`` and ``with_people`` of the movies with those, ``lifts``
    differences of RMSE there, ``first_ratings`` of the same ratings after 0 to 10 others of each movie, ``lists``
    nDCG@10 of recommendations among the held-out movies, with an interval over users.

    Args:
        dataset: all ratings.
        looks: of the movies with posters; None to leave posters out.
        settings: of the factorisation machine.
        folds: number of folds over movies.
        seed: of the model, the order of first ratings and the shuffled posters.
        track: reports progress.
    """
    parts: list[dict[str, Float64Array]] = []
    first: list[dict[str, Float64Array]] = []
    lists: list[dict[str, Float64Array]] = []
    shares, people_shares = [], []
    people = shared_people(dataset.movies, dataset.labels)
    for fold, mask in enumerate(track(list(movie_folds(dataset.ratings, folds)), "Unseen movies", folds)):
        rng = np.random.default_rng([seed, fold])
        training, test = Training.of(dataset, ~mask), Training.of(dataset, mask)
        fitted = cold_start.fit(training, looks, rng, settings, people=people)
        shares.append(fitted.facts.look_share)
        people_shares.append(fitted.facts.people_share)
        parts.append(_errors(fitted, looks, people, training, test, rng))
        first.append(_first_ratings(fitted.model(training), training, test, rng))
        if ease.fits_in_memory(training):
            lists.append(_lists(fitted.model(training), training, test, dataset.tags))
    of_ratings = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    with_poster = of_ratings["with_poster"] > 0
    every = np.ones_like(with_poster)
    methods = [name for name in METHODS if name in of_ratings]
    found: dict[str, Any] = {
        "poster_shares": shares,
        "people_shares": people_shares,
        "rows": [_row(of_ratings, name, every) for name in methods if not name.startswith("shuffled")],
        "inside_80": _estimate(of_ratings["inside"], of_ratings["movie"]),
        "first_ratings": _first_rows({name: np.concatenate([part[name] for part in first]) for name in first[0]}),
    }
    # There may be no user with both training ratings and held-out ones.
    if any(part["user"].size for part in lists):
        by_list = {name: np.concatenate([part[name] for part in lists]) for name in lists[0]}
        found["lists"] = {name: _estimate(by_list[name], by_list["user"]) for name in ("served", "facts")}
    if with_poster.any():
        found["with_posters"] = [_row(of_ratings, name, with_poster) for name in methods]
    with_people = of_ratings["with_people"] > 0
    if with_people.any():
        found["with_people"] = [
            _row(of_ratings, name, with_people) for name in methods if name not in POSTERS and name != "served"
        ]
    found["lifts"] = {
        name: _difference(of_ratings[before], of_ratings[name], of_ratings["movie"], of)
        for name, before, of in (
            *((name, before, with_poster) for name, before in POSTERS.items()),
            ("people", "facts", with_people),
        )
        if of.any()
    }
    return found


def _errors(
    fitted: FittedColdStart,
    looks: Looks | None,
    people: SharedPeople | None,
    training: Training,
    test: Training,
    rng: np.random.Generator,
) -> dict[str, Float64Array]:
    """Return squared errors (m,) of each method, and movie rows, for the held-out ratings of one fold."""
    model, scale = fitted.model(training), training.ratings.scale
    users, movies = test.user_rows, test.movie_rows

    def squares(predicted: Float64Array) -> Float64Array:
        return np.square(np.clip(predicted, *scale) - test.values)

    counts = np.bincount(training.user_rows, minlength=training.shape[0])
    means = np.bincount(training.user_rows, training.values, counts.size) / np.maximum(counts, 1)
    means = np.where(counts > 0, means, training.values.mean())
    machine, facts, by_people, by_look, variance = predictions(model, training, users, movies)
    served = machine + facts + by_people + by_look
    errors = {
        "movie": movies.astype(np.float64),
        "user-mean": squares(means[users]),
        "machine": squares(machine),
        "facts": squares(machine + facts),
        "served": squares(served),
        "inside": _inside(served, variance, test.values, scale),
        "with_poster": np.zeros(movies.size),
        "with_people": np.zeros(movies.size),
    }
    if looks is not None:
        share = fitted.facts.look_share or SHARES[2]  # measured, too, where posters are not used
        for name, chosen in (
            ("posters", looks),
            ("shuffled", replace(looks, values=looks.values[rng.permutation(looks.rows.size)])),
        ):
            centred, centre = cold_start.centred(chosen, training.shape[1])
            arrays = replace(fitted.arrays, looks=centred.astype(np.float16), look_centre=centre)
            facts_of = replace(fitted.facts, look_share=share, usual_look=usual_look(centred))
            with_looks = replace(fitted, arrays=arrays, facts=facts_of)
            by_look = predictions(with_looks.model(training), training, users, movies)[3]
            errors[name], errors[f"{name}-alone"] = squares(machine + facts + by_look), squares(machine + by_look)
        errors["with_poster"] = np.isin(movies, looks.rows).astype(np.float64)
    if people is not None:
        if fitted.people is None:  # measured, too, where people are not used
            facts_of = replace(fitted.facts, people_share=PEOPLE_SHARES[1])
            model = replace(fitted, people=people, facts=facts_of).model(training)
            by_people = predictions(model, training, users, movies)[2]
        errors["people"] = squares(machine + facts + by_people)
        errors["with_people"] = (np.diff(people.starts)[movies] > 0).astype(np.float64)
    return errors


def _first_ratings(
    model: ColdStart, training: Training, test: Training, rng: np.random.Generator
) -> dict[str, Float64Array]:
    """Return squared errors (q,) after a number of first ratings of each movie, by content and without content.

    Of each movie with enough ratings, the first ones are drawn at random; the same others are predicted each time.
    """
    order = rng.permutation(test.values.size)
    order = order[np.argsort(test.movie_rows[order], kind="stable")]
    _, starts = np.unique(test.movie_rows[order], return_index=True)
    wanted = [part for part in np.split(order, starts[1:]) if part.size >= FIRST[-1] + _LEAST]
    names = [f"{name}{count}" for count in FIRST for name in ("content_", "people_", "inside_")]
    if not wanted:
        return {name: np.zeros(0) for name in ("movie", *names)}
    asked = np.concatenate(wanted)
    machine, *similar, variance = predictions(model, training, test.user_rows[asked], test.movie_rows[asked])
    by_rated = np.sum(similar, axis=0)
    usual = np.zeros(len(training.users))
    usual[:] = model.usual_ratings(np.arange(len(training.users)))
    scale, prior, spread = training.ratings.scale, model.facts.movie_prior, model.facts.movie_variance
    columns: dict[str, list[Float64Array]] = {name: [] for name in ("movie", *names)}
    at = 0
    for part in wanted:
        here = slice(at, at + part.size)
        at += part.size
        values, alone = test.values[part], usual[test.user_rows[part]]
        residuals, told = values - machine[here], values - alone
        rest = slice(FIRST[-1], None)
        by_content = (machine + by_rated)[here][rest]
        columns["movie"].append(np.full(part.size - FIRST[-1], float(test.movie_rows[part[0]])))
        for count in FIRST:
            content = by_content + residuals[:count].sum() / (count + prior)
            people = alone[rest] + told[:count].sum() / (count + prior)
            narrower = variance[here][rest] - spread + spread * prior / (count + prior)
            columns[f"content_{count}"].append(np.square(np.clip(content, *scale) - values[rest]))
            columns[f"people_{count}"].append(np.square(np.clip(people, *scale) - values[rest]))
            columns[f"inside_{count}"].append(_inside(content, narrower, values[rest], scale))
    return {name: np.concatenate(column) for name, column in columns.items()}


def _first_rows(columns: Mapping[str, Float64Array]) -> list[dict[str, Any]]:
    movies = columns["movie"]
    if not movies.size:
        return []
    return [
        {
            "ratings": count,
            "rmse": _estimate(columns[f"content_{count}"], movies, root=True),
            "without_content": _estimate(columns[f"people_{count}"], movies, root=True),
            "inside_80": _estimate(columns[f"inside_{count}"], movies),
        }
        for count in FIRST
    ]


def _inside(
    mean: Float64Array, variance: Float64Array, values: Float64Array, scale: tuple[float, float]
) -> Float64Array:
    half = NormalDist().inv_cdf((1 + INTERVAL) / 2) * np.sqrt(variance)
    low, high = np.clip(mean - half, *scale), np.clip(mean + half, *scale)
    return ((values >= low) & (values <= high)).astype(np.float64)


def _row(errors: Mapping[str, Float64Array], name: str, chosen: BoolArray) -> dict[str, Any]:
    rmse = _estimate(errors[name][chosen], errors["movie"][chosen], root=True)
    return {"method": name, "held_out": int(chosen.sum()), "rmse": rmse}


def _estimate(values: Float64Array, movies: Float64Array, *, root: bool = False) -> dict[str, float]:
    """Return a mean, or the root of one, with its 95% bootstrap interval over movies."""
    means = np.append(values.mean(), resample_means(values[None], _groups(movies))[:, 0])
    means = np.sqrt(means) if root else means
    return _rounded(Estimate(float(means[0]), *interval(means[1:])))


def _difference(before: Float64Array, after: Float64Array, movies: Float64Array, chosen: BoolArray) -> dict[str, float]:
    """Return the difference of two RMSE, negative if ``after`` is better, with its interval over movies."""
    pair = np.stack([before[chosen], after[chosen]])
    resampled = np.sqrt(resample_means(pair, _groups(movies[chosen])))
    value = np.sqrt(pair.mean(axis=1))
    return _rounded(Estimate(float(value[1] - value[0]), *interval(resampled[:, 1] - resampled[:, 0])))


def _groups(movies: Float64Array) -> Int64Array:
    return movies.astype(np.int64)


def _rounded(found: Estimate) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in asdict(found).items()}


def _lists(
    model: ColdStart, training: Training, test: Training, tags: Mapping[int, Sequence[str]]
) -> dict[str, Float64Array]:
    """Return nDCG@10 (q,) per user of lists of the held-out movies: as served, and by facts alone.

    As served, a movie's score is the mean score of its peers by the ranker, here EASE. By facts, it is the mean cosine
    with the movies that the user rated.
    """
    ranker = ease.fit(training, np.random.default_rng(0))
    new = np.unique(test.movie_rows)
    peers, weights = model.peers(model.of_snapshot(new))
    rows, facts = facts_vectors(training.movies, tags)
    vectors = np.zeros((len(training.movies), facts.shape[1]), dtype=np.float32)
    vectors[rows] = facts
    users = np.intersect1d(test.user_rows, training.user_rows)
    found: dict[str, list[float]] = {"served": [], "facts": []}
    for user in users.tolist():
        relevant = np.searchsorted(new, test.movie_rows[test.user_rows == user])
        rated = training.movie_rows[training.user_rows == user]
        scores = {
            "served": (weights * ranker.scores(rated)[peers]).sum(axis=1),
            "facts": vectors[new] @ vectors[rated].mean(axis=0),
        }
        for name, values in scores.items():
            found[name].append(ndcg(np.isin(np.argsort(-values, kind="stable")[:10], relevant), relevant.size, 10))
    return {"user": users.astype(np.float64), **{name: np.array(values) for name, values in found.items()}}
