"""How figures change with the ratio of synthetic to real images, and which ratio was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from gan_core.report.drawing import FAINT, PALETTE, number_y, panel, to_svg
from gan_core.report.styles import drawn_swatch
from gan_core.report.tables import share
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.findings import RatioPoint
from gan_core.spec.results import Results

_HELD_OUT = (PALETTE[1], "-", "o")
_TEST = (PALETTE[3], (0.0, (4.0, 2.0)), "s")
_LEAST_SPAN = 0.04

Groups = dict[tuple[str, str], dict[tuple[int, str], list[RatioPoint]]]


def ratio_views(results: Results, text: Text = ENGLISH) -> list[dict[str, Any]]:
    """Return for each GAN and classifier a panel for each real count."""
    grouped: Groups = {}
    for point in results.ratios:
        of_gan = grouped.setdefault((point.gan, point.classifier), {})
        of_gan.setdefault((point.real_count, point.real_count_label), []).append(point)
    views = []
    for (gan, classifier), counts in sorted(grouped.items()):
        name, who = text.named("gan", gan), text.named("classifier", classifier)
        span = _span([p for points in counts.values() for p in points])
        panels = []
        for (count, label), points in sorted(counts.items()):
            phrase = text.phrase(label, count)
            panels.append(
                (
                    text("panel_count", count=phrase),
                    ratio_svg(points, span, _said(points, name, phrase, text), text),
                )
            )
        views.append({"heading": f"{name} · {who}", "panels": panels})
    return views


def ratio_legend(text: Text = ENGLISH) -> list[tuple[str, Markup]]:
    """Return the names of the two lines, each with a piece of it."""
    return [
        (text("ratios_line_heldout"), drawn_swatch(*_HELD_OUT)),
        (text("ratios_line_test"), drawn_swatch(*_TEST)),
    ]


def means(points: Sequence[RatioPoint]) -> list[tuple[float, float, float | None, int]]:
    """Return (ratio, held-out ROC-AUC, that on the test images, runs that chose it), rising."""
    found = []
    for ratio in sorted({p.ratio for p in points}):
        own = [p for p in points if p.ratio == ratio]
        tested = [p.roc_auc for p in own if p.roc_auc is not None]
        found.append(
            (
                ratio,
                float(np.mean([p.heldout_roc_auc for p in own])),
                float(np.mean(tested)) if tested else None,
                sum(p.is_chosen for p in own),
            )
        )
    return found


def ratio_svg(
    points: Sequence[RatioPoint], span: tuple[float, float], alt: str, text: Text = ENGLISH
) -> Markup:
    """Return the two lines of one real count as SVG, with a ring at each ratio that was chosen."""
    drawing, (ax,) = panel(3.0, 2.5)
    table = means(points)
    runs = max(1, sum(chosen for *_, chosen in table))
    held_out = [value for _, value, _, _ in table]
    ax.plot(range(len(table)), held_out, color=_HELD_OUT[0], marker="o", markersize=4)
    tested = [(i, value) for i, (_, _, value, _) in enumerate(table) if value is not None]
    ax.plot(
        [i for i, _ in tested],
        [value for _, value in tested],
        color=_TEST[0],
        linestyle=_TEST[1],
        marker="s",
        markersize=4,
    )
    for i, (_, value, _, chosen) in enumerate(table):
        if chosen:
            ax.plot(
                [i],
                [value],
                marker="o",
                markersize=7 + 9 * chosen / runs,
                markerfacecolor="none",
                markeredgecolor=_HELD_OUT[0],
                markeredgewidth=1.4,
            )
    ax.set_xticks(range(len(table)), [f"{ratio:g}" for ratio, *_ in table])
    ax.set_xlim(-0.5, len(table) - 0.5)
    ax.set_ylim(*span)
    number_y(ax, 4)
    ax.set_xlabel(text("axis_ratio"), color=FAINT, fontsize=8)
    return to_svg(drawing, alt)


def _span(points: Sequence[RatioPoint]) -> tuple[float, float]:
    every = [v for _, held_out, tested, _ in means(points) for v in (held_out, tested)]
    for label in {p.real_count_label for p in points}:
        for _, held_out, tested, _ in means([p for p in points if p.real_count_label == label]):
            every += [held_out, tested]
    seen = [value for value in every if value is not None]
    low, high = min(seen), max(seen)
    missing = max(0.0, _LEAST_SPAN - (high - low)) / 2
    edge = 0.08 * (high - low + 2 * missing)
    return low - missing - edge, high + missing + edge


def _said(points: Sequence[RatioPoint], gan: str, count: str, text: Text) -> str:
    table = means(points)
    values = ", ".join(
        text("ratio_at", value=share(value), ratio=f"{ratio:g}") for ratio, value, _, _ in table
    )
    chosen = ", ".join(f"{ratio:g}" for ratio, _, _, times in table if times) or "–"
    told = text("ratios_alt_count", count=count, values=values, chosen=chosen)
    return text("ratios_alt", gan=gan, values=told)
