"""Build settings: the plan of a build, and settings chosen by tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.core.errors import InvalidInput
from index.posters.look_vectors import STANDARDISED
from indexer.datasets.dataset import Scale
from indexer.datasets.movielens import Own
from indexer.models import factorization_machine
from indexer.models.ranker_choice import Settings as RankerSettings
from indexer.models.registry import SERVED
from indexer.models.settings import changed
from indexer.spaces.two_stage import MEMORY

# Chosen on co-liked movies, series, shared tags and people of MovieLens latest-small (`benchmarks.likeness`). For
# other data, build --tuned takes the weights from a report.
BLEND = {"poster": 0.1, "taste": 1.0, "facts": 0.6}


@dataclass(frozen=True, slots=True)
class Plan:
    """Inputs and settings of a build."""

    ratings: Path | None  # folder or file; None for a catalogue or events without ratings
    data: Path
    posters: Path | None = None
    weights: str = "imagenet"  # or "untrained", or a file
    settings: factorization_machine.Settings | None = None  # of the rating model; None for those suited to the data
    rankers: RankerSettings = field(default_factory=RankerSettings)
    blend: Mapping[str, float] = field(default_factory=lambda: BLEND)  # space -> weight; missing spaces are ignored
    index: str | None = None  # Faiss factory string for posters; None to choose by number and memory
    memory: int = MEMORY  # upper bound of that index, in bytes per process
    look: str = STANDARDISED  # transformation of the posters' embeddings, as in look_vectors.fit_look
    evaluation: bool = True  # evaluate the rating model on held-out ratings
    seed: int = 0
    embed_path: str = "auto"  # execution path of VGG16, as in vgg16.load
    scale: Scale | None = None  # lowest and highest rating; None for those present
    learn: bool = True  # train the learned ranker
    facts: Path | None = None  # table of further facts; None for the one beside the movies, if there is one
    label_weights: Mapping[str, float] = field(default_factory=dict)  # kind -> weight; defaults for others
    own: Own = field(default_factory=Own)  # catalogue and events
    search: str = ""  # address of the Milvus that gets the vectors; empty to keep them in files


@dataclass(frozen=True, slots=True)
class Choices:
    """Settings chosen by tuning; defaults elsewhere."""

    machine: factorization_machine.Settings | None = None  # None for those suited to the data
    rankers: RankerSettings = field(default_factory=RankerSettings)
    blend: Mapping[str, float] = field(default_factory=lambda: BLEND)


def read_choices(files: Sequence[Path]) -> Choices:
    """Read the settings chosen by tuning; later files override earlier ones.

    Args:
        files: of ``posterity tune``, or reports of ``posterity evaluate --similarity``.

    Raises:
        InvalidInput: a file is neither, or is of a method that builds do not use.
    """
    chosen = Choices()
    for file in files:
        try:
            document = json.loads(file.read_text())
            similarity = document.get("sections", {}).get("similarity")
            blend = {} if similarity is None else {name: float(value) for name, value in similarity["weights"].items()}
            method, found = ("", {}) if blend else (document["method"], dict(document["settings"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"{file} is neither a file of posterity tune nor a report of posterity evaluate --similarity: {error!r}"
            ) from error
        if blend:
            chosen = replace(chosen, blend=changed_weights(chosen.blend, blend, str(file)))
        elif method == SERVED:
            machine = chosen.machine or factorization_machine.Settings()
            chosen = replace(chosen, machine=changed(machine, found, str(file)))
        elif method == "ease":
            rankers = replace(chosen.rankers, ease=changed(chosen.rankers.ease, found, str(file)))
            chosen = replace(chosen, rankers=rankers)
        elif method == "implicit-als":
            rankers = replace(chosen.rankers, implicit=changed(chosen.rankers.implicit, found, str(file)))
            chosen = replace(chosen, rankers=rankers)
        else:
            raise InvalidInput(
                f"{file} tunes {method}, which builds do not use: give files for {SERVED}, ease or implicit-als"
            )
    return chosen


def changed_weights(weights: Mapping[str, float], changes: Mapping[str, float], source: str) -> dict[str, float]:
    """Return the weights of the blend, with changes applied.

    Args:
        weights: space -> weight.
        changes: space -> weight.
        source: file that the changes come from, for the message.

    Raises:
        InvalidInput: a weight is negative or of an unknown space, or all are 0.
    """
    for name, weight in changes.items():
        if name not in weights or not 0 <= weight < float("inf"):
            raise InvalidInput(
                f"{source}: the weight of {name!r} is {weight!r}; expected a number of at least 0, for one of "
                f"{', '.join(weights)}"
            )
    changed_blend = dict(weights) | dict(changes)
    if not any(changed_blend.values()):
        raise InvalidInput(f"{source}: every weight of the blend is 0: at least one must be larger")
    return changed_blend


def make_plan(
    ratings: Path | None,
    data: Path,
    posters: Path | None,
    weights: str,
    *,
    seed: int = 0,
    iterations: int | None = None,
    tuned: Sequence[Path] = (),
    index: str | None = None,
    memory: int = MEMORY,
    look: str = STANDARDISED,
    evaluation: bool = True,
    embed_path: str = "auto",
    scale: Scale | None = None,
    learn: bool = True,
    facts: Path | None = None,
    label_weights: Mapping[str, float] | None = None,
    own: Own | None = None,
    search: str = "",
) -> Plan:
    """Return the plan of a build, with settings chosen by tuning.

    Args:
        ratings: folder or file; None for a catalogue or events without ratings.
        data: the data directory.
        posters: folder; None for none.
        weights: "imagenet", "untrained" or a file.
        seed: of the build.
        iterations: per chain of the sampler; None for the default.
        tuned: files of ``posterity tune``, or reports of ``posterity evaluate --similarity``.
        index: Faiss factory string for posters; None to choose by number and memory.
        memory: upper bound of that index, in bytes per process.
        look: transformation of the posters' embeddings, as in ``look_vectors.fit_look``.
        evaluation: evaluate the rating model on held-out ratings.
        embed_path: execution path of VGG16, as in ``vgg16.load``.
        scale: lowest and highest rating; None for those present.
        learn: train the learned ranker.
        facts: table of further facts; None for the one beside the movies, if there is one.
        label_weights: column of facts -> weight; the defaults for others.
        own: catalogue and events of one's own.
        search: address of the Milvus that gets the vectors; empty to keep them in files.

    Raises:
        InvalidInput: a file of ``tuned`` is not usable, or ``iterations`` is too small.
    """
    chosen = read_choices(tuned)
    settings = chosen.machine
    if iterations is not None:
        settings = changed(settings or factorization_machine.Settings(), {"iterations": iterations}, "--iterations")
    return Plan(
        ratings,
        data,
        posters,
        weights,
        settings,
        chosen.rankers,
        chosen.blend,
        index,
        memory=memory,
        look=look,
        evaluation=evaluation,
        seed=seed,
        embed_path=embed_path,
        scale=scale,
        learn=learn,
        facts=facts,
        label_weights={} if label_weights is None else label_weights,
        own=own or Own(),
        search=search,
    )
