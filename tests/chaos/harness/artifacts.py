"""What a job left, in a form in which two runs can be compared byte for byte.

Nothing may differ between runs but times and ids. What is taken out, and nothing else, is:

- ``synthetic.zip``: ``created_at`` of ``manifest.json``, the same moment in ``dataset-card.md`` and
  in ``croissant.json``, and the lines of ``SHA256SUMS`` for these three. Every image, and
  ``metadata.jsonl``, is compared as it is.
- ``results.json`` and ``results.csv``: ``seconds``, how long a run took.
- ``report.html``: the moment at which the job was submitted, and times that runs took.
- everything else, the models among it, is compared as it is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# 2026-01-31T12:00:00.123456+00:00, its day alone, and the same as people write it.
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\+00:00|Z| UTC)?)?")
_WITH_MOMENTS = ("manifest.json", "dataset-card.md", "croissant.json")

Prints = dict[str, str]


def prints_of(folder: Path) -> Prints:
    """Return a fingerprint of every file, and of every member of a zip, by name."""
    found: Prints = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            if path.suffix == ".zip":
                found |= _prints_of_zip(name, path)
            else:
                found[name] = _print(_TAKEN_OUT.get(path.name, bytes)(path.read_bytes()))
    return found


def _prints_of_zip(name: str, path: Path) -> Prints:
    with zipfile.ZipFile(path) as archive:
        return {
            f"{name}/{member}": _print(_TAKEN_OUT.get(member, bytes)(archive.read(member)))
            for member in archive.namelist()
        }


def differences(reference: Prints, other: Prints) -> list[str]:
    """Return the names of what differs, is missing or is too much."""
    return sorted(
        name for name in reference.keys() | other.keys() if reference.get(name) != other.get(name)
    )


def _print(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _results_json(content: bytes) -> bytes:
    results = json.loads(content)
    for row in results["rows"]:
        row.pop("seconds", None)
    return json.dumps(results, sort_keys=True).encode()


def _results_csv(content: bytes) -> bytes:
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(content.decode())))
    for row in rows:
        row.pop("seconds", None)
    return json.dumps(rows).encode()


def _without_moments(content: bytes) -> bytes:
    return _MOMENT.sub(b"(a moment)", content)


def _sums(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if line.split()[1].decode() not in _WITH_MOMENTS)


_TAKEN_OUT: dict[str, Callable[[bytes], bytes]] = {
    "results.json": _results_json,
    "results.csv": _results_csv,
    "manifest.json": _without_moments,
    "dataset-card.md": _without_moments,
    "croissant.json": _without_moments,
    "report.html": _without_moments,
    "SHA256SUMS": _sums,
}
