"""Options, tables, JSON and progress for all commands.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.core.references import plain_id
from posterity.cli.server_options import SearchAddress

if TYPE_CHECKING:
    from index.core.progress import Track
    from indexer.datasets.own_catalogue import Refusal

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_YEAR = 366 * 86400
_SHOWN = 20  # refused rows that are printed


class NumberRange(click.FloatRange):
    """A number within bounds; NaN, which no bound excludes, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fail on any other text."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return number


class SizeType(click.ParamType[int]):
    """A number of bytes with a unit: 500MB, 2GB, 2.5G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes; fail on any other text."""
        if isinstance(value, int):
            return value
        written = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)I?B?\s*", str(value).upper())
        if written is None or float(written[1]) == 0:
            self.fail(f"{value!r} is no size: write 500MB or 2GB", param, ctx)
        return int(float(written[1]) * _UNITS[written[2]])


class IdType(click.ParamType[int]):
    """An id: plain digits."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; fail on any other text."""
        found = plain_id(str(value))
        if found is None:
            self.fail(f"{value!r} is no id: write plain digits, such as 6", param, ctx)
        return found


class DurationType(click.ParamType[float]):
    """A duration with a unit, from a second to a year: 90s, 30m, 6h, 1d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number of seconds; fail on any other text."""
        if isinstance(value, (int, float)):
            return float(value)
        written = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhd])\s*", str(value).lower(), re.ASCII)
        seconds = 0.0 if written is None else float(written[1]) * _SECONDS[written[2]]
        if not 1 <= seconds <= _YEAR:
            self.fail(f"{value!r} is no duration from 1s to 366d: write 90s, 30m, 6h or 1d", param, ctx)
        return seconds


def print_note(text: str) -> None:
    """Print a note on stderr, such as how a title was read."""
    click.echo(f"Note: {text}", err=True)


class ScaleType(click.ParamType[str]):
    """The lowest and the highest rating: 0.5:5."""

    name = "scale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text without spaces; fail if it is no scale."""
        text = str(value).replace(" ", "")
        number = r"-?[0-9]{1,6}(?:\.[0-9]{1,4})?"
        written = re.fullmatch(f"({number}):({number})", text, re.ASCII)
        if written is None or not float(written[1]) < float(written[2]):
            self.fail(f"{value!r} is no scale: write the lowest and the highest rating, such as 0.5:5", param, ctx)
        return text


def scale_of(text: str | None) -> tuple[float, float] | None:
    """Return a text of ``ScaleType`` as two numbers."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    return float(low), float(high)


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    envvar="POSTERITY_DATA",
    show_default=True,
    show_envvar=True,
    help="Data directory: posters, cache, library and snapshots.",
)
embed_path_option = click.option(
    "--embed-path",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    envvar="POSTERITY_EMBED_PATH",
    show_default=True,
    show_envvar=True,
    help="Arithmetic of VGG16: float32, bfloat16, or auto, the fastest path of this machine that agrees with float32.",
)
search_option = click.option(
    "--search",
    type=SearchAddress(),
    default="",
    envvar="POSTERITY_SEARCH",
    show_envvar=True,
    help="Address of the Milvus that has the vectors of snapshots built with it, such as milvus://host:19530.",
)
report_option = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a CSV file with a line for each refused row: file, line, column, value, reason.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def print_table(heading: str, columns: list[tuple[str, Any]], rows: Sequence[tuple[str, ...]], note: str = "") -> None:
    """Print a table with a heading and a note; columns are (name, "left" or "right")."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: rich would read square brackets in a title as markup
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width, and rich would cut the table at 80 columns
    if heading:
        console.print(Text(heading, style="bold"))
    console.print(table)
    if not rows:
        console.print("There is nothing to show.")
    if note:
        console.print(Text(note), style="dim")


def print_json(value: Any) -> None:
    """Print plain values as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(line: str) -> None:
    """Print a line on stdout."""
    click.echo(line)


def note(line: str) -> None:
    """Print a line on stderr, such as a note or a warning."""
    click.echo(line, err=True)


def tell_refused(file: Path, refused: Sequence[Refusal], report: Path | None) -> None:
    """Print the first rows of a table that were refused, and how many more there are."""
    for each in refused[:_SHOWN]:
        note(f"Refused: {file}, {each}")
    if len(refused) > _SHOWN:
        where = f"see {report}" if report else "give --report FILE.csv for all"
        note(f"and {len(refused) - _SHOWN:,} more: {where}")


@contextmanager
def shown_progress() -> Iterator[Track]:
    """Yield a ``Track`` that shows progress on stderr."""
    from rich.console import Console

    from posterity.cli.progress import progress

    with progress(Console(stderr=True)) as track:
        yield track


def myself() -> list[str]:
    """Return the arguments that start this command in a new process.

    ``-P`` keeps the working directory off the module path: a ``server.py`` there would be imported instead of ours.
    """
    return [sys.executable, "-P", "-m", "posterity"]
