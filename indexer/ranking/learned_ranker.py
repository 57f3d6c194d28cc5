"""Training of the learned ranker, on ratings held out of the training data.

A part of the ratings is held out, everything else is fitted to the rest, and the trees learn to tell a user's held-out
movies from other candidates, movie by movie. Learning from pairs of movies (LambdaMART) took three times as long and
was no better: a few hundred users have too few lists. This is repeated for several splits. The served trees order the
scores of models fitted to all ratings, which are a little better than those they were trained on.

Source: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from threadpoolctl import threadpool_limits

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array, save_arrays
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.ratings.learned_ranker import TREES_FILE, UNAVAILABLE, Features, LearnedRanker, Likeness, MovieFeatures
from index.ratings.model import RatingModel
from index.ratings.rankers import Ranker, StoredRanker, combine_rankers, names_of, save_rankers
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index
from index.spaces.space import Space
from index.spaces.vectors import FlatVectors, Vectors
from indexer.datasets.training import Training
from indexer.metrics.ranking import ndcg
from indexer.models import factorization_machine, movie_neighbours
from indexer.models.factorization_machine import Posterior
from indexer.models.ranker_choice import Choice, of_some_users, refit
from indexer.models.ranker_choice import Settings as RankerSettings
from indexer.models.rating_model import rating_model
from indexer.spaces.facts import facts_vectors
from indexer.spaces.taste import taste_vectors
from indexer.spaces.writer import calibrate

SHRINKAGE = 5.0  # ratings' worth of the overall mean in a movie's mean rating
HELD_OUT = 0.2  # share of ratings, in each split
SPLITS = 4
ITERATIONS = 30  # of the one chain of the rating model in a split
THREADS = os.cpu_count() or 1  # of LightGBM: with any number of them the trees are the same
FEWEST = 0.05  # share of users with fewer ratings than the trees are used for: they learned too little about them
MIN_USERS = 50  # with held-out ratings; of fewer nothing is learned
DIVIDED_FROM = 50_000  # ratings; with fewer, processes take longer to start than they save
MAX_RATINGS = 2_000_000  # of more, the fits of the splits would take longer than the rest of the build


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters of the trees."""

    trees: PositiveInt = 200
    leaves: PositiveInt = 7
    learning_rate: PositiveFloat = 0.06
    smallest_leaf: PositiveInt = 200  # examples
    features: PositiveFloat = 0.5  # share that each tree may use
    penalty: PositiveFloat = 20.0  # on the squares of the leaves' values
    disliked: NonNegativeFloat = 0.6  # gain of a movie rated below the user's mean; 1 of other rated ones


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of users, and the gain of each: 0 if the user did not rate it."""

    features: Float32Array  # (n, n_features)
    liked: Int64Array  # (n,) 0 not rated, 1 rated, 2 rated at or above the user's mean
    users: Int64Array  # (n,) user rows, ascending within each split
    relevant: Int64Array  # (n,) number of movies that the user rated among the held-out ones, candidates or not

    @classmethod
    def join(cls, parts: Sequence[Examples]) -> Examples:
        """Return all examples; the same user of two splits counts as two."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def of_users(self, mask: BoolArray) -> Examples:
        """Return the examples of the users under a mask (n_users,)."""
        chosen = mask[self.users]
        return Examples(*(getattr(self, name)[chosen] for name in self.__slots__))

    @property
    def starts(self) -> Int64Array:
        """Position of the first example of each user and split, and the number of examples at the end."""
        return np.append(np.flatnonzero(np.diff(self.users, prepend=-1)), self.users.size)

    def ndcg(self, scores: npt.ArrayLike) -> Float64Array:
        """Return nDCG@10 (n_lists,) of the candidates in the order of some scores (n,)."""
        order, starts = -np.asarray(scores), self.starts
        return np.array(
            [
                ndcg(self.liked[begin:end][np.argsort(order[begin:end], kind="stable")] > 0, self.relevant[begin], 10)
                for begin, end in pairwise(starts.tolist())
            ]
        )


