"""The report's plots, drawn once for the page (SVG) and for files (PNG).

Every line has its own colour and its own marker.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from gan_core.report.data import LearningCurve
from gan_core.report.drawing import (
    FAINT,
    INK,
    PALETTE,
    dress,
    number_y,
    panel,
    to_png,
    to_svg,
)
from gan_core.report.styles import MARKERS, Dashes, drawn_swatch, line_style
from gan_core.report.tables import arms, columns, share, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import ArmSummary, Interval, Results

_PARTS: dict[str, tuple[str, Dashes]] = {
    "train": (PALETTE[1], "-"),
    "val": (PALETTE[3], (0, (4, 2))),
}
# Figures for which guessing gives .5.
CHANCE_IS_HALF = ("roc_auc", "balanced_accuracy", "moved_balanced_accuracy")

# A narrower axis would blow chance up to the size of a finding.
_LEAST_SPAN = 0.2


def _range(summaries: Sequence[ArmSummary], figure: str) -> tuple[float, float]:
    """Return the y axis for a figure, the same for every classifier so that plots compare."""
    seen: list[float] = []
    for summary in summaries:
        interval = summary.figures.get(figure)
        if interval is not None:
            seen += [v for v in (interval.mean, interval.low, interval.high) if v is not None]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    if figure in CHANCE_IS_HALF:
        # Close to chance the line of chance belongs into the picture.
        low = 0.48 if 0.48 < low < 0.6 else low
    low, high = low - 0.02, high + 0.02
    missing = max(0.0, _LEAST_SPAN - (high - low))
    low, high = low - missing, min(high, 1.01)
    return max(low, -0.01), high


def draw_over_counts(
    ax: Axes, results: Results, classifier: str, figure: str, text: Text = ENGLISH
) -> None:
    """Draw one figure against the real counts, a line an arm, with whiskers for the interval.

    The counts stand at equal distances: on a true scale 250 and 300 would fall on one another.
    """
    every = arms(results)
    shown = [arm for arm in every if points_of(results, classifier, arm, figure)]
    for place, arm in enumerate(shown):
        style = line_style(arm, every)
        # Side by side, so that whiskers do not hide one another.
        shift = (place - (len(shown) - 1) / 2) * min(0.1, 0.5 / len(shown))
        points = points_of(results, classifier, arm, figure)
        for x, interval in points:
            if interval.low is not None and interval.high is not None:
                span = [interval.low, interval.high]
                ax.plot([x + shift] * 2, span, color=style.colour, linewidth=1.1, alpha=0.5)
        draw_line(ax, arm, every, [(x + shift, i) for x, i in points], text)
    frame_counts(ax, results, figure, text)


def points_of(
    results: Results, classifier: str, arm: str, figure: str
) -> list[tuple[float, Interval]]:
    """Return (place of the real count, the figure there) for one arm."""
    points: list[tuple[float, Interval]] = []
    for i, column in enumerate(columns(results)):
        summary = summary_of(results, classifier, arm, column)
        if summary is not None and figure in summary.figures:
            points.append((float(i), summary.figures[figure]))
    return points


def draw_line(
    ax: Axes,
    arm: str,
    every: Sequence[str],
    points: Sequence[tuple[float, Interval]],
    text: Text = ENGLISH,
) -> None:
    """Draw the means of one arm in its own style."""
    style = line_style(arm, every)
    ax.plot(
        [x for x, _ in points],
        [interval.mean for _, interval in points],
        color=style.colour,
        marker=style.marker,
        markersize=5,
        linewidth=style.width,
        linestyle=style.dashes,
        label=text.arm(arm),
    )


def frame_counts(
    ax: Axes,
    results: Results,
    figure: str,
    text: Text = ENGLISH,
    *,
    shown: Sequence[ArmSummary] | None = None,
) -> None:
    """Set the axes of a plot over real counts: their names, the range, the line of chance.

    Args:
        ax: The axes.
        results: The study.
        figure: Which figure is drawn.
        text: The texts.
        shown: What the range has to hold; None: all, so that plots of one figure compare.
    """
    dress(ax)
    across = columns(results, text)
    ax.set_xticks(range(len(across)), [column.heading for column in across])
    ax.set_xlim(-0.4, len(across) - 0.6)
    low, high = _range(results.summaries if shown is None else shown, figure)
    ax.set_ylim(low, high)
    if figure in CHANCE_IS_HALF and low < 0.5:
        ax.axhline(0.5, color=FAINT, linewidth=1.0, linestyle=(0, (2, 3)))
        ax.annotate(
            text("chance"),
            xy=(1.0, 0.5),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            color=FAINT,
            fontsize=8,
            ha="right",
            va="bottom",
        )
    number_y(ax, 5)
    ax.set_xlabel(
        text("axis_real_count", rare_class=results.rare_class), color=FAINT, fontsize=9, labelpad=6
    )


def over_counts_svg(results: Results, classifier: str, figure: str, text: Text = ENGLISH) -> Markup:
    """Return one figure against the real counts as SVG, with a text that says the same."""
    drawing, (ax,) = panel(4.8, 3.1)
    draw_over_counts(ax, results, classifier, figure, text)
    return to_svg(drawing, spoken(results, classifier, figure, arms(results), text))


def spoken(
    results: Results, classifier: str, figure: str, shown: Sequence[str], text: Text = ENGLISH
) -> str:
    """Say in words what a plot over real counts shows."""
    across = columns(results, text)
    sentences = []
    for arm in shown:
        values = [
            text("plot_alt_value", value=share(interval.mean), count=across[int(x)].phrase)
            for x, interval in points_of(results, classifier, arm, figure)
        ]
        if values:
            sentences.append(text("plot_alt_arm", arm=text.arm(arm), values=", ".join(values)))
    return text(
        "plot_alt",
        figure=text.named("figure", figure),
        classifier=text.named("classifier", classifier),
        values=" ".join(sentences),
    )


def decision_figure(results: Results) -> str:
    """Return the figure that judges decisions: at the moved threshold, where there is one."""
    moved = "moved_balanced_accuracy"
    return moved if any(moved in s.figures for s in results.summaries) else "balanced_accuracy"


def over_counts_png(results: Results, classifiers: Sequence[str], text: Text = ENGLISH) -> bytes:
    """Return ROC-AUC and balanced accuracy against the real counts as one PNG."""
    height = 3.4 * len(classifiers) + 0.3 + 0.22 * -(-len(arms(results)) // 3)
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)
    drawing = Figure(figsize=(10.0, height), layout=layout, facecolor="white")
    handles: dict[str, Artist] = {}
    decision = decision_figure(results)
    grid = drawing.subplots(len(classifiers), 2, squeeze=False)
    for row, classifier in zip(grid, classifiers, strict=True):
        for ax, figure in zip(row, ("roc_auc", decision), strict=True):
            draw_over_counts(ax, results, classifier, figure, text)
            name = text.named("classifier_short", classifier)
            title = f"{text.named('figure', figure)}, {name}"
            ax.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
            lines, labels = ax.get_legend_handles_labels()
            handles.update(dict(zip(labels, lines, strict=True)))
    drawing.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper left",
        ncols=3,
        frameon=False,
        fontsize=10,
        labelcolor=INK,
    )
    return to_png(drawing)


def learning_svg(runs: Sequence[LearningCurve], alt: str, text: Text = ENGLISH) -> Markup:
    """Return the loss and the accuracy of the runs of one arm, training and held out, as SVG."""
    drawing, (loss, accuracy) = panel(3.0, 3.5, rows=2)
    for ax, kind in ((loss, "loss"), (accuracy, "accuracy")):
        for part, (colour, style) in _PARTS.items():
            for i, run in enumerate(runs):
                points = [p for p in run.points if f"{part}_{kind}" in p]
                ax.plot(
                    [p["epoch"] for p in points],
                    [p[f"{part}_{kind}"] for p in points],
                    color=colour,
                    linestyle=style,
                    linewidth=1.6 if i == 0 else 0.8,
                    alpha=1.0 if i == 0 else 0.45,
                )
        ax.set_title(text(f"axis_{kind}"), loc="left", fontsize=9, color=FAINT, pad=4)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if kind == "loss":
            ax.set_ylim(bottom=0)
        number_y(ax, 4)
    loss.tick_params(axis="x", labelbottom=False)
    accuracy.set_xlabel(text("axis_epoch"), color=FAINT, fontsize=9)
    return to_svg(drawing, alt)


def losses_svg(history: Sequence[dict[str, float]], alt: str, text: Text = ENGLISH) -> Markup:
    """Return the losses of a GAN's training as SVG, named at the ends of their lines."""
    drawing, (ax,) = panel(6.4, 2.5)
    names = [name for name in history[0] if name not in ("epoch", "step")]
    for i, name in enumerate(names):
        points = [p for p in history if name in p]
        ax.plot(
            [p["epoch"] for p in points],
            [p[name] for p in points],
            color=PALETTE[(i + 1) % len(PALETTE)],
            linewidth=1.3,
            marker=MARKERS[i % len(MARKERS)],
            markevery=max(1, len(points) // 8),
            markersize=4,
            label=text.named("loss", name),
        )
    ax.set_xlabel(text("axis_epoch"), color=FAINT, fontsize=9)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    number_y(ax, 4)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=max(1, len(names)),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    return to_svg(drawing, alt)


def learning_legend(text: Text = ENGLISH) -> list[tuple[str, Markup]]:
    """Return the legend of the learning curves: what each line is, and a piece of it as SVG."""
    return [(text(f"line_{part}"), drawn_swatch(*style)) for part, style in _PARTS.items()]
