"""How smooth the poster map is with 10,000 posters, and how long it takes to lay them out.

Films, ratings and posters are generated; the map, its sheets, the server and the page are the real ones. Chromium runs
without a graphics card, so everything is drawn by the processor that the server and the benchmark share.

Expected before it was measured: 45 frames a second with all 10,000 posters in view at 1280 x 800, as a frame is four
large pictures; 60 from nearer; 15 while the posters move from one map to the other, as each is drawn by itself then. A
minute for a layout of 10,000, of which 50 seconds t-SNE; 20 seconds for the sheets. Target: 30 frames a second.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import wait_until_ready
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
from tests.serving import free_port

FAMILIES = 100
USERS, RATED = 400, 100
SECONDS = 5

# Does something to the map before each frame; afterwards tells the milliseconds between frames.
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
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Keeps what is made, and takes it again."
)
def main(films: int, data: Path | None) -> None:
    """Lay FILMS films out, serve them, and count frames."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary)
        make(folder, films)
        port = free_port()
        command = [sys.executable, "-m", "posterity", "serve", "--data", str(folder), "--port", str(port)]
        with subprocess.Popen([*command, "--read-limit", ""], stdout=subprocess.DEVNULL) as server:
            try:
                wait_until_ready(port)
                look_at(f"http://127.0.0.1:{port}/map")
            finally:
                server.terminate()


def make(folder: Path, films: int) -> None:
    """A snapshot of generated films: a real build of their ratings, then posters and maps on top of it."""
    rng = np.random.default_rng(0)
    families = rng.integers(FAMILIES, size=films)
    store = SnapshotStore(folder)
    if store.current_id() is None:
        write_ratings(folder / "ratings", families, rng)
        build(Plan(folder / "ratings", folder, settings=Settings(factors=4, chains=1, iterations=60, burn_in=10)))
    if "poster" in store.manifest().spaces:
        return
    begun = time.perf_counter()
    posters = {
        film: draw(folder / "posters" / f"{film}.jpg", family, rng) for film, family in enumerate(families.tolist(), 1)
    }
    print(f"{films:,} posters drawn in {time.perf_counter() - begun:.0f} s", flush=True)
    before = store.manifest()
    with store.writing() as fresh:
        shutil.copytree(store.path(), fresh, dirs_exist_ok=True)
        (fresh / "manifest.json").unlink()
        shutil.rmtree(fresh / "map")
        catalogue = Catalogue.from_json(json.loads((fresh / "movies.json").read_bytes()))
        names = tuple(posters[movie.movie_id].name for movie in catalogue.movies)
        known = Catalogue(catalogue.movies, catalogue.rating_counts, catalogue.rating_means, names)
        (fresh / "movies.json").write_text(json.dumps(known.to_json()))
        centres = rng.normal(size=(FAMILIES, 128))
        vectors = 0.7 * centres[families] + rng.normal(size=(films, 128))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        write_space(
            fresh / "poster", Ids(sorted(posters)), vectors.astype(np.float32), rng, label="poster", track=timed
        )
        weights = {"name": "untrained", "sha256": "0" * 64}
        made = {
            **before.spaces,
            "poster": {"dimension": 128, "metric": "inner product", "movies": films, "weights": weights},
        }
        spaces = {name: Space.load(name, fresh / name, made[name]) for name in ("poster", "taste")}
        begun = time.perf_counter()
        maps = write_maps(fresh, spaces, {}, posters, rng, track=timed)
        print(f"both maps and their sheets in {time.perf_counter() - begun:.0f} s")
        print(json.dumps({name: facts["quality"] for name, facts in maps.items()}))
        sheets = sum(file.stat().st_size for file in (fresh / "map").glob("*.webp"))
        print(f"sheets: {sheets / 1e6:.1f} MB")
        facts: dict[str, Any] = {
            name: getattr(before, name)
            for name in Manifest.__slots__
            if name not in {"id", "created", "files", "format"}
        }
        store.publish(fresh, **facts | {"spaces": made, "maps": maps, "blend": {"poster": 1.0, **before.blend}})


def timed(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """The items; what they took is printed."""
    begun = time.perf_counter()
    yield from items
    print(f"{label} ({total}): {time.perf_counter() - begun:.1f} s", flush=True)


def write_ratings(folder: Path, families: np.ndarray[Any, Any], rng: np.random.Generator) -> None:
    """Users who each love the films of some families."""
    folder.mkdir(parents=True)
    with (folder / "movies.csv").open("w", newline="") as stream:
        movies = [
            (film + 1, f"Film {film + 1} of {family} ({1950 + family % 70})", "Drama")
            for film, family in enumerate(families)
        ]
        csv.writer(stream).writerows([("movieId", "title", "genres"), *movies])
    with (folder / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("userId", "movieId", "rating", "timestamp"))
        for user in range(USERS):
            loved = rng.random(FAMILIES) < 0.3
            rated = set(range(user, families.size, USERS)) | set(rng.choice(families.size, RATED).tolist())
            writer.writerows(
                (user + 1, film + 1, 4.5 if loved[families[film]] else 2.0, 10**9) for film in sorted(rated)
            )


def draw(file: Path, family: int, rng: np.random.Generator) -> Path:
    """A poster in its family's colours, of the size of TMDB's smaller ones."""
    look = np.random.default_rng(family)
    ground = tuple((look.integers(0, 200, 3) + rng.integers(0, 40, 3)).tolist())
    image = Image.effect_noise((342, 513), 40).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, ground), 0.8)
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.integers(0, 250), rng.integers(0, 400)
        pen.ellipse((x, y, x + 90, y + 110), fill=tuple(look.integers(0, 256, 3).tolist()))
    image.save(file, quality=85)
    return file


def look_at(address: str) -> None:
    """Opens the map, moves it about and prints how many frames a second were drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        begun = time.perf_counter()
        page.goto(f"{address}?by=poster")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        print(f"all posters drawn {time.perf_counter() - begun:.1f} s after the page was asked for")
        report(page, "zoom", "all in view, zoomed")
        report(page, "through", "zoomed from all to 8 times as near and back")
        page.goto(f"{address}?by=poster&x=60&y=60&zoom=2.5")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        report(page, "drag", "2.5 times as near, dragged")
        page.goto(f"{address}?by=poster&x=60&y=60&zoom=10")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        report(page, "drag", "10 times as near, dragged")
        page.goto(f"{address}?by=poster")
        page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        for by in ("taste", "poster"):  # the first way also loads the other map
            page.locator(f".map-ways label:has([value={by}])").click()
            report(page, "watch", f"all in view, moving over to {by}", 1.2)
            page.wait_for_selector(".map[data-ready=true]", timeout=120_000)
        browser.close()


def report(page: Page, how: str, what: str, seconds: float = SECONDS) -> None:
    """Prints frames a second, and the longest of a hundred frames."""
    times = sorted(page.evaluate(MEASURE, [how, seconds]))
    rate, slow = 1000 * len(times) / sum(times), times[int(0.99 * len(times))]
    print(f"{what}: {rate:.0f} frames a second; 99% within {slow:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
