"""Evaluation of all methods on a data set: from rating files to a report, resumable after an interruption."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.core.errors import InvalidInput, UnknownMovie
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.posters import vgg16
from index.posters.look_vectors import RAW, STANDARDISED, fit_look
from index.ratings.content import compact_looks
from index.snapshot.gallery import HEADINGS
from indexer.config import BLEND
from indexer.datasets.dataset import Dataset, Scale
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluate_posters import evaluate_posters, find_poster_files
from indexer.evaluation.blend_weights import BLENDED, choose_weights
from indexer.evaluation.candidates import CandidateSpace, blend_space, candidate_spaces, vector_space
from indexer.evaluation.cold import evaluate_cold
from indexer.evaluation.contest import Contest, evaluate, rating_contest
from indexer.evaluation.gallery import gallery_rows, neighbours
from indexer.evaluation.judgements import read_judged
from indexer.evaluation.similarity import compare
from indexer.evaluation.splits import SPLITS, kfold
from indexer.metrics.diversity import METRICS as DIVERSITY_METRICS
from indexer.metrics.diversity import measure_lists
from indexer.metrics.ranking import RANKING_METRICS
from indexer.models.cold_start import Looks
from indexer.models.factorization_machine import Settings
from indexer.models.registry import Method, methods_for_split, rating_methods
from indexer.ranking.methods import ranking_methods
from indexer.reports.gallery_sheet import gallery_section, write_gallery
from indexer.reports.report import code_digest, fingerprint, section, write_report
from indexer.spaces.embed import embed_posters
from indexer.spaces.poster_files import find_posters

UNFINISHED = "unfinished"  # folder of saved results, deleted once their section is in the report


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """Inputs and settings of an evaluation."""

    ratings: Path  # folder or file
    output: Path  # folder
    folds: int = 5
    seed: int = 0
    settings: Settings = field(default_factory=Settings)  # of the factorisation machines
    methods: Sequence[str] = ()  # names; the default methods of each split if empty
    judged: Path | None = None  # CSV file of judged pairs
    shown: Sequence[int | str] = ()  # ids, or the data set's own ids, of movies whose neighbours the report shows
    posters: Path | None = None  # folder
    weights: str = "imagenet"  # of VGG16
    alternates: Path | None = None  # folder of alternate artwork
    embed_path: str = "auto"  # how VGG16 runs, as in vgg16.load
    scale: Scale | None = None  # lowest and highest rating; None for those present
    distorted: int | None = None  # number of posters to distort; None for all
    facts: Path | None = None  # table of further facts; None for the one beside the movies, if there is one
    rating_methods: Mapping[str, Method] = field(default_factory=dict)  # besides those of the registry
    ranking_methods: Mapping[str, Method] = field(default_factory=dict)


def tasks(kind: str, splits: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return (kind, split) of each section; ``kind`` as in ``run``."""
    if kind == "all":
        ratings = [("ratings", split) for split in SPLITS]
        rankings = [("ranking", split) for split in ("kfold", "time", "user-time")]
        return [*ratings, *rankings, ("similarity", "kfold"), ("gallery", "none")]
    return [(kind, split) for split in dict.fromkeys(splits or ("kfold",))]


def run(
    config: EvaluationConfig, kind: str, splits: Sequence[str] = (), *, track: Track = silent
) -> tuple[dict[str, Any], list[str]]:
    """Return the sections, by name, and warnings; the report is written after each section.

    Args:
        config: inputs and settings.
        kind: ``ratings``, ``ranking``, ``similarity``, ``gallery`` or ``all``. ``all`` adds poster search if there are
            posters, and warns about a section that this data set does not allow.
        splits: names; ``kfold`` by default. ``all`` uses every split.
        track: reports progress.

    Raises:
        InvalidInput: the ratings, a method's name, the judged pairs or the posters are invalid.
        UnknownMovie: a movie in ``config.shown`` is not in the catalogue.
    """
    dataset = read_dataset(config.ratings, scale=config.scale, facts=config.facts)
    _validate(config, dataset)
    sections: dict[str, Any] = {}
    warnings = list(dataset.warnings)
    for section_kind, split in tasks(kind, splits):
        try:
            sections |= _evaluate_section(config, dataset, section_kind, split, track)
        except InvalidInput as error:
            if kind != "all":
                raise
            warnings.append(f"no {section_kind} by the protocol {split}: {error}")
    warnings += sections.get("similarity", {}).get("warnings", [])
    if kind == "all" and config.posters is not None:
        try:
            poster_sections, poster_warnings = evaluate_posters(
                config.posters,
                config.alternates,
                config.weights,
                config.output,
                embed_path=config.embed_path,
                distorted=config.distorted,
                dataset=dataset,
                track=track,
            )
            sections |= poster_sections
            warnings += poster_warnings
        except InvalidInput as error:
            warnings.append(f"no poster search: {error}")
    return sections, warnings


