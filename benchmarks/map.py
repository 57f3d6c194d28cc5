"""Frame rate and layout time of a poster map of 10,000 posters.

Movies, ratings and posters are generated; maps, sprite sheets, server and page are real. Chromium runs without a GPU,
so it draws on the CPU cores that the server and the benchmark use, too.

Expected before measuring: 45 frames a second with all 10,000 posters in view at 1280 x 800, since a frame is four large
images; 60 when zoomed in; 15 during the transition between the maps, since each poster is drawn separately then. One
minute for a layout of 10,000, 50 seconds of it t-SNE; 20 seconds for the sprite sheets. Target: 30 frames a second.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import running, serve_command
from index.catalogue.catalogue import Catalogue
from index.core.ids import Ids
from index.core.progress import T
from index.snapshot.store import Manifest, SnapshotStore
from index.spaces.space import Space
from indexer.build import build
from indexer.config import Plan
from indexer.maps.layout import write_maps
from indexer.models.factorization_machine import Settings
from indexer.spaces.writer import write_space
from tests.browser.conftest import FLAGS

FAMILIES = 100  # of similar movies
USERS, RATED = 400, 100  # ratings per user, besides those that give every movie one
SECONDS = 5  # of a measurement

# Move the map before each frame; return the milliseconds between frames.
MEASURE = """async ([how, seconds]) => {
  const canvas = document.querySelector(".map canvas");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const at = (x, y) => ({ clientX: left + x, clientY: top + y, pointerId: 1, bubbles: true, button: 0 });
  const centre = at(width / 2, height / 2);
  const wheel = (by) => canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: by, cancelable: true, ...centre }));
  const held = (step) => at(width / 2 + 250 * Math.sin(step / 20), height / 2 + 150 * Math.sin(step / 31));
  const drag = (type, step) => canvas.dispatchEvent(new PointerEvent(type, held(step)));
  canvas.setPointerCapture = () => {};
  const times = [];
  const end = performance.now() + 1000 * seconds;
  if (how === "drag") drag("pointerdown", 0);
  for (let step = 1; performance.now() < end; step++) {
    if (how === "zoom") wheel(step % 60 < 30 ? -4 : 4);
    if (how === "through") wheel(step % 120 < 60 ? -20 : 20);
    if (how === "drag") drag("pointermove", step);
    times.push(await new Promise(requestAnimationFrame));
  }
  if (how === "drag") drag("pointercancel", 0);
  return times.slice(1).map((time, step) => time - times[step]);
}"""


@click.command()
@click.option("--films", default=10_000, show_default=True, type=click.IntRange(100))
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Keep the generated snapshot here, and reuse it."
)
def main(films: int, data: Path | None) -> None:
    """Lay out the posters of FILMS movies, serve the map, and measure its frame rate."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary)
        make_snapshot(folder, films)
        with running(serve_command(folder)) as server:
            measure_page(f"http://127.0.0.1:{server.port}/map")


def make_snapshot(folder: Path, n_movies: int) -> None:
    """Publish a snapshot of generated movies: build their ratings, then add generated posters and maps."""
    rng = np.random.default_rng(0)
    families = rng.integers(FAMILIES, size=n_movies)
    store = SnapshotStore(folder)
    if store.current_id() is None:
        write_ratings(folder / "ratings", families, rng)
        build(Plan(folder / "ratings", folder, settings=Settings(factors=4, chains=1, iterations=60, burn_in=10)))
    if "poster" in store.manifest().spaces:
        return
    begun = time.perf_counter()
    posters = {
        movie_id: draw_poster(folder / "posters" / f"{movie_id}.jpg", family, rng)
        for movie_id, family in enumerate(families.tolist(), 1)
    }
    print(f"{n_movies:,} posters drawn in {time.perf_counter() - begun:.0f} s", flush=True)
    built = store.manifest()
    with store.writing() as fresh:
        shutil.copytree(store.path(), fresh, dirs_exist_ok=True)
        (fresh / "manifest.json").unlink()
        shutil.rmtree(fresh / "map")
        catalogue = Catalogue.from_json(json.loads((fresh / "movies.json").read_bytes()))
        names = tuple(posters[movie.movie_id].name for movie in catalogue.movies)
        with_posters = Catalogue(catalogue.movies, catalogue.rating_counts, catalogue.rating_means, names)
        (fresh / "movies.json").write_text(json.dumps(with_posters.to_json()))
        centres = rng.normal(size=(FAMILIES, 128))
        vectors = 0.7 * centres[families] + rng.normal(size=(n_movies, 128))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        write_space(
            fresh / "poster", Ids(sorted(posters)), vectors.astype(np.float32), rng, label="poster", track=timed
        )
        weights = {"name": "untrained", "sha256": "0" * 64}
        facts_of_spaces = {
            **built.spaces,
            "poster": {"dimension": 128, "metric": "inner product", "movies": n_movies, "weights": weights},
        }
        spaces = {name: Space.load(name, fresh / name, facts_of_spaces[name]) for name in ("poster", "taste")}
        begun = time.perf_counter()
        maps = write_maps(fresh, spaces, {}, posters, rng, track=timed)
        print(f"both maps and their sprite sheets in {time.perf_counter() - begun:.0f} s")
        print(json.dumps({name: facts["quality"] for name, facts in maps.items()}))
        sheets = sum(file.stat().st_size for file in (fresh / "map").glob("*.webp"))
        print(f"sprite sheets: {sheets / 1e6:.1f} MB")
        facts: dict[str, Any] = {
            name: getattr(built, name)
            for name in Manifest.__slots__
            if name not in {"id", "created", "files", "format"}
        }
        changed = {"spaces": facts_of_spaces, "maps": maps, "blend": {"poster": 1.0, **built.blend}}
        store.publish(fresh, **facts | changed)


