"""The life of the containers, for real: built, started, asked, killed, indexed again, switched to MovieLens, stopped.

    python3 -m tests.containers [--required] [-- options of docker build]

Needs a Docker engine and docker compose (v2, or docker-compose 1.29), and nothing that is not in Python. Ends with 0 and
a reason where there is no engine (with --required: 1), and with 1 where anything is not as it should be. Its project,
images and volume are its own, and gone afterwards, but for the images' layers. Where builds reach packages through the
host's network alone, or another index:

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
        prog="python3 -m tests.containers", description="Try the containers, from the build to a clean stop."
    )
    parser.add_argument("--required", action="store_true", help="fail where there is no engine")
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
    print("All as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
