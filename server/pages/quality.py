"""The page "How good is it": the snapshot, and its scores on held-out ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template

from index.answers.serialize import percent
from index.catalogue.catalogue import Catalogue
from index.core.errors import UnknownMovie
from index.snapshot.store import Manifest
from server.pages.gallery import compared_films
from server.pages.quality_charts import (
    OURS,
    SPACES,
    blend_plot,
    diversity_plot,
    poster_plots,
    ranking_plot,
    rating_plots,
    rmse_of,
)
from server.state.current_snapshot import movie_index

OLDER = "It was built by an older version of Posterity, which did not evaluate its model."


@dataclass(frozen=True, slots=True)
class Tally:
    """A headline figure, with its unit in words."""

    number: str
    words: str


def quality_page() -> str:
    """Show the snapshot that is served, and its evaluation."""
    index = movie_index()
    manifest = index.manifest
    evaluation = manifest.evaluation
    known = "methods" in evaluation
    unit = "stars" if manifest.ratings["scale"][1] <= 5 else "points"
    ranker = manifest.ratings["ranker"]
    validation = ranker["validation"] if ranker["validation"]["scores"] else None
    report = manifest.spaces.get("poster", {}).get("search", {}).get("card")
    return render_template(
        "quality.html",
        unit=unit,
        ours=rmse_of(evaluation, OURS) if known else None,
        movie_mean=rmse_of(evaluation, "movie-mean") if known else None,
        evaluation=evaluation,
        missing=None if known else evaluation.get("left_out", OLDER),
        tallies=_tallies(evaluation if known else {}, ranker, report),
        ratings=rating_plots(evaluation, unit) if known else (),
        ranking=None if validation is None else ranking_plot(validation, ranker["method"]),
        diversity=diversity_plot(evaluation["diversity"]) if "diversity" in evaluation else None,
        blend=blend_plot(manifest.blend),
        posters=() if report is None else poster_plots(report),
        gallery=compared_films(index),
        factors=any("sgd" in movie.nearest for movie in index.gallery.movies),
        sampled=index.gallery.ratings if index.gallery.ratings < manifest.dataset["ratings"] else None,
        facts=_facts(manifest),
        unreadable=_unreadable(manifest, index.catalogue),
    )


def _tallies(
    evaluation: Mapping[str, Any], ranker: Mapping[str, Any], report: Mapping[str, Any] | None
) -> tuple[Tally, ...]:
    tallies = []
    if evaluation:
        better = 1 - rmse_of(evaluation, OURS) / rmse_of(evaluation, "movie-mean")
        tallies.append(Tally(f"{better:.0%}", "nearer to what people say than each film's mean"))
        (middle,) = (each for each in evaluation["intervals"] if each["level"] == 0.8)
        tallies.append(Tally(f"{middle['inside']['value']:.0%}", "of ratings lie where its 80% intervals say"))
    scores = ranker["validation"]["scores"]
    if ranker["method"] in scores:
        tallies.append(Tally(f"{scores[ranker['method']]:.2f}", "nDCG@10 of its recommendations, of 1 at most"))
    if report is not None:
        tallies.append(Tally(percent(report["recall_at_10"]), "of the ten nearest posters are found"))
    return tuple(tallies)


def _facts(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    dataset, ratings, posters = manifest.dataset, manifest.ratings, manifest.posters
    size = f"{ratings['factors']} factors, {ratings['samples']:,} samples, seed {ratings['seed']}"
    facts = [
        ("Data set", dataset["name"]),
        ("Ratings", f"{dataset['ratings']:,} by {dataset['users']:,} people"),
        ("Films", f"{dataset['movies']:,}, of which {dataset['rated_movies']:,} are rated"),
        (
            "Posters",
            f"{posters['posters']:,}, {posters['embedded']:,} newly embedded" if posters["posters"] else "none",
        ),
        ("Built", f"{datetime.fromisoformat(manifest.created):%-d %B %Y, %H:%M} UTC, by Posterity {manifest.version}"),
        ("Snapshot", manifest.id),
        ("Rating model", f"{ratings['method']}; {size}"),
    ]
    for name, space in manifest.spaces.items():
        facts.append((SPACES.get(name, name), f"{space['movies']:,} films, {space['dimension']:,} numbers each"))
    poster = manifest.spaces.get("poster")
    if poster is not None:
        weights = poster["weights"]
        facts.append(("VGG16 weights", f"{weights['name']}, SHA-256 {weights['sha256'][:12]}…"))
        if "path" in poster:
            path = poster["path"]
            facts.append(("Embedded in", f"{path['name']}, cosine to float32 {path['agreement']:.6f}"))
    return tuple(facts)


def _unreadable(manifest: Manifest, catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    """Return the title, or the id of a deleted movie, and the reason, of every unreadable poster."""
    named = []
    for movie_id, reason in manifest.posters["unreadable"].items():
        try:
            named.append((str(catalogue.movie(int(movie_id))), reason))
        except UnknownMovie:
            named.append((f"Movie {movie_id}", reason))
    return tuple(named)
