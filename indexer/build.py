"""From ratings and posters on disk to a published snapshot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index import blend as blends
from index import vgg16
from index.blend import Blend
from index.catalogue import Catalogue
from index.ids import Ids
from index.images import PREPROCESSING
from index.snapshot import Manifest, SnapshotStore
from index.space import Space
from index.track import Track, silent
from indexer.dataset import Dataset, Ratings
from indexer.embed import Embeddings, embed_posters
from indexer.facts import WEIGHTS as FACTS_WEIGHTS
from indexer.facts import facts_vectors
from indexer.models import factorization_machine
from indexer.models.factorization_machine import Posterior, Settings
from indexer.movielens import read_dataset
from indexer.posters import find_posters, keep_posters
from indexer.spaces import flat_index, write_blend, write_space
from indexer.taste import rating_arrays, taste_vectors

METRIC = "inner product"
BLEND = {"poster": 1.0, "taste": 1.0, "facts": 1.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build from, and how."""

    ratings: Path  # folder or file
    data: Path
    posters: Path | None = None
    weights: str = "imagenet"  # or "untrained", or a file
    settings: Settings = field(default_factory=Settings)
    seed: int = 0


def build(plan: Plan, *, track: Track = silent) -> Manifest:
    """The manifest of the snapshot that was made and published.

    A build that is killed leaves the snapshot that is served as it is; the next one goes on from the posters that
    were embedded already.

    Raises:
        BadData: the ratings or the posters cannot be used.
        WeightsUnavailable, BadWeights: there are no such weights.
        PosterityError: another build is running there.
    """
    store = SnapshotStore(plan.data)
    with store.writing() as folder:
        dataset = read_dataset(plan.ratings)
        movie_ids = Ids([movie.movie_id for movie in dataset.movies])
        fit_rng, calibration_rng = np.random.default_rng(plan.seed).spawn(2)
        spaces: dict[str, dict[str, Any]] = {}
        warnings = list(dataset.warnings)
        found: dict[int, Path] = {}
        posters: dict[str, Any] = {"posters": 0, "embedded": 0, "unreadable": {}}
        # Posters first: a wrong path or missing weights should end a build at its start.
        if plan.posters is not None:
            found, left_out = find_posters(plan.posters, movie_ids)
            warnings += left_out
            embed = vgg16.load(plan.weights)
            embeddings = embed_posters(found, embed, plan.data / "embeddings", track=track)
            embed.save(vgg16.weights_file(plan.data, embed.sha256))
            spaces["poster"] = _poster_facts(embed)
            _write(folder, "poster", embeddings.movie_ids, embeddings.vectors, calibration_rng, track)
            posters = _posters_summary(embeddings)
            found = {movie_id: found[movie_id] for movie_id in embeddings.movie_ids.tolist()}
            del embeddings  # the largest thing in memory
        users = Ids(np.unique(dataset.ratings.user_ids))
        posterior = factorization_machine.fit(
            dataset.ratings, users, dataset.movies, fit_rng, plan.settings, track=track
        )
        (folder / "ratings").mkdir()
        for name, array in rating_arrays(posterior, dataset.ratings, users, movie_ids).items():
            np.save(folder / "ratings" / f"{name}.npy", array)
        rated = np.unique(movie_ids.find(dataset.ratings.movie_ids))
        spaces["taste"] = {"how": "cosine of the rating model's posterior samples laid end to end, reduced by PCA"}
        _write(folder, "taste", movie_ids.values[rated], taste_vectors(posterior, rated), calibration_rng, track)
        rows, vectors = facts_vectors(dataset.movies, dataset.tags)
        if rows.size:
            spaces["facts"] = {"how": "genres by idf, year of release, tags by tf-idf", "weights": FACTS_WEIGHTS}
            _write(folder, "facts", movie_ids.values[rows], vectors, calibration_rng, track)

        opened = {name: Space.load(name, folder / name) for name in spaces}
        weights = {name: weight for name, weight in BLEND.items() if name in opened}
        write_blend(folder / blends.NAME, Blend(opened, weights, movie_ids), len(movie_ids), track=track)
        catalogue = _catalogue(dataset, movie_ids, keep_posters(found, plan.data / "posters"))
        (folder / "movies.json").write_text(json.dumps(catalogue.to_json(), ensure_ascii=False))
        return store.publish(
            folder,
            version=version("posterity"),
            dataset={
                "name": dataset.name,
                "notice": dataset.notice,
                "movies": len(movie_ids),
                "rated_movies": int(rated.size),
                "users": len(users),
                "ratings": len(dataset.ratings),
            },
            spaces={
                name: {"dimension": space.dimension, "metric": METRIC, "movies": len(space)} | spaces[name]
                for name, space in opened.items()
            },
            blend=weights,
            ratings=_model_facts(posterior, dataset.ratings, plan),
            posters=posters,
            warnings=tuple(warnings),
        )


def rating_scale(ratings: Ratings) -> tuple[float, float]:
    """The lowest and the highest rating that was given."""
    return float(ratings.values.min()), float(ratings.values.max())


def noise_variance(posterior: Posterior) -> float:
    """Posterior mean of the variance of a rating about its prediction."""
    return float(posterior.noise_variance.mean())


def _write(
    folder: Path,
    name: str,
    movie_ids: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.float32],
    rng: np.random.Generator,
    track: Track,
) -> None:
    write_space(folder / name, Ids(movie_ids), flat_index(vectors), rng, label=name, track=track)


def _catalogue(dataset: Dataset, movie_ids: Ids, posters: dict[int, str]) -> Catalogue:
    rows = movie_ids.find(dataset.ratings.movie_ids)
    counts = np.bincount(rows, minlength=len(movie_ids))
    sums = np.bincount(rows, weights=dataset.ratings.values, minlength=len(movie_ids))
    means = [round(float(total / n), 3) if n else None for total, n in zip(sums, counts, strict=True)]
    names = [posters.get(movie.movie_id) for movie in dataset.movies]
    return Catalogue(dataset.movies, tuple(counts.tolist()), tuple(means), tuple(names))


def _poster_facts(embed: vgg16.Vgg16) -> dict[str, Any]:
    return {
        "how": "VGG16 block5_pool of the poster, flattened (7, 7, 512), L2-normalised",
        "preprocessing": PREPROCESSING,
        "weights": {"name": embed.weights, "sha256": embed.sha256},
    }


def _posters_summary(embeddings: Embeddings) -> dict[str, Any]:
    return {
        "posters": int(embeddings.movie_ids.size),
        "embedded": embeddings.embedded,
        "unreadable": {str(movie_id): reason for movie_id, reason in embeddings.unreadable.items()},
    }


def _model_facts(posterior: Posterior, ratings: Ratings, plan: Plan) -> dict[str, Any]:
    return {
        "method": "Bayesian factorisation machine, implicit features on both sides, genres and year; Gibbs sampling",
        "scale": list(rating_scale(ratings)),
        "noise_variance": noise_variance(posterior),
        "samples": int(posterior.global_bias.size),
        "seed": plan.seed,
    } | asdict(plan.settings)