def movie_features(training: Training) -> MovieFeatures:
    """Return the features of movies, from the training ratings."""
    n_movies, values = training.shape[1], training.values
    counts = np.bincount(training.movie_rows, minlength=n_movies)
    overall, variance = (float(values.mean()), float(values.var())) if values.size else (0.0, 0.0)
    sums = np.bincount(training.movie_rows, values - overall, n_movies)
    means = sums / (counts + SHRINKAGE)
    residuals = values - overall - means[training.movie_rows]
    squares = np.bincount(training.movie_rows, residuals**2, n_movies)
    deviations = np.sqrt((squares + SHRINKAGE * variance) / (counts + SHRINKAGE))
    years = np.array([np.nan if movie.year is None else movie.year for movie in training.movies])
    columns = (np.log1p(counts), overall + means, deviations, years)
    return MovieFeatures(*(column.astype(np.float32) for column in columns))


def examples(model: RatingModel, features: Features, training: Training, test: Training) -> Examples:
    """Return the candidates of the users with training and held-out ratings.

    Args:
        model: fitted to ``training``.
        features: of rankers fitted to ``training``.
        training: ratings that users are known by.
        test: held-out ratings.
    """
    rated, held_out = training.user_items, test.user_items
    parts: list[tuple[Float32Array, Int64Array]] = []
    counts = np.bincount(test.user_rows, minlength=training.shape[0])
    users = [user for user in np.unique(test.user_rows).tolist() if rated.indptr[user] < rated.indptr[user + 1]]
    for user in users:
        eligible = np.ones(training.shape[1], dtype=np.bool_)
        eligible[rated.indices[slice(*rated.indptr[user : user + 2])]] = False
        candidates = features.candidates(model.rated_movies(user), eligible)
        mean = rated.data[slice(*rated.indptr[user : user + 2])].mean()
        part = slice(*held_out.indptr[user : user + 2])
        liked = np.zeros(training.shape[1], dtype=np.int64)
        liked[held_out.indices[part]] = 1 + (held_out.data[part] >= mean)
        parts.append((candidates.features, liked[candidates.rows]))
    of_each = np.repeat(np.array(users, dtype=np.int64), [len(liked) for _, liked in parts])
    found, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Examples(found, labels, of_each, counts[of_each])


