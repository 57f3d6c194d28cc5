"""The command: every subcommand, and which package does it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click

import index.cli
import index.keys_cli
import index.library_cli
import index.poster_cli
import index.snapshot_cli
import indexer.cli
import indexer.evaluate_cli
import indexer.fetch.cli
import server.cli
from index.errors import PosterityError
from server.config import ServerConfig


class _Command(click.Group):
    """Tells our own errors in one line, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PosterityError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="posterity")
def main() -> None:
    """Find movies that look alike and movies that are loved alike."""


@main.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Where the sample and its snapshot are kept.",
)
@server.cli.host_option
@server.cli.port_option
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
        build_demo(data, weights)
        return
    if not demo_is_built(data, weights):
        # In a process of its own: the server forks, and TensorFlow and Faiss hang where they were loaded before that.
        command = [sys.executable, "-m", "posterity", "demo", "--build-only", "--data", str(data), "--weights", weights]
        failed = subprocess.run(command, check=False).returncode  # noqa: S603  ourselves
        if failed:
            sys.exit(failed)
    if weights == "imagenet" and demo_weights(data) == "untrained":
        click.echo(
            "Note: the demo compares posters with untrained weights, as every reply and page says."
            f" Delete {data} to try the download again, or give --weights FILE.",
            err=True,
        )
    film = best_known_film(data)
    address = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
    run_server(ServerConfig(data=data, host=host, port=port), ready=_things_to_try(address, film.movie_id, str(film)))


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


for command in (
    *index.cli.commands,
    *index.poster_cli.commands,
    *index.library_cli.commands,
    *index.keys_cli.commands,
    *index.snapshot_cli.commands,
    *indexer.fetch.cli.commands,
    *indexer.cli.commands,
    *indexer.evaluate_cli.commands,
    *server.cli.commands,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="posterity")
