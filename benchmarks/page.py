"""Load time of the web page in headless Chromium: bytes, requests, time to the neighbours and to a new blend.

Expected before measuring: 110 kB for the first view without posters (two fonts 41 kB, styles and scripts 30, 60 movies
40). Neighbours are part of the page, so they take some 20 ms. A new weight takes one response, some 15 ms, and a frame.
Limits: 150 kB; 100 ms for a new weight.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import running, serve_command

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# From the request to the response, the first paint and the first poster, in milliseconds.
NEIGHBOURS = """
() => {
    const page = performance.getEntriesByType("navigation")[0];
    const drawn = performance.getEntriesByType("paint").find((each) => each.name === "first-contentful-paint");
    const posters = performance.getEntriesByType("resource").filter((each) => each.name.includes("/poster"));
    const first = Math.min(...posters.map((each) => each.responseEnd));
    return { html: page.responseEnd, drawn: drawn.startTime, poster: first };
}
"""

# From a movement of a slider to the blend's new order, in milliseconds.
REORDER = """
(value) => new Promise((done) => {
    const blend = document.getElementById("by-blend");
    const slider = document.querySelector("input[name=taste]");
    const began = performance.now();
    new MutationObserver((_, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now() - began));
    }).observe(blend, { childList: true });
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
})
"""


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--movie", default=73, show_default=True)
def main(data: Path, movie: int) -> None:
    """Measure the pages of a server on DATA."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with running(serve_command(data)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        site = f"http://127.0.0.1:{server.port}"
        for path in ("/", f"/movies/{movie}"):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.goto(site + path, wait_until="networkidle")
            print(f"first view of {path}: {size_of(page)}")
        times: list[dict[str, Any]] = []
        for _ in range(10):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.goto(f"{site}/movies/{movie}", wait_until="networkidle")
            times.append(page.evaluate(NEIGHBOURS))
        medians = {name: f"{median(each[name] for each in times):.0f} ms" for name in times[0]}
        print(
            f"neighbours: in the page after {medians['html']}, drawn after {medians['drawn']}, first poster after"
            f" {medians['poster']}"
        )
        reorders = sorted(page.evaluate(REORDER, 5 * (step % 20)) for step in range(1, 61))
        print(f"new blend: median {median(reorders):.0f} ms, 95% {reorders[int(0.95 * len(reorders))]:.0f} ms")
        browser.close()


def size_of(page: Page) -> str:
    """Return bytes and requests of a page, those of posters separately, as text."""
    loaded = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((each) => [each.name, each.transferSize])"
    )
    posters = [size for name, size in loaded if "/poster" in name]
    others = [size for name, size in loaded if "/poster" not in name]
    return (
        f"{sum(others) / 1000:.0f} kB in {len(others)} requests,"
        f" and {len(posters)} posters of {sum(posters) / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
