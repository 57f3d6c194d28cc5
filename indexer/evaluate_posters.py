"""Evaluation of poster search: from folders of posters to a section of the report."""

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
from index.posters.look_vectors import RAW, STANDARDISED, fit_look
from index.posters.vgg16 import Vgg16
from indexer.datasets.dataset import Dataset
from indexer.evaluation.distortions import DISTORTIONS
from indexer.evaluation.poster_baselines import BASELINES
from indexer.evaluation.poster_search import (
    LENGTHS,
    SearchResult,
    baseline_embedder,
    look_embedder,
    median,
    nearest_other,
    recall,
    recall_gain,
    reciprocal_rank,
    search_all,
    vgg16_embedder,
)
from indexer.reports.report import write_report
from indexer.spaces.poster_files import find_posters

_BLOCK = 256  # vectors transformed at a time


@dataclass(frozen=True, slots=True)
class PosterFiles:
    """Posters to search, and alternate artwork of some of the same movies."""

    posters: Mapping[int, Path]  # movie id -> file, ids ascending
    alternates: Mapping[int, Path]  # movie id -> file, ids ascending; a subset of the posters' movies
    warnings: tuple[str, ...]


def find_poster_files(posters: Path, alternates: Path | None, movie_ids: Ids | None = None) -> PosterFiles:
    """List the image files of both folders by name, without reading them.

    Args:
        posters: folder of posters.
        alternates: folder of alternate artwork.
        movie_ids: of the data set; None accepts every id.

    Raises:
        InvalidInput: a folder is missing or holds no poster, or no alternate belongs to a poster.
    """
    originals, warnings = find_posters(posters, movie_ids)
    if alternates is None:
        return PosterFiles(originals, {}, tuple(warnings))
    others, other_warnings = find_posters(alternates, movie_ids)
    shared = {movie_id: file for movie_id, file in others.items() if movie_id in originals}
    if not shared:
        raise InvalidInput(
            f"none of the {len(others)} images in {alternates} has the name of one in {posters}: name both after the"
            " movie, <movie id>.jpg"
        )
    if unpaired := len(others) - len(shared):
        other_warnings.append(f"{alternates}: {unpaired} left out, without a poster in {posters}")
    return PosterFiles(originals, shared, (*warnings, *other_warnings))


def evaluate_posters(
    posters: Path,
    alternates: Path | None,
    weights: str,
    output: Path,
    *,
    embed_path: str = "auto",
    distorted: int | None = None,
    dataset: Dataset | None = None,
    track: Track = silent,
) -> tuple[dict[str, Any], list[str]]:
    """Evaluate poster search and write its section to the report; return the section by name, and warnings.

    Args:
        posters: folder of posters.
        alternates: folder of alternate artwork.
        weights: ``imagenet``, ``untrained`` or a file, as for ``vgg16.load``.
        output: folder of the report and of cached embeddings.
        embed_path: as ``path`` of ``vgg16.load``.
        distorted: number of posters to distort, evenly spaced by movie id; None for all.
        dataset: restricts the posters to its movies; None accepts every poster.
        track: reports progress.

    Raises:
        InvalidInput: a folder cannot be used, or fewer than two posters can be read.
        WeightsUnavailable: the weights cannot be downloaded.
        BadWeights: the weights cannot be used.
    """
    movie_ids = None if dataset is None else Ids([movie.movie_id for movie in dataset.movies])
    files = _readable(find_poster_files(posters, alternates, movie_ids))
    if len(files.posters) < 2:
        raise InvalidInput(f"{len(files.posters)} of the posters in {posters} can be read: at least 2 are needed")
    if alternates is not None and not files.alternates:
        raise InvalidInput(f"no image in {alternates} can be used: {files.warnings[-1]}")
    embed = vgg16.load(weights, path=embed_path)
    section = poster_section(files, embed, output / "embeddings", distorted=distorted, track=track)
    sections = {"look": {"kind": "look", "folder": posters.resolve().name, **section}}
    write_report(output, dataset, sections)
    return sections, list(files.warnings)