def _validate(config: EvaluationConfig, dataset: Dataset) -> None:
    """Check inputs that are used late, so that an error comes before hours of fitting."""
    movie_ids = Ids([movie.movie_id for movie in dataset.movies])
    _shown(config, dataset)
    if config.judged is not None:
        read_judged(config.judged, dataset.movies)
    if config.posters is not None:
        find_poster_files(config.posters, config.alternates, movie_ids)


def _shown(config: EvaluationConfig, dataset: Dataset) -> list[int]:
    """Return the ids of the movies whose neighbours the report shows.

    Raises:
        UnknownMovie: one is not in the catalogue.
    """
    known = {name: movie.movie_id for movie in dataset.movies for name in (movie.movie_id, movie.source_id)}
    for given in config.shown:
        if given not in known:
            raise UnknownMovie(f"there is no movie {given} here")
    return [known[given] for given in config.shown]


def _evaluate_section(
    config: EvaluationConfig, dataset: Dataset, kind: str, split: str, track: Track
) -> dict[str, Any]:
    """Evaluate one section and write it to the report; name -> section."""
    if kind == "gallery":
        return {"gallery": {"kind": kind, **_gallery_section(config, dataset, track)}}
    if kind == "similarity":
        sections = {"similarity": {"kind": kind, **_similarity_section(config, dataset, track)}}
        write_report(config.output, dataset, sections)
        return sections
    name = f"{kind}-{split}"
    contest = _contest(config, kind, split)
    checkpoints = config.output / UNFINISHED / _checkpoint_key(config, dataset, name)
    results = evaluate(
        dataset, contest, split=split, folds=config.folds, seed=config.seed, checkpoints=checkpoints, track=track
    )
    title = {"ratings": "Ratings", "ranking": "Recommendations"}[kind]
    title = title if split == "kfold" else f"{title}, {split}"
    evaluated = section(contest, results, title=title, split=split, folds=config.folds, seed=config.seed)
    sections = {name: {"kind": kind, **evaluated}}
    if split == "cold" and not config.methods and not dataset.ratings.implicit:
        sections[name]["content"] = evaluate_cold(
            dataset,
            _looks(config, dataset, track),
            config.settings,
            folds=config.folds,
            seed=config.seed,
            track=track,
        )
    write_report(config.output, dataset, sections)
    shutil.rmtree(checkpoints)
    with suppress(OSError):  # not empty: another run's checkpoints
        checkpoints.parent.rmdir()
    return sections


def _contest(config: EvaluationConfig, kind: str, split: str) -> Contest:
    if kind == "ranking":
        methods = _before_last(ranking_methods(config.settings), config.ranking_methods)
        return Contest(methods, measure_lists, (*RANKING_METRICS, *DIVERSITY_METRICS)).only(config.methods)
    # The article did not clip, so its errors show predictions near zero.
    methods = _before_last(rating_methods(config.settings), config.rating_methods)
    contest = rating_contest(methods, clip=split != "article")
    chosen = methods_for_split(split)
    if split != "cold":
        chosen = (*chosen[:-1], *config.rating_methods, chosen[-1])
    return contest.only(config.methods or chosen)


def _before_last(methods: Mapping[str, Method], more: Mapping[str, Method]) -> dict[str, Method]:
    """Return the methods with more of them before the last one, which is what builds use."""
    *names, last = methods
    return {**{name: methods[name] for name in names}, **more, last: methods[last]}


def _checkpoint_key(config: EvaluationConfig, dataset: Dataset, name: str) -> str:
    """Return a folder name, the same for the same data, code and settings."""
    inputs = (
        name,
        config.folds,
        config.seed,
        asdict(config.settings),
        fingerprint(dataset),
        dataset.ratings.scale,
        code_digest(),
    )
    return hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]


