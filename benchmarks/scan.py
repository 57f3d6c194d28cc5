"""Times of scans of a generated film library in five naming habits: ``python -m benchmarks.scan --films 20000``.

The first scan reads every NFO file; the second finds nothing changed; the third finds one more film, and another
gone. Every film is accounted for, or the command fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from indexer.datasets.sources import CATALOGUE, shelf_folder
from indexer.shelf.scan import Summary, scan
from tests.indexer.shelf.libraries import HABITS, film, make_library


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=20_000)
    parser.add_argument("--ratings", type=Path, help="data set to join")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library, data = Path(folder) / "library", Path(folder) / "data"
        began = time.perf_counter()
        made = make_library(library, arguments.films)
        print(f"{len(made):,} films in {len(HABITS)} habits written in {time.perf_counter() - began:.1f} s")
        _timed("first scan", library, data, arguments.ratings)
        _check(data, {each.named for each in made})
        _timed("second scan, nothing changed", library, data, arguments.ratings)
        gone, new = made[0], film(len(made) + 1)
        shutil.rmtree(next(path for path in library.glob("*/*") if path.name.startswith(gone.named)))
        HABITS[new.number % len(HABITS)](library, new)
        _timed("third scan, one film more and one gone", library, data, arguments.ratings)
        _check(data, {each.named for each in made[1:]} | {new.named})


def _timed(label: str, library: Path, data: Path, ratings: Path | None) -> Summary:
    began, used = time.perf_counter(), time.process_time()
    summary = scan([str(library)], data, ratings=ratings, environment={})
    print(
        f"{label}: {time.perf_counter() - began:.1f} s ({time.process_time() - used:.1f} s of processor time),"
        f" {summary.films:,} films, {summary.read:,} NFO files read"
    )
    return summary


def _check(data: Path, expected: set[str]) -> None:
    """Exit unless the shelf has just these films, each once, and the report every video."""
    found = Counter(f"{row.title} ({row.year})" for row in pd.read_csv(shelf_folder(data) / CATALOGUE).itertuples())
    if set(found) != expected or max(found.values()) > 1:
        wrong = sorted({*(set(found) ^ expected), *(name for name, n in found.items() if n > 1)})
        sys.exit(f"{len(wrong):,} films are missing, unknown or there twice, such as {', '.join(wrong[:5])}")
    report = pd.read_csv(shelf_folder(data) / "scan" / "report.csv")
    print(f"  every film is accounted for: {report.outcome.value_counts().to_dict()}")


if __name__ == "__main__":
    main()