def poster_section(
    files: PosterFiles, embed: Vgg16, cache_folder: Path, *, distorted: int | None = None, track: Track = silent
) -> dict[str, Any]:
    """Return metrics of VGG16's vectors, as builds make them and raw, and of the baselines.

    Statistics of the vectors are those of the posters that are searched, as in a build.

    Args:
        files: the posters and the alternates.
        embed: the network.
        cache_folder: folder of cached embeddings.
        distorted: number of posters to distort, evenly spaced by movie id; None for all.
        track: reports progress.
    """
    embed_raw = vgg16_embedder(embed, cache_folder)
    raw = embed_raw(files.posters, track=track)
    look = fit_look(STANDARDISED, np.array_split(raw, -(-len(raw) // _BLOCK)), embed.sha256)
    name_of = {each: f"VGG16, {_weights_name(embed)}, {each}" for each in (STANDARDISED, RAW)}
    embedders = {name_of[STANDARDISED]: look_embedder(embed_raw, look), name_of[RAW]: embed_raw}
    embedders |= {name: baseline_embedder(baseline) for name, baseline in BASELINES.items()}
    movie_ids = np.array(list(files.posters), dtype=np.int64)
    originals = {
        name: raw if name == name_of[RAW] else embed_files(files.posters, track=track)
        for name, embed_files in embedders.items()
    }
    chosen = np.unique(np.linspace(0, len(movie_ids) - 1, distorted or len(movie_ids), dtype=np.int64))
    to_distort = {movie_id: files.posters[movie_id] for movie_id in movie_ids[chosen].tolist()}

    def search_files(queries: Mapping[int, Path], label: str, **options: Any) -> dict[str, SearchResult]:
        return search_all(queries, embedders, originals, movie_ids, label=label, track=track, **options)

    found = search_files(files.alternates, "Alternates") if files.alternates else {}
    return {
        "title": "Poster search",
        "weights": embed.weights,
        "weights_sha256": embed.sha256,
        "posters": len(files.posters),
        "distorted": len(to_distort),
        "distortions": [
            {
                "distortion": distortion.name,
                "words": distortion.description,
                "methods": [
                    _method(name, {"recall_1": recall(result, 1), "score": median(result.scores)})
                    for name, result in search_files(to_distort, distortion.name, distortion=distortion).items()
                ],
            }
            for distortion in DISTORTIONS
        ],
        "nearest_other": [_method(name, {"score": median(nearest_other(originals[name]))}) for name in embedders],
        "alternates": len(files.alternates),
        "methods": [
            _method(name, _alternate_metrics(result, found[name_of[RAW]], len(files.posters)))
            for name, result in found.items()
        ],
        "warnings": list(files.warnings),
    }


def _readable(files: PosterFiles) -> PosterFiles:
    """Drop files that cannot be decoded, so that an error comes before hours of embedding."""
    warnings = list(files.warnings)

    def decodable(images: Mapping[int, Path], kind: str) -> dict[int, Path]:
        readable = {}
        for movie_id, file in images.items():
            try:
                decode_image(read_image(file))
            except (OSError, BadImage) as error:
                warnings.append(f"the {kind} of movie {movie_id} is left out: {error}")
            else:
                readable[movie_id] = file
        return readable

    posters = decodable(files.posters, "poster")
    alternates = decodable(files.alternates, "alternate")
    shared = {movie_id: file for movie_id, file in alternates.items() if movie_id in posters}
    return PosterFiles(posters, shared, tuple(warnings))


def _weights_name(embed: Vgg16) -> str:
    names = {"imagenet": "ImageNet weights", "untrained": "untrained weights"}
    return names.get(embed.weights, f"weights {embed.sha256[:8]}")


def _method(name: str, estimates: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": name, "figures": {metric: asdict(estimate) for metric, estimate in estimates.items()}}


def _alternate_metrics(result: SearchResult, raw: SearchResult, posters: int) -> dict[str, Any]:
    recalls = {f"recall_{k}": recall(result, k) for k in LENGTHS if k <= posters}
    return recalls | {"recall_1_gain": recall_gain(result, raw, 1), "reciprocal_rank": reciprocal_rank(result)}
