"""Reads what a job's steps left, for its report; what a step that failed did not is missing."""

from __future__ import annotations

from gan_core.report.gathering.dataset import dataset_section, leak_pictures, leaks_of
from gan_core.report.gathering.findings import Findings, gather_findings
from gan_core.report.gathering.gans import gan_sections
from gan_core.report.gathering.nearest import nearest_sheets
from gan_core.report.gathering.runs import Runs, gather_runs

__all__ = [
    "Findings",
    "Runs",
    "dataset_section",
    "gan_sections",
    "gather_findings",
    "gather_runs",
    "leak_pictures",
    "leaks_of",
    "nearest_sheets",
]
