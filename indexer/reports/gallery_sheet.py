"""The gallery as a JSON file and a self-contained HTML page: the nearest neighbours of a few movies as posters."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from index.core.errors import BadImage
from index.core.files import write_durably
from index.posters.images import decode_image, read_image, webp
from index.snapshot.gallery import HEADINGS, GalleryMovie
from indexer.datasets.dataset import Dataset
from indexer.reports.report_html import environment

JSON_FILE, PAGE_FILE = "gallery.json", "gallery.html"
WORDS = {
    "item-cosine": "who rated both, and how; a missing rating counts as zero (the 2017 article)",
    "sgd": "cosine of the movie factors of a matrix factorisation that predicts ratings well (the 2017 article)",
    "taste": "the rating model's posterior samples",
    "poster": "VGG16's embedding of the poster",
}
_WIDTH = 160  # pixels of a poster, twice its width on the page


def gallery_section(movies: Sequence[GalleryMovie], dataset: Dataset, weights: str | None) -> dict[str, Any]:
    """Return the gallery as JSON values, with titles.

    Args:
        movies: with their nearest neighbours.
        dataset: of the movies.
        weights: VGG16's, as given; None without posters.
    """
    titles = {movie.movie_id: str(movie) for movie in dataset.movies}

    def named(movie_id: int) -> dict[str, Any]:
        return {"movie_id": movie_id, "title": titles[movie_id]}

    return {
        "title": "Gallery",
        "dataset": dataset.name,
        "notice": dataset.notice,
        "weights": weights,
        "movies": [
            named(movie.movie_id) | {"nearest": {name: [*map(named, ids)] for name, ids in movie.nearest.items()}}
            for movie in movies
        ],
    }


def write_gallery(folder: Path, section: Mapping[str, Any], posters: Mapping[int, Path]) -> None:
    """Write the gallery into ``folder``, as JSON and as a page; a movie without a readable poster is shown by title.

    Args:
        folder: created if it does not exist.
        section: from ``gallery_section``.
        posters: movie id -> file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shown = {movie["movie_id"] for movie in section["movies"]} | {
        other["movie_id"] for movie in section["movies"] for others in movie["nearest"].values() for other in others
    }
    pictures = {}
    for movie_id in sorted(shown & posters.keys()):
        with suppress(OSError, BadImage):
            small = webp(decode_image(read_image(posters[movie_id])), _WIDTH)
            pictures[movie_id] = f"data:image/webp;base64,{base64.b64encode(small).decode()}"
    page = (
        environment()
        .get_template("gallery.html")
        .render(section=section, headings=HEADINGS, words=WORDS, pictures=pictures)
    )
    write_durably(folder / JSON_FILE, json.dumps(section, ensure_ascii=False, indent=1).encode())
    write_durably(folder / PAGE_FILE, page.encode())
