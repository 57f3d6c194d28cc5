"""Choice of the weight of collections in the facts: the parts of a series found, against what other evidence loses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks.likeness import KEYWORDS, correct
from index.catalogue.movie import Movie
from index.core.arrays import Float32Array, Int64Array
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.candidates import vector_space
from indexer.evaluation.evidence import evidence, series_title
from indexer.evaluation.similarity import co_liked_triplets
from indexer.evaluation.splits import kfold
from indexer.spaces.facts import PEOPLE, facts_vectors

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.2)
NEAREST = 10
COLLECTIONS = "collections"
_LONGEST = 30  # movies


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--facts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With people and keywords.")
def main(ratings: Path, facts: Path | None) -> None:
    """Print, by the weight of collections, the share of parts among the nearest by facts, and of triplets in order.

    Collections are the series by name. As those of TMDB tell what titles do not, the facts are made without the
    beginnings of titles.
    """
    dataset = read_dataset(ratings, facts=facts)
    held_out = next(iter(kfold(len(dataset.ratings), 5)))
    training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
    parts = parts_of(training.movies)
    rng = np.random.default_rng(0)
    asked = {"co_liked": co_liked_triplets(training, test, rng)}
    asked |= evidence(training, dataset.tags, dataset.labels, rng)
    asked.pop("series")  # these are the collections
    if KEYWORDS in dataset.labels:
        asked[KEYWORDS] = evidence(training, {}, {"actors": dataset.labels[KEYWORDS]}, rng)["people"]
    print(f"{len(parts):,} of {len(training.movies):,} movies are parts of {len(set(parts.values())):,} collections")
    labels = {COLLECTIONS: {movie_id: [name] for movie_id, name in parts.items()}, **dataset.labels}
    for weight in WEIGHTS:
        rows, vectors = facts_vectors(training.movies, dataset.tags, labels, {COLLECTIONS: weight})
        cells = [f"parts {parts_found(rows, vectors, training.movies, parts):.4f}"]
        for kind, triplets in asked.items():
            left_out = PEOPLE if kind == "people" else (kind,)
            tags = {} if kind == "tags" else dataset.tags
            used = {name: given for name, given in labels.items() if name not in left_out}
            of_kind = facts_vectors(training.movies, tags, used, {COLLECTIONS: weight})
            space = vector_space(*of_kind, training.movie_ids, np.random.default_rng(0))
            cells.append(f"{kind} {np.nanmean(correct(space, triplets)):.4f}")
        print(f"  {weight:4}  {', '.join(cells)}")


def parts_of(movies: Sequence[Movie]) -> dict[int, str]:
    """Return the series of each movie that is part of one; movies that only have the same title are remakes."""
    series: dict[str, list[Movie]] = defaultdict(list)
    for movie in movies:
        series[series_title(movie)].append(movie)
    return {
        movie.movie_id: name
        for name, found in series.items()
        if name and len(found) <= _LONGEST and len({each.title.casefold() for each in found}) == len(found) > 1
        for movie in found
    }


def parts_found(rows: Int64Array, vectors: Float32Array, movies: Sequence[Movie], parts: dict[int, str]) -> float:
    """Return the mean share of a part's other parts among its nearest movies, of as many as can be there."""
    names = np.array([parts.get(movies[row].movie_id, "") for row in rows.tolist()])
    shares = []
    for at in np.flatnonzero(names != ""):
        others = np.flatnonzero(names == names[at])
        if others.size > 1:
            scores = vectors @ vectors[at]
            scores[at] = -np.inf
            nearest = np.argpartition(-scores, NEAREST)[:NEAREST]
            shares.append(np.isin(nearest, others).sum() / min(NEAREST, others.size - 1))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
