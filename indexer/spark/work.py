"""The parts of a build that a cluster does."""

from __future__ import annotations

from pathlib import Path

from indexer.spark.cluster import Cluster
from indexer.spark.neighbours import find_over
from indexer.spark.posters import embed_over
from indexer.spark.users import solve_over
from indexer.work import Work


def work_over(cluster: Cluster, data: Path) -> Work:
    """Return the functions that do the parts on a cluster, of a build into a data directory."""
    return Work(embed_over(cluster, data), solve_over(cluster), find_over(cluster))
