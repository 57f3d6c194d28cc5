"""The command that builds the bundled sample and serves it: demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from posterity.cli.console import myself, note, say, shown_progress
from posterity.cli.serve import host_option, port_option
from server.config import ServerConfig


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Where the sample and its snapshot are kept.",
)
@host_option
@port_option
@click.option(
    "--weights", default="imagenet", metavar="imagenet|untrained|FILE", show_default=True, help="Weights of VGG16."
)
@click.option("--build-only", is_flag=True, help="Build the sample, and do not serve it.")
def demo(data: Path, host: str, port: int, weights: str, build_only: bool) -> None:
    """Build the bundled sample catalogue and serve it.

    Where ImageNet weights cannot be downloaded, untrained ones are used and said so.
    """
    from indexer.demo import best_known_film, build_demo, demo_is_built, demo_weights
    from server.run import run_server

    if build_only:
        with shown_progress() as track:
            build_demo(data, weights, track=track, say=note)
        return
    if not demo_is_built(data, weights):
        # In a process of its own: the server forks, and TensorFlow and Faiss hang where they were loaded before that.
        command = [*myself(), "demo", "--build-only", "--data", str(data), "--weights", weights]
        failed = subprocess.run(command, check=False).returncode  # noqa: S603  ourselves
        if failed:
            sys.exit(failed)
    if weights == "imagenet" and demo_weights(data) == "untrained":
        note(
            "Note: the demo compares posters with untrained weights, as every reply and page says."
            f" Delete {data} to try the download again, or give --weights FILE."
        )
    film = best_known_film(data)
    address = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
    config = ServerConfig(data=data, host=host, port=port)
    run_server(config, ready=_things_to_try(address, film.movie_id, str(film)), say=say, warn=note)


def _things_to_try(address: str, movie_id: int, title: str) -> str:
    lines = [
        "",
        f"Posterity is at {address}/",
        "",
        "Three things to try:",
        f"  1. Open {address}/movies/{movie_id} : what looks like {title}, and what is loved like it",
        f"  2. Drop a picture on {address}/",
        f"  3. curl '{address}/api/v1/movies/{movie_id}/similar?by=taste&limit=3'",
        "",
        "Stop it with Ctrl-C.",
    ]
    return "\n".join(lines)
