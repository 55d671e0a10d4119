"""ROC curves and calibration: the strongest arm without a GAN beside the strongest with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from gan_core.report.bar import bar_arm, gan_arm, strongest_classifier
from gan_core.report.data import ReportData, ScoreCurves
from gan_core.report.drawing import FAINT, number_y, panel, to_svg
from gan_core.report.scores import RATES
from gan_core.report.styles import line_style, swatch
from gan_core.report.tables import arms, columns
from gan_core.report.text import ENGLISH, Text

# A share of fewer images is mostly chance.
LEAST_IN_A_BIN = 5


def roc_view(data: ReportData, text: Text = ENGLISH) -> dict[str, Any] | None:
    """Return a panel of ROC curves and one of calibration for each real count; None without."""
    classifier = strongest_classifier(data.results)
    if classifier is None or not data.scores:
        return None
    every, name = arms(data.results), text.named("classifier", classifier)
    rocs: list[tuple[str, Markup]] = []
    calibrations: list[tuple[str, Markup]] = []
    seen: set[str] = set()
    for column in columns(data.results, text):
        picked = (
            bar_arm(data.results, classifier, column.label),
            gan_arm(data.results, classifier, column.label),
        )
        shown = [
            curves
            for arm in picked
            for curves in data.scores
            if (curves.classifier, curves.real_count_label, curves.arm)
            == (classifier, column.label, arm)
        ]
        if not shown:
            continue
        seen |= {curves.arm for curves in shown}
        told = {
            "classifier": name,
            "count": column.phrase,
            "arms": ", ".join(text.arm(curves.arm) for curves in shown),
        }
        heading = text("panel_count", count=column.phrase)
        rocs.append((heading, roc_svg(shown, every, text("roc_alt", **told), text)))
        alt = text("calibration_alt", **told)
        calibrations.append(
            (heading, calibration_svg(shown, every, data.results.rare_class, alt, text))
        )
    if not rocs:
        return None
    return {
        "lead": text("roc_lead", classifier=name),
        "rocs": rocs,
        "calibrations": calibrations,
        "legend": [(text.arm(arm), swatch(arm, every)) for arm in every if arm in seen],
    }


def roc_svg(
    shown: Sequence[ScoreCurves], every: Sequence[str], alt: str, text: Text = ENGLISH
) -> Markup:
    """Return the mean ROC curves of some arms with their bands as SVG."""
    drawing, (ax,) = panel(3.0, 3.0)
    for curves in shown:
        style = line_style(curves.arm, every)
        if curves.spread is not None:
            ax.fill_between(
                RATES,
                np.clip(curves.found - curves.spread, 0, 1),
                np.clip(curves.found + curves.spread, 0, 1),
                color=style.colour,
                alpha=0.15,
                linewidth=0,
            )
        ax.plot(RATES, curves.found, color=style.colour, linestyle=style.dashes, linewidth=1.8)
        if curves.decision is not None:
            ax.plot(*curves.decision, color=style.colour, marker=style.marker, markersize=7)
    _square(ax, text("axis_false_alarms"), text("axis_found"))
    return to_svg(drawing, alt)


def calibration_svg(
    shown: Sequence[ScoreCurves],
    every: Sequence[str],
    rare_class: str,
    alt: str,
    text: Text = ENGLISH,
) -> Markup:
    """Return the calibration of some arms as SVG."""
    drawing, (ax,) = panel(3.0, 3.0)
    for curves in shown:
        style = line_style(curves.arm, every)
        points = [(x, y) for x, y, n in curves.calibration if n >= LEAST_IN_A_BIN]
        ax.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            markersize=5,
            linewidth=1.6,
        )
    _square(ax, text("axis_score"), text("axis_share", rare_class=rare_class))
    return to_svg(drawing, alt)


def _square(ax: Axes, across: str, up: str) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1.0, linestyle=(0, (2, 3)), zorder=0)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    number_y(ax, 4)
    ax.set_xlabel(across, color=FAINT, fontsize=8)
    ax.set_title(up, loc="left", color=FAINT, fontsize=8, pad=4)
