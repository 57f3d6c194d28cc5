"""Choice of the year's weight and width in the facts, and of the facts' weight in the blend.

By nested validation on triplets of movies.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import click
import numpy as np

from index.core.arrays import Float64Array, Int64Array
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.blend_weights import standardised
from indexer.evaluation.candidates import CandidateSpace, pair_scores, vector_space
from indexer.evaluation.evidence import Triplets, evidence
from indexer.evaluation.similarity import co_liked_triplets, correct_triplets
from indexer.evaluation.splits import kfold
from indexer.models import factorization_machine
from indexer.models.factorization_machine import Settings
from indexer.spaces.facts import PEOPLE, SERIES, WEIGHTS, facts_vectors
from indexer.spaces.taste import taste_vectors

YEARS = (0.15, 0.2, 0.25, 0.3, 0.4)  # shares of the year; that of tags stays, genres have the rest
WIDTHS = (1.0, 2.0, 3.0, 5.0, 8.0)  # standard deviations of the similarity by year
BLENDED = (0.5, 0.75, 1.0, 1.25)  # weights of the facts, beside a weight of 1 of taste
SPLITS = 40  # random halves of the users and movies
KEYWORDS = "keywords"

Setting = tuple[float, float, float]  # share and width of the year, weight of the facts
Gains = dict[str, tuple[Float64Array, Int64Array]]  # kind -> blend, leads over taste and facts (3, settings, q); groups


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--facts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With people and keywords.")
@click.option("--labels/--no-labels", default=True, help="Use the labels in the facts, not only to judge by them.")
@click.option("--iterations", default=Settings().iterations, show_default=True)
def main(ratings: Path, facts: Path | None, *, labels: bool, iterations: int) -> None:
    """Print the blend's lead over taste and over facts by every kind of evidence, and the nested choice."""
    dataset = read_dataset(ratings, facts=facts)
    found = measured(dataset, Settings(iterations=iterations), labels=labels)
    settings: list[Setting] = list(product(YEARS, WIDTHS, BLENDED))
    everything = {kind: np.ones(groups.size, dtype=np.bool_) for kind, (_, groups) in found.items()}
    print("share and width of the year, weight of the facts: blend, lead over taste, lead over facts")
    for at, (year, width, weight) in enumerate(settings):
        means = {kind: values[:, at].mean(axis=1) for kind, (values, _) in found.items()}
        told = ", ".join(f"{kind} {m[0]:.4f} {m[1]:+.4f} {m[2]:+.4f}" for kind, m in means.items())
        print(f"  {year:4} {width:3} {weight:4}  {told}")
    print(f"Chosen: {settings[choose(found, everything)]}")
    rng, chosen, nested = np.random.default_rng(0), [], []
    for _ in range(SPLITS):
        inside = {kind: halved(groups, rng) for kind, (_, groups) in found.items()}
        for half in (inside, {kind: ~mask for kind, mask in inside.items()}):
            at = choose(found, half)
            chosen.append(settings[at])
            nested.append([values[:, at][:, ~half[kind]].mean(axis=1) for kind, (values, _) in found.items()])
    print("Nested, on the other half: " + ", ".join(f"{each} ({n})" for each, n in Counter(chosen).most_common()))
    for kind, (blend, taste, of_facts) in zip(found, np.mean(nested, axis=0), strict=True):
        print(f"  {kind}: blend {blend:.4f}, over taste {taste:+.4f}, over facts {of_facts:+.4f}")


def measured(dataset: Dataset, settings: Settings, *, labels: bool) -> Gains:
    """Return the triplets in order by the blend, and its gains over its parts, of the first of five folds."""
    held_out = next(iter(kfold(len(dataset.ratings), 5)))
    training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
    rng = np.random.default_rng(0)
    rated = np.unique(training.movie_rows)
    posterior = factorization_machine.fit(training, rng, settings)
    taste = vector_space(rated, taste_vectors(posterior, rated), training.movie_ids, rng)
    asked = {"co_liked": co_liked_triplets(training, test, rng)}
    asked |= evidence(training, dataset.tags, dataset.labels, rng)
    if KEYWORDS in dataset.labels:  # judged as people are: two shared ones
        named = {"actors": dataset.labels[KEYWORDS]}
        asked[KEYWORDS] = evidence(training, {}, named, rng)["people"]
    found: Gains = {}
    for kind, triplets in asked.items():
        alone = correct(taste, triplets)
        rows = []
        for year, width in product(YEARS, WIDTHS):
            space = facts_space(dataset, training, kind, year, width, rng, labels=labels)
            by_facts = correct(space, triplets)
            for weight in BLENDED:
                both = correct(taste, triplets, space, weight)
                rows.append([both, both - alone, both - by_facts])
        values = np.swapaxes(np.array(rows), 0, 1)
        known = ~np.isnan(values).any(axis=(0, 1))
        found[kind] = values[..., known], triplets.groups[known]
    return found


def facts_space(
    dataset: Dataset,
    training: Training,
    judge: str,
    year: float,
    width: float,
    rng: np.random.Generator,
    *,
    labels: bool,
) -> CandidateSpace:
    """Return the facts with a share and a width of the year, without those facts that it is judged by."""
    left_out = PEOPLE if judge == "people" else (judge,)
    used = {kind: given for kind, given in dataset.labels.items() if labels and kind not in left_out}
    shares = {"genres": 1 - year - WEIGHTS["tags"], "year": year, "tags": WEIGHTS["tags"]}
    tags = {} if judge == "tags" else dataset.tags
    rows, vectors = facts_vectors(training.movies, tags, used, series=judge != SERIES, shares=shares, years_apart=width)
    return vector_space(rows, vectors, training.movie_ids, rng)


def correct(
    space: CandidateSpace, triplets: Triplets, other: CandidateSpace | None = None, weight: float = 0
) -> Float64Array:
    """Return if a space, or its sum with a weighted other one, has triplets in order, (q,); NaN without a score."""
    scores = np.zeros(triplets.others.shape)
    for each, factor in ((space, 1.0), (other, weight)):
        if each is not None and each.space is not None:
            found = pair_scores(each, triplets.anchors, triplets.others)
            scores += factor * standardised(found, each.space)
    return correct_triplets(scores[0], scores[1])


def choose(found: Gains, halves: dict[str, np.ndarray]) -> int:
    """Return the setting of the best keywords, of those whose blend leads both parts by every other kind.

    Without keywords, or such a setting: the largest least lead.
    """
    means = {kind: values[..., halves[kind]].mean(axis=-1) for kind, (values, _) in found.items()}
    least = np.min([mean[1:].min(axis=0) for kind, mean in means.items() if kind != KEYWORDS], axis=0)
    if KEYWORDS not in means or not (least > 0).any():
        return int(least.argmax())
    return int(np.where(least > 0, means[KEYWORDS][0], -np.inf).argmax())


def halved(groups: Int64Array, rng: np.random.Generator) -> np.ndarray:
    """Return a mask (q,) of the triplets of a random half of the groups."""
    names, at = np.unique(groups, return_inverse=True)
    return (rng.random(names.size) < 0.5)[at]


if __name__ == "__main__":
    main()