def fit_trees(data: Examples, names: Sequence[str], settings: Settings, rng: np.random.Generator) -> str:
    """Return LightGBM's text model, fitted to the gains by cross entropy."""
    import lightgbm  # here, as it takes a second

    gains = np.array([0, settings.disliked, 1])[data.liked]
    options = {
        "objective": "cross_entropy",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.smallest_leaf,
        "feature_fraction": settings.features,
        "lambda_l2": settings.penalty,
        "max_bin": 63,
        "num_threads": THREADS,
        "deterministic": True,
        "force_col_wise": True,  # a tenth faster than by rows, with the same trees
        "seed": int(rng.integers(2**31)),
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(data.features, gains, feature_name=list(names), params=options)
    return lightgbm.train(options, dataset, settings.trees).model_to_string()


@dataclass(frozen=True, slots=True)
class Learned:
    """Outcome of the training: a ranker, or the reason for none."""

    validation: Mapping[str, float] = field(default_factory=dict)  # nDCG@10 on held-out ratings: "learned" and "before"
    left_out: str = ""  # the reason, if there is none to serve
    features: Features | None = None
    rankers: Mapping[str, StoredRanker] = field(default_factory=dict)  # of the features, but for those given
    trees: str = ""
    least: int = 1  # number of ratings from which on a user is ranked by them

    @property
    def ranker(self) -> LearnedRanker | None:
        """The ranker to serve, if any."""
        return None if self.features is None else LearnedRanker(self.features, self.trees, self.least)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the ranker, if there is one, and return the manifest's entry."""
        entry: dict[str, Any] = {
            "validation": {"metric": "nDCG@10", "share": HELD_OUT, "scores": dict(self.validation)}
        }
        if self.features is None:
            return entry | {"left_out": self.left_out}
        save_arrays(self.features.movies, folder / "movies")
        (folder / TREES_FILE).write_text(self.trees)
        (folder / "rankers").mkdir()
        forms = {name: save_rankers([ranker], folder / "rankers" / name)[0] for name, ranker in self.rankers.items()}
        likeness, names = list(self.features.likeness), list(self.features.names)
        return entry | {
            "given": list(self.features.given),
            "rankers": forms,
            "likeness": likeness,
            "features": names,
            "splits": SPLITS,
            "least_ratings": self.least,
        }


Fit = Callable[[Training, np.random.Generator], StoredRanker]
Spaces = Mapping[str, tuple[Ids, Vectors]]


def learn(
    training: Training,
    choice: Choice,
    rankers: RankerSettings,
    spaces: Spaces,
    machine: factorization_machine.Settings,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    track: Track = silent,
) -> Learned:
    """Train the learned ranker on held-out ratings, and compare it with the order before it.

    Args:
        training: all ratings.
        choice: the rankers whose order is learned from.
        rankers: hyperparameters of the rankers.
        spaces: name -> ids and vectors. ``taste`` is fitted anew in every split; the others must not depend on ratings.
        machine: settings of the rating model.
        rng: draws the held-out ratings.
        settings: hyperparameters of the trees; None for the defaults.
        track: shows progress.
    """
    settings = settings or Settings()
    try:
        import lightgbm  # noqa: F401  here, as it takes a second
    except (ImportError, OSError):
        return Learned(left_out=UNAVAILABLE)
    if training.values.size > MAX_RATINGS:
        return Learned(left_out=f"{training.values.size:,} ratings take too long to learn from; {MAX_RATINGS:,} do not")
    splits = [(training.take(~held_out), training.take(held_out)) for held_out in _held_out(training, rng)]
    if any(np.intersect1d(train.user_rows, test.user_rows).size < MIN_USERS for train, test in splits):
        return Learned(left_out=f"at least {MIN_USERS} users with several ratings are needed to learn from")
    short = replace(machine, chains=1, iterations=min(ITERATIONS, machine.iterations))
    others = {
        name: (ids, vectors.rows(np.arange(len(vectors))))
        for name, (ids, vectors) in spaces.items()
        if name != "taste"  # each split has its own
    }
    work = _Split(replace(choice, rankers=()), rankers, others, short)
    parts, counts = zip(*track(_examples(work, splits, rng), "Learning to rank", SPLITS), strict=True)
    data = Examples.join(parts)
    fitted = {name: fit(training, rng) for name, fit in _fits(training).items()}
    likeness = {name: Likeness.of(*space, training.movie_ids) for name, space in spaces.items()}
    given = _given(combine_rankers(choice.rankers))
    served = Features(given, fitted, movie_features(training), likeness)
    least = int(np.quantile(np.concatenate(counts), FEWEST))
    gain, validation = _validate(data, served, settings, rng)
    if gain.mean() <= gain.std() / np.sqrt(gain.size):
        return Learned(validation, "on held-out ratings it is not better than the order before it")
    trees = fit_trees(data, served.names, settings, rng)
    return Learned(validation, features=served, rankers=fitted, trees=trees, least=least)


@dataclass(frozen=True, slots=True)
class _Split:
    """Work on a split that another process can do, by what all of them have in common."""

    choice: Choice  # without the rankers
    settings: RankerSettings
    spaces: Mapping[str, tuple[Ids, Float32Array]]  # those that do not depend on ratings
    machine: factorization_machine.Settings

    def __call__(self, split: tuple[Training, Training], rng: np.random.Generator) -> tuple[Examples, Int64Array]:
        """Return the examples of a split, and the number of training ratings behind each list."""
        with threadpool_limits(1):  # another split has the other processors
            return self._examples(*split, rng)

    def _examples(self, train: Training, test: Training, rng: np.random.Generator) -> tuple[Examples, Int64Array]:
        before = refit(self.choice, self.settings, train, rng)
        rankers = {name: fit(train, rng) for name, fit in _fits(train).items()}
        posterior = factorization_machine.fit(train, rng, self.machine)
        spaces: dict[str, tuple[Ids, Vectors]] = {"taste": _taste_space(posterior, train)}
        spaces |= {name: (ids, FlatVectors(flat_index(vectors))) for name, (ids, vectors) in self.spaces.items()}
        likeness = {name: Likeness.of(*space, train.movie_ids) for name, space in spaces.items()}
        features = Features(_given(before), rankers, movie_features(train), likeness)
        found = examples(rating_model(posterior, train, before), features, train, of_some_users(test, rng))
        return found, np.bincount(train.user_rows)[found.users[found.starts[:-1]]]


def _examples(
    work: _Split, splits: Sequence[tuple[Training, Training]], rng: np.random.Generator
) -> Iterator[tuple[Examples, Int64Array]]:
    """Yield the examples of each split; many are made in a process for each: the sampler holds Python's lock."""
    generators = rng.spawn(len(splits))
    if splits[0][0].values.size < DIVIDED_FROM:
        yield from map(work, splits, generators)
        return
    # Started anew: a copy of this process would hang where TensorFlow or Faiss have threads.
    workers = min(len(splits), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(work, splits, generators)


def _held_out(training: Training, rng: np.random.Generator) -> Iterator[BoolArray]:
    """Yield the mask (n,) of the held-out ratings of each split."""
    for _ in range(SPLITS):
        yield rng.random(training.values.size) < HELD_OUT


def _given(before: Ranker) -> list[str]:
    """Return the names of the scores that come with a user."""
    return ["score", *names_of(before)]


def _fits(training: Training) -> dict[str, Fit]:
    """Return functions that fit the rankers whose scores are features besides those that were chosen."""
    fits: dict[str, Fit] = {
        "movie_neighbours": movie_neighbours.fit,
        "rp3beta": partial(movie_neighbours.fit, settings=movie_neighbours.RP3BETA),
    }
    if training.ratings.timestamps is not None:
        fits["same_sitting"] = partial(movie_neighbours.fit, settings=movie_neighbours.SAME_SITTING)
    return fits


def likeness_spaces(posterior: Posterior, training: Training) -> Spaces:
    """Return the spaces whose likeness is a feature, made of a data set without tags."""
    rows, vectors = facts_vectors(training.movies, {}, series=True)
    facts = Ids(training.movie_ids.values[rows]), FlatVectors(flat_index(vectors))
    return {"taste": _taste_space(posterior, training)} | ({"facts": facts} if rows.size else {})


def blend_of(spaces: Spaces, weights: Mapping[str, float], movie_ids: Ids) -> Blend:
    """Return the blend of spaces, given as ids and vectors, of a catalogue."""
    rng = np.random.default_rng(0)
    calibrated = {
        name: Space(name, ids, vectors, None, calibrate(vectors, rng)) for name, (ids, vectors) in spaces.items()
    }
    return Blend(calibrated, weights, movie_ids)


def _taste_space(posterior: Posterior, training: Training) -> tuple[Ids, Vectors]:
    rated = np.unique(training.movie_rows)
    return Ids(training.movie_ids.values[rated]), FlatVectors(flat_index(taste_vectors(posterior, rated)))


def _validate(
    data: Examples, features: Features, settings: Settings, rng: np.random.Generator
) -> tuple[Float64Array, dict[str, float]]:
    """Return the gain in nDCG@10 of each list by trees that did not see its user, and the means after and before."""
    import lightgbm  # here, as it takes a second

    # A third of the trees, each of thrice the weight: they decide whether trees are served, not which.
    quick = replace(settings, trees=max(settings.trees // 3, 1), learning_rate=3 * settings.learning_rate)
    first = rng.random(int(data.users.max()) + 1) < 0.5
    learned, before = [], []
    for half in (first, ~first):
        others, judged = data.of_users(~half), data.of_users(half)
        trees = lightgbm.Booster(model_str=fit_trees(others, features.names, quick, rng))
        learned.append(judged.ndcg(np.asarray(trees.predict(judged.features))))
        before.append(judged.ndcg(judged.features[:, 0]))
    after, prior = np.concatenate(learned), np.concatenate(before)
    return after - prior, {"learned": round(float(after.mean()), 4), "before": round(float(prior.mean()), 4)}
