"""Prometheus metrics: how requests fare, and what the database says of jobs, steps and workers.

No label names a tenant, a data set, a file or a person. Names and units are Prometheus' practice:
base units, ``_total`` for what only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from api.context import Context, package_version
from api.patience import Patience
from store.database import Database
from store.figures import Figures, house_figures, paused_by_code
from store.room import free_by_place
from store.tallies import LEASE_EXPIRIES, STEP_MILLISECONDS, STEP_OUTCOMES, STEP_RUNS
from store.workers import MISSED_ROUNDS

_PATIENCE_SECONDS = 5.0
"""Less than Prometheus waits for a scrape, 10 s."""
_USAGE = {
    "resident_bytes": (
        "graft_worker_resident_memory_bytes",
        "Memory of a worker's processes, its step's child among them.",
    ),
    "gpu_memory_used_bytes": (
        "graft_worker_gpu_memory_used_bytes",
        "Memory in use on a worker's GPU, by whomever.",
    ),
    "gpu_memory_total_bytes": (
        "graft_worker_gpu_memory_size_bytes",
        "Memory that a worker's GPU has.",
    ),
    "free_bytes": (
        "graft_worker_disk_free_bytes",
        "Room left on the fullest of the disks that a worker writes to.",
    ),
}
_log = structlog.get_logger("api")

# A second series beside each counter, which tells when it began; Prometheus sees that itself.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one app, and what its own process knows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "graft_request_seconds",
            "Seconds from a request's arrival to its answer's last byte.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
        )
        self.requests_in_flight = Gauge(
            "graft_requests_in_flight",
            "Requests that are being answered.",
            registry=self.registry,
        )
        self.received_bytes = Counter(
            "graft_received_bytes", "Bytes of requests' bodies.", ["route"], registry=self.registry
        )
        self.sent_bytes = Counter(
            "graft_sent_bytes", "Bytes of answers' bodies.", ["route"], registry=self.registry
        )
        Info("graft_build", "What runs here.", registry=self.registry).info(
            {"version": package_version()}
        )
        # Memory, CPU time and open files of this process.
        ProcessCollector(registry=self.registry)

    def watch(self, context: Context) -> None:
        """Tell also what the database and the disks say, at the moment of each scrape."""
        settings = context.settings
        self.registry.register(
            HouseCollector(context.database, settings.sweep_seconds * MISSED_ROUNDS)
        )
        self.registry.register(DiskCollector(lambda: free_by_place(settings)))


class DiskCollector(Collector):
    """The room on the disks that this process writes to."""

    def __init__(self, free: Callable[[], Mapping[str, int]]) -> None:
        self._free = free

    def describe(self) -> Iterator[Metric]:
        """Return nothing, so that registering looks at nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return the gauge."""
        gauge = GaugeMetricFamily(
            "graft_disk_free_bytes", "Room left where the API writes.", labels=["place"]
        )
        for place, free in self._free().items():
            gauge.add_metric([place], free)
        yield gauge


class HouseCollector(Collector):
    """What the database says, for all workspaces together.

    Where it does not answer, ``graft_database_up`` is 0 and the rest is left out: a scrape must
    not fail just when it matters.

    Args:
        database: To be asked at each scrape.
        living_seconds: How long a worker that lives may be silent.
    """

    def __init__(self, database: Database, living_seconds: float) -> None:
        self._database = database
        self._living_seconds = living_seconds
        self._figures = Patience(self._ask, _PATIENCE_SECONDS)

    def _ask(self) -> Figures:
        with self._database.read() as session:
            return house_figures(session)

    def describe(self) -> Iterator[Metric]:
        """Return nothing, so that registering asks the database nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return the gauges and counters."""
        figures: Figures | None = None
        try:
            figures = self._figures()
        except Exception as error:  # noqa: BLE001 - any failure of any driver means the same here
            _log.warning("figures_missing", reason=type(error).__name__)
        yield GaugeMetricFamily(
            "graft_database_up", "1: the database answers.", value=float(figures is not None)
        )
        if figures is None:
            return
        yield from self._work(figures)
        yield from self._counters(figures)
        yield from self._workers(figures)

    @staticmethod
    def _work(figures: Figures) -> Iterator[Metric]:
        yield _gauge("graft_jobs", "Jobs.", ["kind", "status"], figures.jobs)
        yield _gauge("graft_steps", "Steps.", ["queue", "status"], figures.steps)
        yield _gauge(
            "graft_queue_waiting_steps",
            "Steps that wait for a worker and nothing else.",
            ["queue"],
            {(name,): queue.waiting for name, queue in figures.queues.items()},
        )
        yield _gauge(
            "graft_queue_oldest_wait_seconds",
            "For how long the first of them has waited.",
            ["queue"],
            {(name,): queue.oldest_wait for name, queue in figures.queues.items()},
        )
        yield GaugeMetricFamily("graft_outbox_unsent", "Rings not yet sent.", value=figures.unsent)
        yield GaugeMetricFamily(
            "graft_outbox_oldest_unsent_seconds",
            "Since the first of them was promised.",
            value=figures.oldest_unsent,
        )
        yield _gauge(
            "graft_webhook_deliveries",
            "Deliveries that are still to be made, or were given up.",
            ["status"],
            {(status,): number for status, number in figures.deliveries.items()},
        )
        yield GaugeMetricFamily(
            "graft_uploads_open",
            "Uploads in parts that are under way.",
            value=figures.open_uploads,
        )
        yield _gauge(
            "graft_measured_units_per_second",
            "How fast a device works (units of a training are images shown to the GAN).",
            ["device", "workload"],
            figures.speeds,
        )

    @staticmethod
    def _counters(figures: Figures) -> Iterator[Metric]:
        counter = CounterMetricFamily(
            "graft_lease_expiries", "Steps taken from workers that went silent.", labels=["reason"]
        )
        for reason in ("lapsed", "holder_gone"):
            counter.add_metric([reason], figures.tallies.get(LEASE_EXPIRIES, {}).get(reason, 0))
        yield counter
        counter = CounterMetricFamily(
            "graft_step_outcomes",
            "What became of steps, and of attempts at them.",
            labels=["kind", "outcome"],
        )
        for label, number in figures.tallies.get(STEP_OUTCOMES, {}).items():
            counter.add_metric(label.split(" ", 1), number)
        yield counter
        summary = SummaryMetricFamily(
            "graft_step_run_seconds",
            "How long steps ran that succeeded, all attempts together.",
            labels=["kind"],
        )
        milliseconds = figures.tallies.get(STEP_MILLISECONDS, {})
        for kind, number in figures.tallies.get(STEP_RUNS, {}).items():
            summary.add_metric([kind], number, milliseconds.get(kind, 0) / 1000)
        yield summary

    def _workers(self, figures: Figures) -> Iterator[Metric]:
        living = [worker for worker, silent in figures.workers if silent <= self._living_seconds]
        yield _gauge(
            "graft_workers_alive",
            "Workers that have given a sign of life lately.",
            ["queue"],
            {
                (queue,): sum(queue in worker.queues for worker in living)
                for queue in figures.queues
            },
        )
        yield _gauge(
            "graft_workers_paused",
            "Of these, those that begin nothing.",
            ["reason"],
            {(code,): number for code, number in paused_by_code(living).items()},
        )
        yield _gauge(
            "graft_worker_silent_seconds",
            "Since a worker's last sign of life.",
            ["worker"],
            {(worker.id,): silent for worker, silent in figures.workers},
        )
        for field, (name, text) in _USAGE.items():
            yield _gauge(
                name,
                text,
                ["worker"],
                {
                    (worker.id,): worker.usage[field]
                    for worker in living
                    if worker.usage is not None and field in worker.usage
                },
            )


def _gauge(
    name: str, text: str, labels: list[str], values: Mapping[Any, float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for label, value in values.items():
        gauge.add_metric(label, value)
    return gauge
