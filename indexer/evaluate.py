"""From ratings on disk to a report: which contests are held under which protocols, and what is kept of a killed run."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.posters import vgg16
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluate_posters import find_pictures, judge_posters
from indexer.evaluation.blend_weights import BLENDED, choose_weights
from indexer.evaluation.candidates import CandidateSpace, blend_space, spaces_of
from indexer.evaluation.contest import Contest, evaluate, rating_contest
from indexer.evaluation.judgements import read_judged
from indexer.evaluation.similarity import compare
from indexer.evaluation.splits import PROTOCOLS, kfold
from indexer.metrics.ranking import RANKING_FIGURES, judge_lists
from indexer.models.factorization_machine import Settings
from indexer.models.registry import baseline_methods, ranking_methods, rating_methods
from indexer.reports.report import code_digest, fingerprint, section, write_report
from indexer.spaces.embed import embed_posters
from indexer.spaces.poster_files import find_posters

UNFINISHED = "unfinished"  # folder of outcomes, until they stand in the report


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """What to evaluate, and how."""

    ratings: Path  # folder or file
    output: Path
    folds: int = 5
    seed: int = 0
    settings: Settings = field(default_factory=Settings)  # of the factorisation machines
    names: Sequence[str] = ()  # of methods; the usual ones where it is empty
    judged: Path | None = None
    films: Sequence[int] = ()  # ids, for similarity
    posters: Path | None = None
    weights: str = "imagenet"
    alternates: Path | None = None  # other artwork of the posters' films


def tasks(kind: str, protocols: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(what is judged, protocol) of each section: of ``ratings``, ``ranking``, ``similarity`` or ``all``."""
    if kind == "all":
        ratings = [("ratings", protocol) for protocol in PROTOCOLS]
        return [*ratings, ("ranking", "kfold"), ("ranking", "time"), ("similarity", "kfold")]
    return [(kind, protocol) for protocol in dict.fromkeys(protocols or ("kfold",))]


def run(
    campaign: EvaluationConfig, kind: str, protocols: Sequence[str] = (), *, track: Track = silent
) -> tuple[dict[str, Any], list[str]]:
    """The sections that were asked for, by name, and warnings; the report is written after each.

    Args:
        kind: ``ratings``, ``ranking``, ``similarity``; or ``all``, which leaves out what this data set does not allow,
            and judges look too where there are posters.
        protocols: kfold where none is named; of ``all`` there are all.

    Raises:
        InvalidInput: the ratings, a method's name, the judged pairs or the posters cannot be used.
        UnknownMovie: one of the films is not there.
    """
    dataset = read_dataset(campaign.ratings)
    _check(campaign, dataset)
    found: dict[str, Any] = {}
    warnings = list(dataset.warnings)
    for judged, protocol in tasks(kind, protocols):
        try:
            found |= _section(campaign, dataset, judged, protocol, track)
        except InvalidInput as error:
            if kind != "all":
                raise
            warnings.append(f"no {judged} by the protocol {protocol}: {error}")
    warnings += found.get("similarity", {}).get("warnings", [])
    if kind == "all" and campaign.posters is not None:
        try:
            look, more = judge_posters(
                campaign.posters, campaign.alternates, campaign.weights, campaign.output, dataset=dataset, track=track
            )
            found |= look
            warnings += more
        except InvalidInput as error:
            warnings.append(f"no look: {error}")
    return found, warnings


def _check(campaign: EvaluationConfig, dataset: Dataset) -> None:
    """Refuses at the start what would else be refused after an hour."""
    movie_ids = Ids([movie.movie_id for movie in dataset.movies])
    for film in campaign.films:
        movie_ids.row(film)
    if campaign.judged is not None:
        read_judged(campaign.judged, movie_ids)
    if campaign.posters is not None:
        find_pictures(campaign.posters, campaign.alternates, movie_ids)


