"""Which arms and which classifier a picture of few lines shows.

The choices are those of the verdicts where there are any; else they are made by figures of held-out
real training images, never by the test images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from gan_core.report.armnames import gans_of, has_fakes, in_order, parsed
from gan_core.spec.results import Results

_STRONG_CLASSIFIERS = ("probe", "finetune", "seed-cnn")
_STRONG_ARMS = ("classic-augment+oversample", "class-weights", "oversample", "real-only")
_SHOWN_BASE = ("real-only", "class-weights", "classic-augment+oversample")
_SHOWN_OF_ONE_GAN = ("gan", "gan+classic-augment", "gan@ratio")
_MOST_LINES = 8


def strongest_classifier(results: Results) -> str | None:
    """Return the classifier by which is concluded; None where there is none."""
    told = Counter(c.classifier for c in results.conclusions if c.classifier is not None)
    if told:
        return min(told, key=lambda name: (-told[name], name))
    present = sorted({s.classifier for s in results.summaries})
    known = [name for name in _STRONG_CLASSIFIERS if name in present]
    return next(iter(known + present), None)


def bar_arm(results: Results, classifier: str, label: str) -> str | None:
    """Return the strongest arm without a GAN at one real count; None where there is none."""
    for verdict in results.verdicts:
        is_here = (verdict.classifier, verdict.real_count_label) == (classifier, label)
        if is_here and verdict.against is not None:
            return verdict.against
    present = [a for a in _arms_at(results, classifier, label) if not has_fakes(a)]
    # The control shows what the upscaler does; nobody would train so.
    usable = [a for a in present if parsed(a).kind != "upscale-control"] or present
    held_out = _held_out(results, classifier, label, usable)
    if held_out:
        return max(held_out, key=lambda arm: held_out[arm])
    known = [name for name in _STRONG_ARMS if name in usable]
    return next(iter(known + usable), None)


def gan_arm(results: Results, classifier: str, label: str) -> str | None:
    """Return the arm with synthetic images that stands for the GANs at one real count."""
    for conclusion in results.conclusions:
        is_here = conclusion.real_count_label == label and conclusion.arm is not None
        if is_here and conclusion.classifier in (None, classifier):
            return conclusion.arm
    present = [
        a
        for a in _arms_at(results, classifier, label)
        if has_fakes(a) and parsed(a).kind != "synthetic-only"
    ]
    held_out = _held_out(results, classifier, label, present)
    if held_out:
        return max(held_out, key=lambda arm: held_out[arm])
    return next(iter(present), None)


def headline_arms(results: Results, classifier: str) -> list[str]:
    """Return the arms of the report's first picture, in the order of the tables."""
    present = in_order({s.arm for s in results.summaries if s.classifier == classifier})
    labels = dict.fromkeys(s.real_count_label for s in results.summaries)
    bars = {bar_arm(results, classifier, label) for label in labels}
    base = [a for a in present if not has_fakes(a) and (a in _SHOWN_BASE or a in bars)]
    several = len(gans_of(present)) > 1
    shown = ("gan",) if several else _SHOWN_OF_ONE_GAN
    winners = {c.arm for c in results.conclusions if c.outcome == "helps"}
    of_gans = [a for a in present if has_fakes(a) and (parsed(a).kind in shown or a in winners)]
    return (base or [a for a in present if not has_fakes(a)]) + of_gans[:_MOST_LINES]


def _arms_at(results: Results, classifier: str, label: str) -> list[str]:
    return in_order(
        {
            s.arm
            for s in results.summaries
            if (s.classifier, s.real_count_label) == (classifier, label)
        }
    )


def _held_out(
    results: Results, classifier: str, label: str, arms: Iterable[str]
) -> dict[str, float]:
    """Return the mean ROC-AUC on held-out training images of the arms that have one."""
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    for row in results.rows:
        if (row.classifier, row.real_count_label) != (classifier, label) or row.arm not in found:
            continue
        if row.heldout_roc_auc is not None:
            found[row.arm].append(row.heldout_roc_auc)
    return {arm: float(np.mean(values)) for arm, values in found.items() if values}
