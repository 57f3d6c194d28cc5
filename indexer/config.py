"""Build settings: the plan of a build, and what tuning chose for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.core.errors import InvalidInput
from indexer.models import factorization_machine
from indexer.models.ranker_choice import Settings as RankerSettings
from indexer.models.registry import SERVED
from indexer.models.settings import changed
from indexer.spaces.two_stage import MEMORY

# By posterity evaluate --similarity on MovieLens latest-small with 600 posters (untrained weights). With other data or
# weights others may be better: build --tuned takes those of a report.
BLEND = {"poster": 0.25, "taste": 1.0, "facts": 0.25}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build from, and how."""

    ratings: Path  # folder or file
    data: Path
    posters: Path | None = None
    weights: str = "imagenet"  # or "untrained", or a file
    settings: factorization_machine.Settings | None = (
        None  # of the rating model; suited to the number of ratings where it is None
    )
    rankers: RankerSettings = field(default_factory=RankerSettings)
    blend: Mapping[str, float] = field(default_factory=lambda: BLEND)  # space -> weight; of those that there are
    index: str | None = None  # of posters, as Faiss writes it; chosen by number and memory where it is None
    memory: int = MEMORY  # bytes that it may take in a process
    evaluation: bool = True  # whether the rating model is tried on held-out ratings, too
    seed: int = 0
    embed_path: str = "auto"  # how VGG16 runs, as in vgg16.load


@dataclass(frozen=True, slots=True)
class Choices:
    """What a build is made with; the defaults, but for what was chosen on the data set at hand."""

    machine: factorization_machine.Settings | None = None  # suited to the number of ratings
    rankers: RankerSettings = field(default_factory=RankerSettings)
    blend: Mapping[str, float] = field(default_factory=lambda: BLEND)


def read_choices(files: Sequence[Path]) -> Choices:
    """What a build uses in place of the defaults.

    Args:
        files: of ``posterity tune``, or reports of ``posterity evaluate --similarity``.

    Raises:
        InvalidInput: a file is neither, or tunes a method that is not served.
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
                f"{file} is neither of posterity tune nor a report of posterity evaluate --similarity: {error!r}"
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
                f"{file} tunes {method}, which is not served: a build takes {SERVED}, ease and implicit-als"
            )
    return chosen


def changed_weights(weights: Mapping[str, float], changes: Mapping[str, float], source: str) -> dict[str, float]:
    """The blend's weights with those of a report.

    Raises:
        InvalidInput: a weight is negative or of no space, or none is left.
    """
    for name, weight in changes.items():
        if name not in weights or not 0 <= weight < float("inf"):
            raise InvalidInput(
                f"{source}: the blend's weight of {name!r} is {weight!r}; expected a number from 0 on, of "
                f"{', '.join(weights)}"
            )
    whole = dict(weights) | dict(changes)
    if not any(whole.values()):
        raise InvalidInput(f"{source}: every weight of the blend is 0; one at least must be larger")
    return whole


def make_plan(
    ratings: Path,
    data: Path,
    posters: Path | None,
    weights: str,
    *,
    seed: int = 0,
    iterations: int | None = None,
    tuned: Sequence[Path] = (),
    index: str | None = None,
    memory: int = MEMORY,
    evaluation: bool = True,
    embed_path: str = "auto",
) -> Plan:
    """Return the plan of a build, with the settings that tuning chose.

    Args:
        iterations: of each chain of the sampler; None for the number suited to the data.
        tuned: files of ``posterity tune``, or reports of ``posterity evaluate --similarity``.

    Raises:
        InvalidInput: a file of ``tuned`` or a number cannot be used.
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
        evaluation=evaluation,
        seed=seed,
        embed_path=embed_path,
    )
