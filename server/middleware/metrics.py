"""Metrics for Prometheus: requests, uploads, searches, and the current snapshot."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from index.snapshot.store import Manifest
from server.middleware.request_context import route, seconds
from server.state.current_snapshot import SnapshotWatcher

metrics_page = Blueprint("metrics", __name__)

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # any other method shares one label
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SEARCH_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """Counters and histograms of one application.

    Args:
        counts: folder of the metrics that all workers share; None for a single process.
    """

    def __init__(self, counts: Path | None = None) -> None:
        self._counts = counts
        self._own = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("posterity_requests", "Completed requests.", labels, registry=self._own)
        self.request_seconds = Histogram(
            "posterity_request_seconds",
            "Response time.",
            ("route",),
            buckets=_REQUEST_SECONDS,
            registry=self._own,
        )
        self.uploads = Gauge(
            "posterity_uploads",
            "Image jobs running or queued.",
            multiprocess_mode="livesum",
            registry=self._own,
        )
        self.search_seconds = Histogram(
            "posterity_search_seconds",
            "Search time; of a picture, with its embedding.",
            ("by",),
            buckets=_SEARCH_SECONDS,
            registry=self._own,
        )

        self._labelled = functools.cache(self._of)  # looking labels up takes longer than counting, and there are few

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time one response."""
        counter, timer = self._labelled(method if method in _METHODS else "other", route, status)
        counter.inc()
        timer.observe(seconds)

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(method, route, status), self.request_seconds.labels(route)

    def shown(self, snapshot: Manifest) -> bytes:
        """Return the metrics of all workers, in Prometheus' text format."""
        facts = CollectorRegistry()
        facts.register(SnapshotFacts(snapshot))
        counted = self._own
        if self._counts is not None:
            counted = CollectorRegistry()
            counted.register(WorkersMetrics(self._counts))
        return generate_latest(counted) + generate_latest(facts)


class WorkersMetrics(Collector):
    """The metrics of all workers, from their files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield the sum or maximum of all workers; skip files that a worker has only just created."""
        files = []
        for file in self._folder.glob("*.db"):
            with suppress(FileNotFoundError):  # deleted since, as those of a worker that has died
                if file.stat().st_size:
                    files.append(str(file))
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class SnapshotFacts(Collector):
    """The snapshot that this worker serves; a new collector per response, so that no earlier snapshot stays."""

    def __init__(self, snapshot: Manifest) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the snapshot's id and age."""
        info = GaugeMetricFamily("posterity_snapshot_info", "The current snapshot.", labels=["snapshot"])
        info.add_metric([self._snapshot.id], 1)
        yield info
        age = time.time() - datetime.fromisoformat(self._snapshot.created).timestamp()
        yield GaugeMetricFamily("posterity_snapshot_age_seconds", "Time since the snapshot was built.", value=age)


def register_metrics(app: Flask) -> None:
    """Count and time every response."""
    metrics: Metrics = app.extensions["metrics"]
    app.register_blueprint(metrics_page)

    @app.after_request
    def count(response: Response) -> Response:
        metrics.count(request.environ["REQUEST_METHOD"], route(), response.status_code, seconds())
        return response


def search_seconds(by: str) -> AbstractContextManager[object]:
    """Time one search: in a space, by ``blend`` or by ``picture``."""
    metrics: Metrics = current_app.extensions["metrics"]
    return metrics.search_seconds.labels(by).time()


@metrics_page.get("/metrics")
def metrics() -> Response:
    """Return the metrics, for Prometheus."""
    watcher: SnapshotWatcher = current_app.extensions["snapshot_watcher"]
    shown: Metrics = current_app.extensions["metrics"]
    return Response(shown.shown(watcher.manifest()), content_type=CONTENT_TYPE_PLAIN_0_0_4)