def timed(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Yield the items, then print the time they took."""
    begun = time.perf_counter()
    yield from items
    print(f"{label} ({total}): {time.perf_counter() - begun:.1f} s", flush=True)


def write_ratings(folder: Path, families: np.ndarray[Any, Any], rng: np.random.Generator) -> None:
    """Write movies and ratings; each user likes the movies of some families."""
    folder.mkdir(parents=True)
    with (folder / "movies.csv").open("w", newline="") as stream:
        movies = [
            (row + 1, f"Film {row + 1} of {family} ({1950 + family % 70})", "Drama")
            for row, family in enumerate(families)
        ]
        csv.writer(stream).writerows([("movieId", "title", "genres"), *movies])
    with (folder / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("userId", "movieId", "rating", "timestamp"))
        for user in range(USERS):
            liked = rng.random(FAMILIES) < 0.3
            rated = set(range(user, families.size, USERS)) | set(rng.choice(families.size, RATED).tolist())
            writer.writerows((user + 1, row + 1, 4.5 if liked[families[row]] else 2.0, 10**9) for row in sorted(rated))


def draw_poster(file: Path, family: int, rng: np.random.Generator) -> Path:
    """Write a poster in its family's colours, 342 x 513 as TMDB's smaller ones."""
    family_rng = np.random.default_rng(family)
    background = tuple((family_rng.integers(0, 200, 3) + rng.integers(0, 40, 3)).tolist())
    image = Image.effect_noise((342, 513), 40).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, background), 0.8)
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = int(rng.integers(0, 250)), int(rng.integers(0, 400))
        pen.ellipse((x, y, x + 90, y + 110), fill=tuple(family_rng.integers(0, 256, 3).tolist()))
    image.save(file, quality=85)
    return file


def measure_page(address: str) -> None:
    """Open the map, move it, and print the frame rates."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        begun = time.perf_counter()
        page.goto(f"{address}?by=poster")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        print(f"all posters drawn {time.perf_counter() - begun:.1f} s after the request")
        report(page, "zoom", "all in view, zoomed")
        report(page, "through", "zoomed from all to 8 times and back")
        page.goto(f"{address}?by=poster&x=60&y=60&zoom=2.5")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        report(page, "drag", "zoomed 2.5 times, dragged")
        page.goto(f"{address}?by=poster&x=60&y=60&zoom=10")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        report(page, "drag", "zoomed 10 times, dragged")
        page.goto(f"{address}?by=poster")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        for by in ("taste", "poster"):  # the first transition also loads the other map
            page.locator(f".map-ways label:has([value={by}])").click()
            report(page, "watch", f"all in view, transition to {by}", 1.2)
            page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        browser.close()


def report(page: Page, gesture: str, label: str, seconds: float = SECONDS) -> None:
    """Print the frame rate, and the 99th percentile of frame times, during a gesture."""
    times = sorted(page.evaluate(MEASURE, [gesture, seconds]))
    rate, slow = 1000 * len(times) / sum(times), times[int(0.99 * len(times))]
    print(f"{label}: {rate:.0f} frames a second; 99% within {slow:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
