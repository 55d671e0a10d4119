"""The report's one picture: what the GANs reach against what can be had without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from gan_core.report.armnames import has_fakes, parsed
from gan_core.report.bar import bar_arm, headline_arms
from gan_core.report.drawing import FAINT, panel, to_svg
from gan_core.report.plots import (
    decision_figure,
    draw_line,
    frame_counts,
    points_of,
    spoken,
)
from gan_core.report.styles import line_style, swatch
from gan_core.report.tables import arms, columns
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Interval, Results

# More bands than this make mud.
_MOST_BANDS = 2


def headline_view(results: Results, classifier: str, text: Text = ENGLISH) -> dict[str, Any]:
    """Return the two panels (ROC-AUC; balanced accuracy) and their legend, in two parts."""
    every, shown = arms(results), headline_arms(results, classifier)
    return {
        "classifier": text.named("classifier", classifier),
        "plots": [
            (text.named("figure", figure), headline_svg(results, classifier, figure, text))
            for figure in ("roc_auc", decision_figure(results))
        ],
        "without": [(text.arm(a), swatch(a, every)) for a in shown if not has_fakes(a)],
        "with": [(text.arm(a), swatch(a, every)) for a in shown if has_fakes(a)],
        "is_all": len(shown) == len(every),
    }


def headline_svg(results: Results, classifier: str, figure: str, text: Text = ENGLISH) -> Markup:
    """Return one figure against the real counts: the bar as a floor, and the arms that matter."""
    drawing, (ax,) = panel(5.2, 3.7)
    every, shown = arms(results), headline_arms(results, classifier)
    own = [s for s in results.summaries if s.classifier == classifier and s.arm in shown]
    frame_counts(ax, results, figure, text, shown=own)
    places = _places(results, shown)
    _draw_floor(ax, results, classifier, figure, places)
    with_band = [a for a in shown if parsed(a).kind == "gan"][:_MOST_BANDS]
    for arm in shown:
        points = [(x + places[arm], i) for x, i in points_of(results, classifier, arm, figure)]
        if arm in with_band:
            _band(ax, points, line_style(arm, every).colour, 0.14)
        draw_line(ax, arm, every, points, text)
    return to_svg(drawing, spoken(results, classifier, figure, shown, text))


def _places(results: Results, shown: Sequence[str]) -> dict[str, float]:
    """Return how far each arm stands from its real count: at a single one they hide each other."""
    if len(columns(results)) > 1:
        return dict.fromkeys(shown, 0.0)
    return {arm: 0.6 * ((n + 0.5) / len(shown) - 0.5) for n, arm in enumerate(shown)}


def _draw_floor(
    ax: Axes, results: Results, classifier: str, figure: str, places: Mapping[str, float]
) -> None:
    points: list[tuple[float, Interval]] = []
    for i, column in enumerate(columns(results)):
        bar = bar_arm(results, classifier, column.label)
        if bar is not None:
            of_bar = dict(points_of(results, classifier, bar, figure))
            points += [(i + places.get(bar, 0.0), of_bar[i])] if i in of_bar else []
    if not points:
        return
    # To the edges, so that a single real count has a floor, too.
    left, right = ax.get_xlim()
    across = [left, *(x for x, _ in points), right]
    heights = [points[0][1].mean, *(i.mean for _, i in points), points[-1][1].mean]
    ax.fill_between(across, heights, ax.get_ylim()[0], color=FAINT, alpha=0.13, linewidth=0)
    _band(ax, points, FAINT, 0.22)


def _band(ax: Axes, points: list[tuple[float, Interval]], colour: str, opacity: float) -> None:
    known = [(x, i.low, i.high) for x, i in points if i.low is not None and i.high is not None]
    if len(known) > 1:
        x, low, high = zip(*known, strict=True)
        ax.fill_between(x, low, high, color=colour, alpha=opacity, linewidth=0)
    elif known:
        x0, low0, high0 = known[0]
        ax.fill_between(
            [x0 - 0.04, x0 + 0.04], low0, high0, color=colour, alpha=opacity, linewidth=0
        )
