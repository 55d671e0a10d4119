"""Columns of a study that failed: what is said of them, and what their trainings can still show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gan_core.report.data import GanSection
from gan_core.report.text import ENGLISH, Text


def failed_columns(
    failed: Sequence[Mapping[str, Any]], text: Text = ENGLISH
) -> list[dict[str, str]]:
    """Return an entry of ``Results.failed`` for each step that failed.

    Args:
        failed: "step" (its name in the plan), "code" and "detail" of each; "lost", the trainings
            that needed it, where it was a pretraining: then there is an entry for each of these.
        text: The texts.

    Returns:
        "column" for people, "stage", "code", "detail", and "arm", "real_count" and "subset" where
        the step belongs to one column alone.
    """
    entries = []
    for failure, name in _by_column(failed):
        stage = str(failure["step"]).split(":")[0]
        _, *rest = name.split(":")
        entry = {
            "column": text.named("stage", stage),
            "stage": stage,
            "code": str(failure.get("code", "failed")),
            "detail": str(failure.get("detail", "")),
        }
        if len(rest) == 3:
            who, count, subset = rest[0], rest[1], rest[2].removeprefix("s")
            entry["column"] = text(
                "failed_column",
                name=text("failed_real") if who == "real" else text.named("gan", who),
                count=text.named("count", count),
                subset=subset,
                stage=text.named("stage", stage),
            )
            if who != "real":
                entry["arm"] = f"gan:{who}"
            entry |= {"real_count": count, "subset": subset}
        entries.append(entry)
    return entries


def _by_column(failed: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Give each failure with the step, or with each of the steps, whose name says its column."""
    for failure in failed:
        for name in failure.get("lost") or [failure["step"]]:
            yield failure, str(name)


def failed_trainings(
    failed: Sequence[Mapping[str, Any]], available: int, text: Text = ENGLISH
) -> list[GanSection]:
    """Return a section for each training that failed and left its curves.

    Args:
        failed: As for ``failed_columns``; the curves are in "evidence", under "history".
        available: Training images of the rare class, for the real count "all".
        text: The texts.
    """
    sections = []
    for failure in failed:
        history = (failure.get("evidence") or {}).get("history")
        stage, *rest = str(failure["step"]).split(":")
        if stage != "train" or len(rest) != 3 or not history:
            continue
        sections.append(
            GanSection(
                gan=rest[0],
                real_count=int(rest[1]) if rest[1].isdigit() else available,
                real_count_label=rest[1],
                subset=int(rest[2].removeprefix("s")),
                history=list(history),
                facts={text("failed_fact"): str(failure.get("detail", ""))},
            )
        )
    return sections
