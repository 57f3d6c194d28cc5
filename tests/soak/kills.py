"""Kills servers and builds at random moments, and checks that no acknowledged write is lost or incomplete.

Run ``python -m tests.soak.kills --kills 100 --builds 30 --seed 0``; needs Linux.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from posterity.cli.console import shown_progress
from tests.conftest import build_world
from tests.soak.build_kills import Builds, kill_builds
from tests.soak.server_kills import kill_servers
from tests.soak.tally import Tally


@click.command()
@click.option("--kills", type=click.IntRange(0), default=100, show_default=True, help="Kills of a server.")
@click.option("--builds", type=click.IntRange(0), default=0, show_default=True, help="Kills of a build.")
@click.option("--seed", default=0, show_default=True, help="Of all random choices.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    show_default="a temporary one",
    help="An empty folder, kept with the data and the logs.",
)
def main(kills: int, builds: int, seed: int, folder: Path | None) -> None:
    """Kill a server and builds, and check for lost writes. Exit with 1 if there are any."""
    root = Path(tempfile.mkdtemp(prefix="posterity-kills-")) if folder is None else folder
    server_rng, build_rng = np.random.default_rng(seed).spawn(2)
    build_world(root)
    failed = False
    with shown_progress() as track:
        if kills:
            data, begun = root / "served", time.monotonic()
            shutil.copytree(root / "data", data, symlinks=True)
            (root / "server").mkdir()
            tally = kill_servers(data, kills, server_rng, root / "server", track=track)
            failed |= _report(f"{kills} kills of a server", tally, begun)
        if builds:
            begun = time.monotonic()
            plan = Builds(root / "ratings", root / "posters", root / "data", root / "build.log")
            failed |= _report(f"{builds} kills of builds", kill_builds(plan, builds, build_rng, track=track), begun)
    if failed:
        click.echo(f"The data and logs are in {root}")
        sys.exit(1)
    if folder is None:
        shutil.rmtree(root)


def _report(what: str, tally: Tally, begun: float) -> bool:
    """Print a tally; return True if a check failed."""
    click.echo(f"{what}, {time.monotonic() - begun:.0f} s")
    click.echo("\n".join(tally.lines()))
    return bool(tally.failures)


if __name__ == "__main__":
    main()
