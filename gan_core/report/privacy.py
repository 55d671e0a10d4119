"""The page on privacy: what was tried and found, in sentences and figures, and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_core.report.data import ReportData
from gan_core.report.pictures import data_uri, fitted
from gan_core.report.sets import by_set, over_subsets, set_name, with_bounds
from gan_core.report.tables import interval_between, share
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.findings import Interval, Privacy

_FIGURES = (
    "members",
    "nearest_ratio",
    "share",
    "near_copies",
    "distance",
    "discriminator",
    "epsilon",
)
_NOT_SHOWN = ("attacks", "models", "patients", "law")
_MOST_COPIES = 12
_COPY_SIZE = 128
# Beyond what chance gives: a tenth nearer, or five times as many under the first percentile.
_CLOSE_RATIO = 0.9
_CLOSE_SHARE = 0.05
# An interval wider than this, over chance, says nothing.
_WIDE = 0.3


def privacy_view(
    data: ReportData, text: Text = ENGLISH, quality: int = 88
) -> dict[str, Any] | None:
    """Return the page on privacy; None where no synthetic images were made.

    Args:
        data: The report's data.
        text: The texts.
        quality: JPEG quality of the pictures, 1 to 95.
    """
    found = data.results.privacy
    if not found and not data.gans:
        return None
    groups = by_set(found)
    is_screened = bool(data.spec.get("screen", {}).get("near_copies", False))
    fate = text("privacy_copies_left_out" if is_screened else "privacy_copies_kept")
    sentences = [(set_name(group[0], text), _sentences(group, fate, text)) for group in groups]
    if found and all(one.epsilon is None for one in found):
        sentences.append(("", [text("privacy_no_epsilon")]))
    return {
        "is_known": bool(found),
        "sentences": sentences,
        "not_shown": [text(f"privacy_not:{name}") for name in _NOT_SHOWN],
        "figures": [text(f"privacy_figure:{name}") for name in _FIGURES],
        "rows": [(set_name(group[0], text), _cells(group)) for group in groups],
        "others": ", ".join(sorted({text(f"others:{one.others}") for one in found})),
        "copies": _copies(data, text, quality),
        "fate": fate,
    }


def _sentences(group: Sequence[Privacy], fate: str, text: Text) -> list[str]:
    said = []
    copies = sum(one.near_copies for one in group)
    some = text("privacy_copies_one" if copies == 1 else "privacy_copies_many", n=copies, fate=fate)
    said.append(some if copies else text("privacy_copies_none"))
    ratio, below = _mean(group, "nearest_ratio"), _mean(group, "share_below_first_percentile")
    is_close = ratio < _CLOSE_RATIO or below > _CLOSE_SHARE
    judged = text(f"privacy_judged:{'close' if is_close else 'usual'}")
    said.append(text("privacy_near", ratio=f"{ratio:.2f}", share=f"{below:.1%}", judged=judged))
    for by, interval in _attacks(group):
        if interval is not None:
            said.append(
                text(
                    "privacy_attack",
                    by=text(f"privacy_by:{by}"),
                    auc=share(interval.mean),
                    between=interval_between(interval) or text("no_interval"),
                    judged=text(f"privacy_attack_judged:{attack_outcome(interval)}"),
                )
            )
    for epsilon, delta in sorted({(one.epsilon, one.delta or 0.0) for one in group if one.epsilon}):
        said.append(text("privacy_epsilon", epsilon=f"{epsilon:g}", delta=f"{delta:g}"))
    return said


def attack_outcome(interval: Interval) -> str:
    """Return what an attack's ROC-AUC says: "found", "chance", or "open" (it cannot tell)."""
    if interval.low is None or interval.high is None:
        return "open"
    if interval.low > 0.5:
        return "found"
    return "open" if interval.high - interval.low > _WIDE else "chance"


def _attacks(group: Sequence[Privacy]) -> list[tuple[str, Interval | None]]:
    return [
        ("distance", over_subsets(one.attack_by_distance for one in group)),
        ("discriminator", over_subsets(one.attack_by_discriminator for one in group)),
    ]


def _cells(group: Sequence[Privacy]) -> list[tuple[str, str]]:
    epsilons = [one.epsilon for one in group if one.epsilon is not None]
    members = f"{round(_mean(group, 'n_members'))} / {round(_mean(group, 'n_others'))}"
    return [
        (members, ""),
        (f"{_mean(group, 'nearest_ratio'):.2f}", ""),
        (f"{_mean(group, 'share_below_first_percentile'):.1%}", ""),
        (str(sum(one.near_copies for one in group)), ""),
        *(with_bounds(interval) for _, interval in _attacks(group)),
        (f"{max(epsilons):g}" if epsilons else "–", ""),
    ]


def _mean(group: Sequence[Privacy], field: str) -> float:
    return float(np.mean([getattr(one, field) for one in group]))


def _copies(data: ReportData, text: Text, quality: int) -> list[dict[str, Any]]:
    pairs = sorted((pair for section in data.gans for pair in section.copies), key=lambda p: p.rms)
    return [
        {
            "synthetic": data_uri(fitted(pair.synthetic[None], _COPY_SIZE)[0], quality),
            "real": data_uri(fitted(pair.real[None], _COPY_SIZE)[0], quality),
            "caption": text("copies_caption", rms=f"{pair.rms:.1f}"),
        }
        for pair in pairs[:_MOST_COPIES]
    ]