def _similarity_section(config: EvaluationConfig, dataset: Dataset, track: Track) -> dict[str, Any]:
    """Evaluate every space on the first fold, and choose the blend's weights on all folds."""
    masks = list(kfold(len(dataset.ratings), config.folds))
    folds = [(Training.of(dataset, ~held_out), Training.of(dataset, held_out)) for held_out in masks]
    training, test = folds[0]
    judged = None if config.judged is None else read_judged(config.judged, training.movies)
    rng = np.random.default_rng(config.seed)
    looks = _poster_vectors(config, training, track)
    poster = None if looks is None else looks[STANDARDISED]

    def fit_spaces(part: Training, names: Sequence[str] | None) -> dict[str, CandidateSpace]:
        return candidate_spaces(
            part,
            rng,
            tags=dataset.tags,
            labels=dataset.labels,
            names=names,
            settings=config.settings,
            poster=poster,
            track=track,
        )

    spaces = fit_spaces(training, None)
    # A generator, because the spaces of several folds may not fit in memory.
    others = ((fit_spaces(part, BLENDED), part, held_out) for part, held_out in folds[1:])
    choice = choose_weights(chain([(spaces, training, test)], others), rng, tags=dataset.tags, labels=dataset.labels)
    blends = {"even": dict.fromkeys(choice.weights, 1.0), "default": BLEND, "chosen": choice.weights}
    parts = {name: spaces[name] for name in choice.weights}
    spaces |= {f"blend, {name}": blend_space(parts, weights, training.movie_ids) for name, weights in blends.items()}
    if looks is not None:
        spaces["poster, raw"] = vector_space(*looks[RAW], training.movie_ids, rng)
    scores = compare(
        spaces,
        training,
        test,
        rng,
        tags=dataset.tags,
        labels=dataset.labels,
        judged=judged,
        shown=_shown(config, dataset),
        track=track,
    )
    metrics = ("co_liked", "genres", "tags", "series", "people", "judged")
    return {
        "title": "Similarity",
        "words": f"the first of {config.folds} folds of ratings, shuffled once; for the blend's weights all folds",
        "held_out": int(test.values.size),
        "users_without_training_ratings": 0,
        "methods": [
            {
                "method": score.space,
                "figures": {name: asdict(value) for name in metrics if (value := getattr(score, name)) is not None},
            }
            for score in scores
        ],
        "nearest": {
            title: {score.space: list(score.nearest[title]) for score in scores} for title in scores[0].nearest
        },
        "weights": dict(choice.weights),
        "trials": [asdict(trial) for trial in choice.trials],
        "warnings": [] if judged is None else list(judged.warnings),
    }


def _gallery_section(config: EvaluationConfig, dataset: Dataset, track: Track) -> dict[str, Any]:
    """Write the gallery of a few movies, with the spaces made from all ratings, and return its section."""
    training, rng = Training.of(dataset), np.random.default_rng(config.seed)
    files = {} if config.posters is None else find_posters(config.posters, training.movie_ids)[0]
    rows = gallery_rows(training, files, _shown(config, dataset))
    looks = _poster_vectors(config, training, track)
    spaces = candidate_spaces(
        training,
        rng,
        tags=dataset.tags,
        labels=dataset.labels,
        names=tuple(HEADINGS),
        settings=config.settings,
        poster=None if looks is None else looks[STANDARDISED],
        track=track,
    )
    section = gallery_section(neighbours(spaces, training, rows), dataset, config.weights if files else None)
    write_gallery(config.output, section, files)
    return section


def _looks(config: EvaluationConfig, dataset: Dataset, track: Track) -> Looks | None:
    """Return the compact looks of the movies with posters; None without a poster folder."""
    found = _poster_vectors(config, Training.of(dataset), track)
    return None if found is None else Looks(found[RAW][0], compact_looks(found[RAW][1]))


def _poster_vectors(
    config: EvaluationConfig, training: Training, track: Track
) -> dict[str, tuple[Int64Array, Float32Array]] | None:
    """Return catalogue rows (m,) and unit vectors (m, 25088) of the posters by look; None without a poster folder."""
    if config.posters is None:
        return None
    files, _ = find_posters(config.posters, training.movie_ids)
    embed = vgg16.load(config.weights, path=config.embed_path)
    embeddings = embed_posters(files, embed, config.output / "embeddings", track=track)
    rows = training.movie_ids.find(embeddings.movie_ids)
    look = fit_look(STANDARDISED, embeddings.blocks(), embed.sha256)
    standardised = np.concatenate([look(block) for block in embeddings.blocks()])
    return {STANDARDISED: (rows, standardised), RAW: (rows, embeddings.vectors)}
