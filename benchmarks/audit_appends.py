"""How many lines a second the audit trail takes, and how long it takes to check them.

``python benchmarks/audit_appends.py [--database URL] [--threads 8] [--seconds 5] [--lines 100000]``

Each line is a transaction of its own, as a download's is. An empty SQLite in a temporary folder is
used where no URL is given; a given database is migrated, and gets a workspace of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import migrations
from graft.client import verify_lines
from store.columns import new_id
from store.database import Database
from store.repositories import AuditTrail
from store.repositories.audit import as_line
from store.tables import Workspace

_DETAIL = {"sha256": "a" * 64}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lines", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite:///{Path(folder) / 'graft.db'}"
        migrations.upgrade(url)
        database = Database(url)
        for threads in (1, asked.threads):
            _append(database, _workspace(database), threads, asked.seconds)
        _verify(database, asked.lines)
        database.dispose()


def _workspace(database: Database) -> str:
    workspace_id = new_id("ws")
    with database.write() as session:
        session.add(Workspace(id=workspace_id, name=workspace_id))
    return workspace_id


def _append(database: Database, workspace_id: str, threads: int, seconds: float) -> None:
    waits: list[float] = []
    until = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < until:
            started = time.perf_counter()
            with database.write() as session:
                AuditTrail(session, workspace_id).append(
                    "key_x", "artifact.download", "art_x", _DETAIL
                )
            waits.append(time.perf_counter() - started)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    waits.sort()
    with database.read() as session:
        broken = AuditTrail(session, workspace_id).first_broken()
    print(
        f"{threads} threads: {len(waits) / seconds:.0f} lines/s,"
        f" median {waits[len(waits) // 2] * 1000:.1f} ms,"
        f" p99 {waits[int(len(waits) * 0.99)] * 1000:.1f} ms, longest {waits[-1] * 1000:.0f} ms,"
        f" {'whole' if broken is None else f'broken at {broken}'}"
    )


def _verify(database: Database, lines: int) -> None:
    workspace_id = _workspace(database)
    for _ in range(0, lines, 1000):
        with database.write() as session:
            trail = AuditTrail(session, workspace_id)
            for _ in range(min(1000, lines)):
                trail.append("key_x", "artifact.download", "art_x", _DETAIL)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    with database.read() as session:
        trail = AuditTrail(session, workspace_id)
        head = verify_lines(json.dumps(as_line(line)) for line in trail.all_lines())
    seconds = time.perf_counter() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{head.number} lines verified in {seconds:.1f} s, {grown:.1f} MB more memory")


if __name__ == "__main__":
    sys.exit(main())
