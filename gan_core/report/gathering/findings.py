"""What the inspect, screen and control steps found of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_core.report.gathering.runs import labelled, read_json
from gan_core.spec.findings import (
    OfColumn,
    Privacy,
    ScreeningSummary,
    SetQuality,
    Shortcut,
    UpscalerFidelity,
)


@dataclass(frozen=True)
class Findings:
    """As in ``Results``."""

    quality: list[SetQuality] = field(default_factory=list)
    screening: list[ScreeningSummary] = field(default_factory=list)
    shortcuts: list[Shortcut] = field(default_factory=list)
    privacy: list[Privacy] = field(default_factory=list)
    upscaler: list[UpscalerFidelity] = field(default_factory=list)


def gather_findings(inputs: Mapping[str, Path], available: int) -> Findings:
    """Read what there is of it among a step's inputs.

    Args:
        inputs: Label → folder.
        available: Training images of the rare class, for the real count "all".
    """
    found = Findings()
    for _, folder in labelled(inputs, "inspect"):
        # Null where there were too few images to say anything.
        told = read_json(folder / "findings.json") or {}
        if (quality := told.get("quality")) is not None:
            found.quality.append(SetQuality.model_validate(quality))
        if (privacy := told.get("privacy")) is not None:
            found.privacy.append(Privacy.model_validate(privacy))
        if (shortcut := told.get("shortcut")) is not None:
            found.shortcuts.append(Shortcut.model_validate(shortcut))
    for label, folder in labelled(inputs, "screen"):
        if (told := read_json(folder / "screening.json")) is not None:
            found.screening.append(_screening(label, told, available))
    for _, folder in labelled(inputs, "control"):
        if (told := read_json(folder / "fidelity.json")) is not None:
            found.upscaler.append(UpscalerFidelity.model_validate(told))
    for kind in (found.quality, found.privacy, found.shortcuts, found.screening):
        kind.sort(key=_column)
    return found


def _column(one: OfColumn) -> tuple[str, int, str, int]:
    return one.gan, one.real_count, one.real_count_label, one.subset


def _screening(label: str, told: Mapping[str, Any], available: int) -> ScreeningSummary:
    """Take what a screen tells in sum; of which column it was, its step's name says."""
    gan, count, subset = label.rsplit("-", 2)
    column = {
        "gan": gan,
        "real_count": int(count) if count.isdigit() else available,
        "real_count_label": count,
        "subset": int(subset.removeprefix("s")),
    }
    summed = {name: told[name] for name in ScreeningSummary.model_fields if name not in column}
    return ScreeningSummary.model_validate(column | summed)
