"""Prometheus metrics: how requests fare, and what the database says of jobs and steps."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from store.columns import utc_now
from store.database import Database
from store.step_tables import OutboxRow, Step
from store.tables import Job
from store.workers import WorkerRegister


class Metrics:
    """The metrics of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "graft_request_seconds",
            "Seconds from a request's arrival to its answer's last byte.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
        )


class HouseCollector(Collector):
    """Counts in the database at the moment of the scrape, for all workspaces together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return nothing, so that registering asks the database nothing."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauges."""
        with self._database.read() as session:
            jobs = session.execute(
                select(Job.kind, Job.status, func.count()).group_by(Job.kind, Job.status)
            ).all()
            steps = session.execute(
                select(Step.queue, Step.status, func.count()).group_by(Step.queue, Step.status)
            ).all()
            unsent = session.scalar(
                select(func.count()).select_from(OutboxRow).where(OutboxRow.sent_at.is_(None))
            )
            workers = [(w.id, w.seen_at) for w in WorkerRegister(session).all()]
        gauge = GaugeMetricFamily("graft_jobs", "Jobs.", labels=["kind", "status"])
        for kind, job_status, count in jobs:
            gauge.add_metric([kind, job_status], count)
        yield gauge
        gauge = GaugeMetricFamily("graft_steps", "Steps.", labels=["queue", "status"])
        for queue, step_status, count in steps:
            gauge.add_metric([queue, step_status], count)
        yield gauge
        yield GaugeMetricFamily("graft_outbox_unsent", "Rings not yet sent.", value=unsent or 0)
        gauge = GaugeMetricFamily(
            "graft_worker_silent_seconds", "Since a worker's last sign of life.", labels=["worker"]
        )
        for worker_id, seen_at in workers:
            gauge.add_metric([worker_id], (utc_now() - seen_at).total_seconds())
        yield gauge
