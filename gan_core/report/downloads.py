"""The figures inside the page, to take along: data URIs that a browser saves as files."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

from gan_core.report.exports import results_csv, verdicts_csv
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Results

# Larger than this a file is compressed: the page travels by mail.
_PLAIN_BYTES = 300_000


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    label: str
    name: str
    uri: str


def downloads(results: Results, text: Text = ENGLISH) -> list[Download]:
    """Return the runs, the comparisons and all results as files; empty where nothing was run."""
    found = []
    if results.rows:
        found.append(_file(text("download_runs"), "results.csv", "text/csv", results_csv(results)))
    if results.verdicts:
        found.append(
            _file(text("download_verdicts"), "verdicts.csv", "text/csv", verdicts_csv(results))
        )
    if results.rows or results.privacy or results.quality:
        whole = results.model_dump_json()
        is_small = len(whole) <= _PLAIN_BYTES
        label = text("download_results" if is_small else "download_results_small")
        found.append(_file(label, "results.json", "application/json", whole))
    return found


def _file(label: str, name: str, media_type: str, content: str) -> Download:
    raw = content.encode()
    if len(raw) > _PLAIN_BYTES:
        # No time of day in it, so that a report's bytes are the same every time.
        raw = gzip.compress(raw, mtime=0)
        name, media_type = f"{name}.gz", "application/gzip"
    encoded = base64.b64encode(raw).decode()
    return Download(label, name, f"data:{media_type};base64,{encoded}")
