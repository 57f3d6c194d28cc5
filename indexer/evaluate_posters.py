"""From folders of posters to a section of the report: what can be read, how well it is found, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.core.errors import BadImage, InvalidInput
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.posters import vgg16
from index.posters.images import decode_image, read_image
from index.posters.vgg16 import Vgg16
from indexer.datasets.dataset import Dataset
from indexer.evaluation.distortions import DISTORTIONS
from indexer.evaluation.poster_baselines import BASELINES
from indexer.evaluation.poster_search import (
    LENGTHS,
    Searches,
    median,
    nearest_other,
    plain_look,
    recall,
    reciprocal_rank,
    search_all,
    vgg16_look,
)
from indexer.reports.report import write_report
from indexer.spaces.poster_files import find_posters


@dataclass(frozen=True, slots=True)
class Pictures:
    """The posters that are searched, and other artwork of some of the same films."""

    posters: Mapping[int, Path]  # movie id -> file, ids ascending, as below
    alternates: Mapping[int, Path]  # each movie has a poster
    warnings: tuple[str, ...]


def find_pictures(posters: Path, alternates: Path | None, movie_ids: Ids | None = None) -> Pictures:
    """The pictures of both folders by the names of their files; whether they can be read is not asked.

    Args:
        movie_ids: of the data set; every id counts where there is none.

    Raises:
        InvalidInput: a folder is missing or holds no poster, or no alternate is of a film that has a poster.
    """
    originals, warnings = find_posters(posters, movie_ids)
    if alternates is None:
        return Pictures(originals, {}, tuple(warnings))
    others, more = find_posters(alternates, movie_ids)
    shared = {movie_id: file for movie_id, file in others.items() if movie_id in originals}
    if not shared:
        raise InvalidInput(
            f"none of the {len(others)} pictures in {alternates} has the name of one in {posters}: name both after the"
            " movie, <movie id>.jpg"
        )
    if alone := len(others) - len(shared):
        more.append(f"{alternates}: {alone} left out, with no poster in {posters} to find")
    return Pictures(originals, shared, (*warnings, *more))


def judge_posters(
    posters: Path,
    alternates: Path | None,
    weights: str,
    output: Path,
    *,
    dataset: Dataset | None = None,
    track: Track = silent,
) -> tuple[dict[str, Any], list[str]]:
    """The section on look by its name, once it stands in the report, and warnings.

    Args:
        weights: ``imagenet``, ``untrained`` or a file, as VGG16 takes them.
        dataset: the posters of other movies are left out; without it every poster counts.

    Raises:
        InvalidInput: a folder cannot be used, or fewer than two posters can be read.
        WeightsUnavailable, BadWeights: the weights cannot be had, or used.
    """
    movie_ids = None if dataset is None else Ids([movie.movie_id for movie in dataset.movies])
    pictures = _readable(find_pictures(posters, alternates, movie_ids))
    if len(pictures.posters) < 2:
        raise InvalidInput(f"{len(pictures.posters)} of the posters in {posters} can be read: at least 2 are needed")
    if alternates is not None and not pictures.alternates:
        raise InvalidInput(f"no picture in {alternates} can be used: {pictures.warnings[-1]}")
    section = look_section(pictures, vgg16.load(weights), output / "embeddings", track=track)
    found = {"look": {"kind": "look", "folder": posters.resolve().name, **section}}
    write_report(output, dataset, found)
    return found, list(pictures.warnings)


def look_section(pictures: Pictures, embed: Vgg16, cache_folder: Path, *, track: Track = silent) -> dict[str, Any]:
    """What is found by VGG16 and by plain looks: for each distortion of the posters, and for the alternates."""
    looks = {f"VGG16, {_called(embed)}": vgg16_look(embed, cache_folder)}
    looks |= {name: plain_look(describe) for name, describe in BASELINES.items()}
    movie_ids = np.array(list(pictures.posters), dtype=np.int64)
    originals = {name: look(pictures.posters, track=track) for name, look in looks.items()}

    def searched(files: Mapping[int, Path], label: str, **options: Any) -> dict[str, Searches]:
        return search_all(files, looks, originals, movie_ids, label=label, track=track, **options)

    return {
        "title": "Look",
        "weights": embed.weights,
        "weights_sha256": embed.sha256,
        "posters": len(pictures.posters),
        "distortions": [
            {
                "distortion": distortion.name,
                "words": distortion.words,
                "methods": [
                    _method(name, {"recall_1": recall(found, 1), "score": median(found.scores)})
                    for name, found in searched(pictures.posters, distortion.name, distortion=distortion).items()
                ],
            }
            for distortion in DISTORTIONS
        ],
        "nearest_other": [_method(name, {"score": median(nearest_other(originals[name]))}) for name in looks],
        "alternates": len(pictures.alternates),
        "methods": [
            _method(name, _found_by_alternates(found, len(pictures.posters)))
            for name, found in (searched(pictures.alternates, "Alternates") if pictures.alternates else {}).items()
        ],
        "warnings": list(pictures.warnings),
    }


def _readable(pictures: Pictures) -> Pictures:
    """The pictures that can be decoded: found out before the hours that embedding may take."""
    warnings = list(pictures.warnings)

    def kept(files: Mapping[int, Path], what: str) -> dict[int, Path]:
        readable = {}
        for movie_id, file in files.items():
            try:
                decode_image(read_image(file))
            except (OSError, BadImage) as error:
                warnings.append(f"the {what} of movie {movie_id} is left out: {error}")
            else:
                readable[movie_id] = file
        return readable

    posters = kept(pictures.posters, "poster")
    alternates = kept(pictures.alternates, "alternate")
    shared = {movie_id: file for movie_id, file in alternates.items() if movie_id in posters}
    return Pictures(posters, shared, tuple(warnings))


def _called(embed: Vgg16) -> str:
    names = {"imagenet": "ImageNet weights", "untrained": "untrained weights"}
    return names.get(embed.weights, f"weights {embed.sha256[:8]}")


def _method(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": name, "figures": {key: asdict(figure) for key, figure in figures.items()}}


def _found_by_alternates(found: Searches, posters: int) -> dict[str, Any]:
    shares = {f"recall_{k}": recall(found, k) for k in LENGTHS if k <= posters}
    return shares | {"reciprocal_rank": reciprocal_rank(found)}
