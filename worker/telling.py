"""What may be said in the log about a step: ids, and nothing that an upload brought with it.

Names of classes are folder names of an upload. They should name a finding, but nobody keeps a
person from naming a folder after a patient; so they are left out as file names are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from store.records import ClaimedStep
from store.tracing import trace_id_of

_LAST_LINES = 25
_SHORTEST_NAME = 3
"""Shorter ones tell nobody apart, and would take half of a traceback with them."""
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s\"'/:]+/)+")
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit)\b")


def log_context(step: ClaimedStep) -> dict[str, str]:
    """Return what every line about a step carries."""
    known = {
        "request_id": step.request_id,
        "trace_id": trace_id_of(step.traceparent),
        "workspace_id": step.workspace_id,
        "job_id": step.job_id,
        "step_id": step.id,
        "step_name": step.name,
    }
    return {name: value for name, value in known.items() if value is not None}


def without_names(lines: Iterable[str], step: ClaimedStep) -> list[str]:
    """Return what a child said for people who read logs, without names from the upload.

    Of a step that reads an upload nobody knows yet what is a name in it: only where it went wrong
    is left, and the type of the error, not what the error said.
    """
    if step.dataset is None:
        return list(_places_and_types(lines))
    names = [name for name in step.dataset.classes if len(name) >= _SHORTEST_NAME]
    if not names:
        return list(lines)
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first))
    return [pattern.sub("<class>", line) for line in lines]


def last_words(lines: Iterable[str], step: ClaimedStep) -> str:
    """Return what a child said last as a line of the job's log; empty where it said nothing.

    Without names from the upload, and without the folders of this machine, which are nothing that
    whoever asked for the job needs to know.
    """
    said = [_FOLDERS.sub("…/", line) for line in without_names(lines, step)]
    text = "\n".join(said[-_LAST_LINES:]).strip()
    return f"What its program said last:\n{text}" if text else ""


def _places_and_types(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if line.startswith(("Traceback ", '  File "')):
            yield line
        elif found := _ERROR.match(line):
            yield found[0]
