"""The API against schemathesis: every call, wrong and right, alone and along the links.

``python tests/fuzz/main.py --only api --cases 10000``. The service is a real one on this machine;
its worker only pretends, so that jobs end, and their results, files and models can be asked for.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from served import Served, serve
from sqlalchemy import select

from store.removals import carry_out
from store.tables import Dataset

# What is asked of every answer. Not asked: that whatever breaks the schema is refused
# (negative_data_rejection: unknown query parameters are ignored, as RFC 9110 lets a server do, and
# headers are strings whatever is put into them), nor that whatever fits is taken
# (positive_data_acceptance: an id that nobody has fits, and so do counts that a data set has not).
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)
# The others would be sent away by the limits that it lowers: it has its turn when they are done.
_LAST = "lower_limits"
_AT_ONCE = 60
_LONG = 5000
_MOST_GROWTH = 300 * 2**20
_HERE = Path(__file__).parent


def run(cases: int, seed: int, report: Callable[[str], None]) -> list[str]:
    """Send at least so many requests; return what must not be."""
    findings: list[str] = []
    with tempfile.TemporaryDirectory(prefix="graft-fuzz-") as directory:
        home = Path(directory)
        with serve(home) as served:
            before = _resident_bytes()
            answered, rounds = 0, 0
            while answered < cases and not findings:
                # Every edge of every parameter once, in a long run; then ever other ways.
                phases = "examples,coverage," if cases >= _LONG and not rounds else ""
                examples = min(_AT_ONCE, cases // 60 or 1)
                findings += _round(
                    *(served, home, seed + rounds, examples),
                    phases=f"{phases}fuzzing,stateful",
                    which="--exclude-operation-id",
                )
                rounds += 1
                counts = served.answered()
                # Who was sent away by a limit was not answered.
                answered = sum(n for status, n in counts.items() if status != "429")
                told = ", ".join(f"{counts[status]} × {status}" for status in sorted(counts))
                report(f"api: {answered} answers ({told})")
                findings += [f"{n} answers {s}" for s, n in counts.items() if s.startswith("5")]
            if not findings:
                phases = "examples,coverage,fuzzing" if cases >= _LONG else "fuzzing"
                findings += _round(
                    *(served, home, seed, min(_AT_ONCE, cases // 60 or 1)),
                    phases=phases,
                    which="--include-operation-id",
                )
            findings += _left_behind(served)
            growth = _resident_bytes() - before
            report(f"api: memory grew by {growth / 2**20:.0f} MB")
            if growth > _MOST_GROWTH:
                findings.append(f"memory grew by {growth / 2**20:.0f} MB")
    return findings


def _round(
    served: Served, home: Path, seed: int, examples: int, *, phases: str, which: str
) -> list[str]:
    document = home / "openapi.json"
    document.write_text(json.dumps(_strict(served.document)), encoding="utf-8")
    report = home / "report.txt"
    environment = os.environ | {"PYTHONPATH": str(_HERE), "SCHEMATHESIS_HOOKS": "st_hooks"}
    with report.open("wb") as output:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", str(document)),
                *("--url", served.url, "--header", f"Authorization:Bearer {served.key}"),
                *(which, _LAST, "--phases", phases, "--max-examples", str(examples)),
                *("--checks", ",".join(CHECKS)),
                *("--seed", str(seed), "--request-timeout", "60", "--no-color"),
                *("--suppress-health-check", "all", "--generation-database", "none"),
                *("--continue-on-failure", "--warnings", "off"),
            ],
            check=False,
            cwd=home,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    told = report.read_text("utf-8", errors="replace").replace(served.key, "graft_…")
    return [] if done.returncode == 0 else [told]


def _strict(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which only the statuses that are named one by one are described.

    A stream of events is a text there, and here, where each event is looked at, anything; so are
    files, some of which are JSON.
    """
    strict = copy.deepcopy(document)
    for calls in strict["paths"].values():
        for call in calls.values():
            del call["responses"]["default"]
            for answer in call["responses"].values():
                for kind in {"text/event-stream", "*/*"} & set(answer.get("content", {})):
                    answer["content"][kind] = {}
    return strict


def _left_behind(served: Served) -> list[str]:
    """Return what lies about that nobody has: temporary files, and uploads of no data set."""
    findings = [
        f"a temporary file was left behind: {path.name}" for path in served.temporary.rglob("*")
    ]
    # What was deleted is promised to the next cleaning, which a worker would have started.
    carry_out(served.database, served.objects)
    with served.database.read() as session:
        known = set(session.scalars(select(Dataset.upload_key)))
    left = [key for key in served.objects.list("workspaces/") if "/uploads/" in key]
    return findings + [
        f"an upload of nobody was left behind: {key}" for key in left if key not in known
    ]


def _resident_bytes() -> int:
    fields = Path("/proc/self/statm").read_text("ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
