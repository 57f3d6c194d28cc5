"""Builds: read ratings and posters, fit, embed, and publish a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.arrays import save_arrays
from index.core.errors import InvalidInput, PosterityError, SearchUnavailable
from index.core.files import remove_temporaries
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.milvus.service import milvus_at
from index.posters import vgg16
from index.posters.copies import find_copies, save_copies
from index.posters.images import PREPROCESSING
from index.posters.look_vectors import fit_look
from index.publication.state import check_not_following
from index.ratings import cold_start as cold_starts
from index.ratings import fold_in as fold_ins
from index.ratings import learned_ranker as learned_rankers
from index.ratings import model as rating_models
from index.ratings import user_names
from index.ratings.content import PEOPLE_FOLDER, compact_looks
from index.ratings.indexes import RATERS_FOLDER, WATCHED_FOLDER, RatingsByMovie, WatchedMovies
from index.ratings.learned_ranker import SPACES as LIKENESS
from index.ratings.rankers import save_rankers
from index.ratings.user_names import UserNames
from index.snapshot.collections import owner_of, point_aliases
from index.snapshot.gallery import Gallery
from index.snapshot.poster_files import load_contents, save_contents
from index.snapshot.store import Manifest, SnapshotStore
from index.spaces import blend as blends
from index.spaces.blend import Blend
from index.spaces.neighbours import load_neighbours
from index.spaces.space import Space
from indexer.config import Plan
from indexer.datasets.dataset import Dataset
from indexer.datasets.merge import merge, merge_posters
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.build_evaluation import evaluate_build
from indexer.evaluation.gallery import build_gallery
from indexer.fetch.listed_posters import listed_posters
from indexer.inputs import input_fingerprint
from indexer.maps.layout import write_maps
from indexer.models import cold_start, factorization_machine
from indexer.models.all_users import subsample_users
from indexer.models.cold_start import Looks
from indexer.models.factorization_machine import Settings
from indexer.models.ranker_choice import Choice, choose_ranker, refit
from indexer.models.rating_model import fold_in_arrays, rating_arrays
from indexer.models.unwatched import with_unwatched
from indexer.ranking.learned_ranker import learn
from indexer.ranking.without_ratings import write_without_ratings
from indexer.spaces.embed import NoReadablePoster, embed_posters
from indexer.spaces.facts import SERIES, Labels, facts_vectors, label_weights
from indexer.spaces.facts import WEIGHTS as FACTS_WEIGHTS
from indexer.spaces.milvus import move_to_milvus
from indexer.spaces.neighbours import BlendFinder
from indexer.spaces.people import shared_people
from indexer.spaces.poster_files import copy_posters, find_posters, shown_posters
from indexer.spaces.recall import tune_search
from indexer.spaces.taste import moved_by_events, taste_vectors
from indexer.spaces.two_stage import write_reduced
from indexer.spaces.writer import write_blend, write_space
from indexer.work import Work

METRIC = "inner product"
_STALE = 3600.0  # seconds after which no process still writes a temporary file


@dataclass(frozen=True, slots=True)
class _Posters:
    """Posters of a build, and the manifest entry of their space."""

    files: Mapping[int, Path] = field(default_factory=dict)  # movie_id -> file of readable posters
    entry: dict[str, Any] | None = None  # of the space; None without posters
    embedded: int = 0  # number of posters that were not in the cache
    replaced: int = 0  # number of posters that differ from the current snapshot's
    unreadable: Mapping[int, str] = field(default_factory=dict)  # movie_id -> reason
    looks: Looks | None = None  # None without posters


def build(plan: Plan, *, work: Work | None = None, track: Track = silent) -> Manifest:
    """Build and publish a snapshot; return its manifest.

    A killed build leaves the current snapshot unchanged; the next build resumes with the cached embeddings.

    Args:
        plan: inputs and settings.
        work: does the parts that can be divided; in this process by default.
        track: shows progress.

    Raises:
        InvalidInput: the ratings or the posters are not usable, or the data directory follows a storage.
        BadLibrary: the library cannot be read.
        WeightsUnavailable: the weights cannot be downloaded.
        BadWeights: the weights file is missing or not usable.
        SearchUnavailable: Milvus does not answer.
        PosterityError: another build is running on the data directory.
    """
    work = work or Work()
    check_not_following(plan.data)
    store = SnapshotStore(plan.data)
    if plan.search:
        milvus_at(plan.search).make_database()
        milvus_at(plan.search).takes_float16()  # so that a wrong address ends a build at its start
    with store.writing() as folder:
        for name in ("embeddings", "posters"):  # a server may be writing a poster, an evaluation an embedding
            remove_temporaries(plan.data / name, age=_STALE)
        inputs = input_fingerprint(plan)  # taken before reading, so that changes during the build trigger the next one
        library = Library.open(plan.data)
        changes, library_id = library.changes_since(0, vectors=False), library.identity()
        # Ratings are read after the movies: one that is added in between is merged again by the next build, harmlessly.
        dataset = merge(
            read_dataset(plan.ratings, scale=plan.scale, facts=plan.facts, own=plan.own),
            changes,
            RatingLog(library.database).changes(),
        )
        training = Training.of(dataset)
        settings = plan.settings or factorization_machine.default_settings(training)
        movie_ids = training.movie_ids
        fit_rng, rng, map_rng, learn_rng = np.random.default_rng(plan.seed).spawn(4)
        # Posters first, so that a wrong path or missing weights end a build at its start.
        found, poster_warnings = _found_posters(plan, dataset, movie_ids, track)
        found = shown_posters(found, plan.data / "converted", track=track)
        found = merge_posters(found, changes, plan.data / "posters")
        posters = _poster_space(plan, work, folder / "poster", found, movie_ids, rng, track)
        known = bool(len(dataset.ratings)) or dataset.events is not None
        taste, model, choice = (
            _ratings_and_taste(
                plan, work, settings, folder, training, posters.looks, dataset.labels, fit_rng, rng, track
            )
            if known
            else (None, {}, None)
        )
        if dataset.user_names:
            save_arrays(UserNames.of(training.users.values, dataset.user_names), folder / user_names.FOLDER)
        facts = _facts_space(folder / "facts", dataset, plan.label_weights, rng, work, track)
        entries = {
            name: entry
            for name, entry in (("poster", posters.entry), ("taste", taste), ("facts", facts))
            if entry is not None
        }

        if not entries:
            raise InvalidInput(
                f"{dataset.name}: there is nothing to compare its movies by: give genres, years, other facts or posters"
                " of some, or ratings or events"
            )
        spaces = {name: Space.load(name, folder / name, entry) for name, entry in entries.items()}
        if choice is not None:
            model["ranker"]["learned"] = _learned(plan, settings, folder, training, choice, spaces, learn_rng, track)
        weights = {name: plan.blend[name] for name in spaces}
        write_blend(
            folder / blends.NAME,
            Blend(spaces, weights, movie_ids),
            len(movie_ids),
            over=work.neighbours,
            finder=BlendFinder(entries, weights, movie_ids),
            track=track,
        )
        if choice is None:
            blended = load_neighbours(folder / blends.NAME)
            model = write_without_ratings(folder, blended, len(movie_ids), dataset.ratings.scale, plan.seed)
        catalogue = _catalogue(dataset, movie_ids, copy_posters(posters.files, plan.data / "posters"))
        (folder / "movies.json").write_text(json.dumps(catalogue.to_json(), ensure_ascii=False))
        # Evaluated only now that the samples of the model are freed, because both take much memory.
        evaluation = _evaluation(plan, training, settings, choice, track)
        gallery = build_gallery(training, posters.files, seed=plan.seed, track=track) if known else Gallery()
        gallery.save(folder)
        counts = dict(zip(movie_ids.values.tolist(), catalogue.rating_counts, strict=True))
        maps = write_maps(folder, spaces, counts, posters.files, map_rng, track=track)
        if plan.search:  # last, as all of the above reads the vectors
            entries = move_to_milvus(milvus_at(plan.search), owner_of(plan.data), folder, entries, track=track)
        manifest = store.publish(
            folder,
            version=version("posterity"),
            dataset={
                "name": dataset.name,
                "notice": dataset.notice,
                "movies": len(movie_ids),
                "rated_movies": int(np.unique(dataset.ratings.movie_ids).size),
                "users": int(np.unique(dataset.ratings.user_ids).size),
                "ratings": len(dataset.ratings),
                "events": 0 if dataset.events is None else int(dataset.events.strengths.size),
                "library": changes.version,
                "library_id": library_id,
                "made_from": inputs,
            },
            spaces={
                name: {"dimension": space.dimension, "metric": METRIC, "movies": len(space), **entries[name]}
                for name, space in spaces.items()
            },
            blend=weights,
            ratings=model,
            posters={
                "posters": len(posters.files),
                "embedded": posters.embedded,
                "replaced": posters.replaced,
                "unreadable": {str(movie_id): reason for movie_id, reason in posters.unreadable.items()},
            },
            maps=maps,
            warnings=(*dataset.warnings, *poster_warnings, *(() if choice is None else choice.warnings)),
            evaluation=evaluation,
        )
    if plan.search:
        try:
            point_aliases(manifest, plan.search)
        except SearchUnavailable as error:
            raise SearchUnavailable(
                f"snapshot {manifest.id} is published, but the aliases in Milvus lead to the one before ({error}): run"
                f" posterity snapshots rollback {manifest.id}"
            ) from error
    return manifest


def _found_posters(
    plan: Plan, dataset: Dataset, movie_ids: Ids, track: Track
) -> tuple[Mapping[int, Path], Sequence[str]]:
    """Return movie id -> poster file, and warnings: of the catalogue, or of a folder by movie ids."""
    if plan.own.catalogue is None or not dataset.posters:
        return find_posters(plan.posters, movie_ids) if plan.posters else ({}, [])
    folders = [plan.own.catalogue.parent, *([plan.posters] if plan.posters else [])]
    listed = {movie_id: text for movie_id, text in dataset.posters.items() if movie_id in movie_ids}
    return listed_posters(listed, folders, plan.data, track=track)


def _evaluation(
    plan: Plan, training: Training, settings: Settings, choice: Choice | None, track: Track
) -> dict[str, Any]:
    if not plan.evaluation:
        return {"left_out": "the snapshot was built with --no-evaluation"}
    if choice is None or training.ratings.implicit or not len(training.ratings):
        return {"left_out": "the data set has no ratings, only who watched what, so no rating is predicted"}
    return evaluate_build(training, settings, ranker=partial(refit, choice, plan.rankers), seed=plan.seed, track=track)


def _poster_space(
    plan: Plan,
    work: Work,
    folder: Path,
    found: Mapping[int, Path],
    catalogue: Ids,
    rng: np.random.Generator,
    track: Track,
) -> _Posters:
    if not found:
        return _Posters()
    embed = vgg16.load(plan.weights, path=plan.embed_path)
    try:
        embeddings = embed_posters(found, embed, plan.data / "embeddings", over=work.embed, track=track)
    except NoReadablePoster as error:
        if plan.own.catalogue is None:
            raise
        return _Posters(unreadable=error.reasons)  # a catalogue's movies are compared by what else there is
    embed.save(vgg16.weights_file(plan.data, embed.sha256))
    before = _current_contents(plan.data)
    look = fit_look(plan.look, embeddings.blocks(), embed.sha256)
    vectors = (look(block).astype(np.float16) for block in embeddings.blocks())
    search = write_reduced(folder, vectors, rng, factory=plan.index, memory=plan.memory)
    look.save(folder)
    search = tune_search(folder, search, rng, track=track)
    ids = Ids(embeddings.movie_ids)
    write_space(folder, ids, None, rng, search=search, label="poster", over=work.neighbours, track=track)
    entry = {
        "how": f"VGG16 block5_pool of the poster, flattened (7, 7, 512), {look.how}",
        "look": look.name,
        "preprocessing": PREPROCESSING,
        "weights": {"name": embed.weights, "sha256": embed.sha256},
        "path": {"name": embed.path, "agreement": round(embed.agreement, 6)},
        "search": search,
    }
    save_contents(folder, embeddings.contents)
    movie_ids = embeddings.movie_ids.tolist()
    save_copies(folder, find_copies(Space.load("poster", folder, entry), found.get, movie_ids, track=track))
    contents = dict(zip(movie_ids, embeddings.contents, strict=True))
    replaced = sum(before.get(movie_id, content) != content for movie_id, content in contents.items())
    files = {movie_id: found[movie_id] for movie_id in movie_ids}
    looks = Looks(catalogue.find(embeddings.movie_ids), np.concatenate(list(map(compact_looks, embeddings.blocks()))))
    return _Posters(files, entry, embeddings.embedded, replaced, embeddings.unreadable, looks)


def _current_contents(data: Path) -> dict[int, str]:
    """Return movie id -> SHA-256 of the posters of the current snapshot; empty if there is none or it is unreadable."""
    try:
        return load_contents(SnapshotStore(data).path() / "poster")
    except (PosterityError, OSError, ValueError):
        return {}


def _ratings_and_taste(
    plan: Plan,
    work: Work,
    settings: Settings,
    folder: Path,
    training: Training,
    looks: Looks | None,
    labels: Labels,
    fit_rng: np.random.Generator,
    rng: np.random.Generator,
    track: Track,
) -> tuple[dict[str, Any], dict[str, Any], Choice]:
    """Fit and write the rating models, the ranker and the taste space; return two manifest entries, and the ranker."""
    sample = subsample_users(training, fit_rng)
    implicit = training.ratings.implicit
    if implicit:  # of ones alone nothing can be learnt; and movies that were not watched are no features of a user
        settings = replace(settings, implicit=False)
    seen = with_unwatched(sample, fit_rng) if implicit else sample
    posterior = factorization_machine.fit(seen, fit_rng, settings, track=track)
    full = posterior if sample is training else work.solve(posterior, training, fit_rng, track=track)
    arrays, noise = rating_arrays(full, training)
    save_arrays(arrays, folder / rating_models.FOLDER)
    save_arrays(RatingsByMovie.from_rows(arrays.rated_rows, training.shape[1]), folder / RATERS_FOLDER)
    save_arrays(fold_in_arrays(posterior), folder / fold_ins.FOLDER)
    if training.events is not None:
        watched = WatchedMovies.of(
            training.users.find(training.events.user_ids),
            training.movie_ids.find(training.events.movie_ids),
            len(training.users),
        )
        save_arrays(watched, folder / WATCHED_FOLDER)
    choice = choose_ranker(training, fit_rng, plan.rankers, track=track)
    forms = save_rankers(choice.rankers, folder / "ranker")
    rated = np.unique(training.movie_rows)
    vectors = taste_vectors(posterior, rated)
    people = shared_people(training.movies, labels)
    cold = (
        None
        if implicit
        else cold_start.fit(training, looks, fit_rng, settings, people=people, solve=work.solve, track=track)
    )
    if cold is not None:
        save_arrays(cold.arrays, folder / cold_starts.FOLDER)
        save_arrays(cold.fold_in, folder / cold_starts.FOLD_IN)
        if cold.people is not None:
            save_arrays(cold.people, folder / PEOPLE_FOLDER)
        predicted, more = cold_start.taste_of_unrated(cold.model(training), training, rated, vectors)
        at = np.searchsorted(rated, predicted)
        rated, vectors = np.insert(rated, at, predicted), np.insert(vectors, at, more, axis=0)
    rated, vectors = moved_by_events(rated, vectors, training)
    ids = Ids(training.movie_ids.values[rated])
    write_space(folder / "taste", ids, vectors, rng, label="taste", over=work.neighbours, track=track)
    model = {
        "method": "Bayesian factorisation machine, implicit features on both sides, genres and year; Gibbs sampling",
        "scale": list(training.ratings.scale),
        "noise": noise.as_manifest(),
        "samples": int(posterior.global_bias.size),
        "trained_on": {"ratings": int(sample.values.size), "users": len(sample.users)},
        "seed": plan.seed,
        "ranker": {"forms": forms, **choice.facts(), **({"rating_weight": 0.0} if implicit else {})},
    }
    if implicit:
        model["implicit_data"] = True
    if cold is not None:
        model["cold_start"] = cold.entry()
    taste = {"how": "cosine of the rating model's posterior samples, centred and concatenated, reduced by PCA"}
    return taste, model | asdict(settings), choice


def _learned(
    plan: Plan,
    settings: Settings,
    folder: Path,
    training: Training,
    choice: Choice,
    spaces: Mapping[str, Space],
    rng: np.random.Generator,
    track: Track,
) -> dict[str, Any]:
    """Train and write the learned ranker, if it is better, and return its manifest entry."""
    if not plan.learn:
        return {"left_out": "the snapshot was built with --no-ltr"}
    if training.ratings.implicit:
        return {"left_out": "the data set has no ratings, only who watched what"}
    likeness = {name: (spaces[name].ids, spaces[name].vectors) for name in LIKENESS if name in spaces}
    learned = learn(training, choice, plan.rankers, likeness, settings, rng, track=track)
    return learned.save(folder / learned_rankers.FOLDER)


def _facts_space(
    folder: Path, dataset: Dataset, chosen: Mapping[str, float], rng: np.random.Generator, work: Work, track: Track
) -> dict[str, Any] | None:
    """Write the facts space and return its manifest entry; None if no movie has facts."""
    for kind in chosen:
        if kind not in {*dataset.labels, SERIES}:
            known = ", ".join([SERIES, *dataset.labels])
            raise InvalidInput(f"--facts-weight {kind}: there are no such facts of any movie; there are {known}")
    rows, vectors = facts_vectors(dataset.movies, dataset.tags, dataset.labels, chosen, series=True)
    if not rows.size:
        return None
    ids = Ids([dataset.movies[row].movie_id for row in rows])
    write_space(folder, ids, vectors, rng, label="facts", over=work.neighbours, track=track)
    kinds = (SERIES, *dataset.labels)
    how = ", ".join(["genres by idf, year of release, tags by tf-idf", *(f"{kind} by idf" for kind in kinds)])
    of_labels = label_weights(kinds) | dict(chosen)
    return {"how": how, "weights": FACTS_WEIGHTS | of_labels}


def _catalogue(dataset: Dataset, movie_ids: Ids, posters: Mapping[int, str]) -> Catalogue:
    rows = movie_ids.find(dataset.ratings.movie_ids)
    counts = np.bincount(rows, minlength=len(movie_ids))
    sums = np.bincount(rows, weights=dataset.ratings.values, minlength=len(movie_ids))
    rated = [0] * len(counts) if dataset.ratings.implicit else counts
    means = [round(float(total / n), 3) if n else None for total, n in zip(sums, rated, strict=True)]
    names = [posters.get(movie.movie_id) for movie in dataset.movies]
    owned = None if dataset.owned is None else Ids(sorted(dataset.owned.intersection(movie_ids.values.tolist())))
    return Catalogue(dataset.movies, tuple(counts.tolist()), tuple(means), tuple(names), owned)
