"""Choice of the look vectors on other artwork, by nested validation; statistics of channels that ship with the code."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from index.core.arrays import BoolArray, Float32Array
from index.posters import look_vectors, vgg16
from index.posters.look_vectors import RAW, STANDARDISED, Look, channel_statistics, fit_look
from indexer.evaluate_posters import find_poster_files
from indexer.evaluation.poster_search import SearchResult, search
from indexer.sample import make_sample
from indexer.spaces.embed import embed_posters
from indexer.spaces.poster_files import find_posters

SIGMAS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # cells
FLOORS = (0.03, 0.1, 0.3)
SPLITS = 20  # random halves of the films
SMALL = (1, 10, 30, 100, 300)  # posters that the statistics of a small catalogue are fitted to
PRIORS = (0, 5, 20, 50, 150)
_BLOCK = 256


@dataclass(frozen=True)
class Posters:
    """Raw embeddings of posters, and of other artwork of some of the movies."""

    originals: Float32Array  # (n, 25088)
    alternates: Float32Array  # (q, 25088)
    relevant: np.ndarray  # (q,) row of each alternate's original
    weights: str  # SHA-256


@click.group()
def main() -> None:
    """Choose and fit look vectors."""


@main.command()
@click.option("--weights", default="imagenet", show_default=True)
def channels(weights: str) -> None:
    """Write mean and deviation of each channel on the sample's drawn posters to the file that ships."""
    embed = vgg16.load(weights)
    if embed.weights != "imagenet":
        raise click.UsageError(f"{weights} does not hold ImageNet weights: give a file of them, or imagenet")
    with tempfile.TemporaryDirectory() as folder:
        make_sample(Path(folder))
        files, _ = find_posters(Path(folder) / "posters", None)
        embeddings = embed_posters(files, embed, Path(folder) / "embeddings")
        np.save(look_vectors.IMAGENET_FILE, channel_statistics(embeddings.blocks()))
    print(f"{look_vectors.IMAGENET_FILE}: {len(embeddings)} posters")


@main.command()
@click.option("--posters", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--alternates", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", default="imagenet", show_default=True)
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True, help="For embeddings.")
def choose(posters: Path, alternates: Path, weights: str, cache: Path) -> None:
    """Print recall of other artwork by smoothing and floor, nested, and by catalogues of few posters."""
    found = embedded(posters, alternates, weights, cache)
    print(f"{len(found.originals)} posters, other artwork of {len(found.relevant)}")
    results = {RAW: searched(found, Look())}
    for sigma in SIGMAS:
        for floor in FLOORS:
            look = fit_look(STANDARDISED, blocks(found.originals), found.weights, sigma=sigma, floor=floor)
            results[f"sigma {sigma:g}, floor {floor:g}"] = searched(found, look)
    for name, result in results.items():
        print(f"  {name:24}" + "".join(f"  R@{k} {np.mean(result.ranks <= k):.4f}" for k in (1, 5, 10)))
    print_nested({name: result.ranks <= 1 for name, result in results.items()})
    print("R@1 with statistics of few posters, by prior " + ", ".join(map(str, PRIORS)))
    chosen = np.random.default_rng(0).permutation(len(found.originals))
    for n in SMALL:
        few = [found.originals[chosen[:n]]]
        looks = [fit_look(STANDARDISED, few, found.weights, prior=prior) for prior in PRIORS if prior or n > 1]
        print(f"  {n:4} posters " + " ".join(f"{np.mean(searched(found, look).ranks <= 1):.4f}" for look in looks))


def embedded(posters: Path, alternates: Path, weights: str, cache: Path) -> Posters:
    """Return the embeddings of both folders."""
    files = find_poster_files(posters, alternates)
    embed = vgg16.load(weights)
    originals, others = (embed_posters(each, embed, cache) for each in (files.posters, files.alternates))
    known = np.isin(others.movie_ids, originals.movie_ids)
    relevant = np.searchsorted(originals.movie_ids, others.movie_ids[known])
    return Posters(originals.vectors, others.vectors[known], relevant, embed.sha256)


def blocks(vectors: Float32Array) -> Iterator[Float32Array]:
    """Yield vectors (n, d) in blocks."""
    for start in range(0, len(vectors), _BLOCK):
        yield vectors[start : start + _BLOCK]


def searched(posters: Posters, look: Look) -> SearchResult:
    """Return the search of all alternates among all originals."""
    originals, alternates = (
        np.concatenate([look(block) for block in blocks(each)]) for each in (posters.originals, posters.alternates)
    )
    return search(alternates, posters.relevant, originals)


def print_nested(correct: dict[str, BoolArray]) -> None:
    """Print recall on one half of the films by the setting that is best on the other half, over random halves."""
    names = list(correct)
    table = np.array(list(correct.values()))
    rng, nested, chosen = np.random.default_rng(0), [], []
    for _ in range(SPLITS):
        halves = np.array_split(rng.permutation(table.shape[1]), 2)
        for inside, outside in (halves, halves[::-1]):
            best = int(table[:, inside].mean(axis=1).argmax())
            chosen.append(names[best])
            nested.append((table[best, outside].mean(), table[0, outside].mean()))
    ours, raw = np.mean(nested, axis=0)
    print(
        f"Nested R@1 {ours:.4f}, raw {raw:.4f}; chosen: "
        + ", ".join(f"{n} ({chosen.count(n)})" for n in dict.fromkeys(chosen))
    )


if __name__ == "__main__":
    main()