def _section(campaign: EvaluationConfig, dataset: Dataset, kind: str, protocol: str, track: Track) -> dict[str, Any]:
    """One section by its name, once it stands in the report."""
    if kind == "similarity":
        found = {"similarity": {"kind": kind, **_similarity(campaign, dataset, track)}}
        write_report(campaign.output, dataset, found)
        return found
    name = f"{kind}-{protocol}"
    contest = _contest(campaign, kind, protocol)
    kept = campaign.output / UNFINISHED / _key(campaign, dataset, name)
    outcomes = evaluate(
        dataset, contest, protocol=protocol, folds=campaign.folds, seed=campaign.seed, kept=kept, track=track
    )
    title = {"ratings": "Ratings", "ranking": "Recommendations"}[kind]
    title = title if protocol == "kfold" else f"{title}, {protocol}"
    made = section(contest, outcomes, title=title, protocol=protocol, folds=campaign.folds, seed=campaign.seed)
    found = {name: {"kind": kind, **made}}
    write_report(campaign.output, dataset, found)
    shutil.rmtree(kept)
    with suppress(OSError):  # another run's outcomes are there
        kept.parent.rmdir()
    return found


def _contest(campaign: EvaluationConfig, kind: str, protocol: str) -> Contest:
    if kind == "ranking":
        return Contest(ranking_methods(campaign.settings), judge_lists, RANKING_FIGURES).only(campaign.names)
    # The article's predictions are scored as they are, so that one near zero is seen to be.
    contest = rating_contest(rating_methods(campaign.settings), keep_to_scale=protocol != "article")
    return contest.only(campaign.names or baseline_methods(protocol))


def _key(campaign: EvaluationConfig, dataset: Dataset, name: str) -> str:
    """A folder's name for outcomes of the same data, code and settings."""
    how = (name, campaign.folds, campaign.seed, asdict(campaign.settings), fingerprint(dataset), code_digest())
    return hashlib.sha256(repr(how).encode()).hexdigest()[:16]


def _similarity(campaign: EvaluationConfig, dataset: Dataset, track: Track) -> dict[str, Any]:
    """Every space, made without the first fold of ratings and judged on it; the blend's weights, by all folds."""
    masks = list(kfold(len(dataset.ratings), campaign.folds))
    folds = [(Training.of(dataset, ~held_out), Training.of(dataset, held_out)) for held_out in masks]
    training, test = folds[0]
    judged = None if campaign.judged is None else read_judged(campaign.judged, training.movie_ids)
    rng = np.random.default_rng(campaign.seed)
    poster = _posters(campaign, training, track)

    def made(part: Training, names: Sequence[str] | None) -> dict[str, CandidateSpace]:
        return spaces_of(
            part, rng, tags=dataset.tags, names=names, settings=campaign.settings, poster=poster, track=track
        )

    spaces = made(training, None)
    # One fold's spaces at a time: those of posters are large.
    others = ((made(part, BLENDED), part, held_out) for part, held_out in folds[1:])
    choice = choose_weights(chain([(spaces, training, test)], others), rng)
    even = dict.fromkeys(choice.weights, 1.0)
    spaces["blend, even"] = blend_space(spaces, even, training.movie_ids)
    spaces["blend, chosen"] = blend_space(spaces, choice.weights, training.movie_ids)
    scores = compare(spaces, training, test, rng, tags=dataset.tags, judged=judged, films=campaign.films, track=track)
    measures = ("co_liked", "genres", "tags", "judged")
    return {
        "title": "Similarity",
        "words": f"the first of {campaign.folds} folds of ratings, shuffled once; for the blend's weights all folds",
        "held_out": int(test.values.size),
        "users_without_training_ratings": 0,
        "methods": [
            {
                "method": score.space,
                "figures": {name: asdict(figure) for name in measures if (figure := getattr(score, name)) is not None},
            }
            for score in scores
        ],
        "nearest": {film: {score.space: list(score.nearest[film]) for score in scores} for film in scores[0].nearest},
        "weights": dict(choice.weights),
        "trials": [asdict(trial) for trial in choice.trials],
        "warnings": [] if judged is None else list(judged.warnings),
    }


def _posters(campaign: EvaluationConfig, training: Training, track: Track) -> tuple[Int64Array, Float32Array] | None:
    if campaign.posters is None:
        return None
    found, _ = find_posters(campaign.posters, training.movie_ids)
    embed = vgg16.load(campaign.weights)
    embeddings = embed_posters(found, embed, campaign.output / "embeddings", track=track)
    return training.movie_ids.find(embeddings.movie_ids), embeddings.vectors
