"""The command ``posterity`` with every subcommand."""

from __future__ import annotations

from typing import Any

import click

from index.core.errors import PosterityError
from posterity.cli.build import build, prepare
from posterity.cli.evaluate import evaluate, tune
from posterity.cli.fetch import fetch
from posterity.cli.keys import keys
from posterity.cli.library import library
from posterity.cli.posters import duplicates, explain
from posterity.cli.query import predict, recommend, similar
from posterity.cli.scan import scan
from posterity.cli.serve import demo, serve
from posterity.cli.snapshots import follow, publish, snapshots


class _Command(click.Group):
    """A group that reports our own errors in one line, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PosterityError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            missing = str(error.name).partition(".")[0]
            if missing in {"index", "indexer", "server"}:
                raise
            raise click.ClickException(
                f"this needs the Python package {missing}, and what is installed here only serves: use the image"
                " posterity instead of its target server, or an installation with requirements.txt"
            ) from error


@click.group(
    cls=_Command,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    commands=[
        similar,
        explain,
        duplicates,
        predict,
        recommend,
        library,
        keys,
        snapshots,
        fetch,
        prepare,
        scan,
        build,
        evaluate,
        tune,
        publish,
        follow,
        serve,
        demo,
    ],
)
@click.version_option(package_name="posterity")
def main() -> None:
    """Posterity: movie similarity by poster, by ratings, or by a blend of both."""
