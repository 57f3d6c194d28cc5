"""End-to-end test of the containers: build, start, query, kill, rebuild, switch to MovieLens, stop.

    python3 -m tests.containers [--required] [-- options of docker build]

Needs a Docker engine, docker compose (v2, or docker-compose 1.29) and Python's standard library. Without an engine, print
the reason and exit with 0 (with --required: 1); exit with 1 on a failure. The project, images and volume are separate and
removed afterwards, except the images' layers. If builds need the host's network or another package index:

    python3 -m tests.containers -- --network=host --build-arg PIP_INDEX_URL=...

MovieLens, TMDB and Keras are stand-ins (tests/indexer/fetch/standins.py), in a container of the same network.
"""

from __future__ import annotations

import argparse
import sys

from tests.containers.engine import PROFILES, Engine, NoEngine
from tests.containers.life import live


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.containers", description="Test the containers, from the build to a clean stop."
    )
    parser.add_argument("--required", action="store_true", help="fail without an engine")
    parser.add_argument("options", nargs="*", help="of docker build")
    given = parser.parse_args()
    try:
        engine = Engine.found()
    except NoEngine as error:
        print(f"Skipped: {error}")
        return 1 if given.required else 0
    try:
        live(engine, given.options)
    except AssertionError as error:
        print(f"FAILED: {error}", flush=True)
        engine.compose("logs", "--no-color", "--tail", "40", check=False, shown=True)
        return 1
    finally:
        engine.compose(*PROFILES, "down", "--volumes", "--remove-orphans", check=False)
    print("All checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
