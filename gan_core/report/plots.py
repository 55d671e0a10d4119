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
    VARIABLES,
    dress,
    number_y,
    panel,
    to_png,
    to_svg,
)
from gan_core.report.tables import arms, columns, share, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Interval, Results

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_Dashes = str | tuple[float, tuple[float, float]]
_PARTS: dict[str, tuple[str, _Dashes]] = {
    "train": (PALETTE[1], "-"),
    "val": (PALETTE[3], (0, (4, 2))),
}
_LINE_ORDER = ("real-only", "class-weights", "oversample")


def line_style(arm: str, all_arms: Sequence[str]) -> tuple[str, str]:
    """Return the colour and marker of an arm, the same in every plot of a report."""
    if arm in _LINE_ORDER:
        index = _LINE_ORDER.index(arm)
    else:
        others = [a for a in all_arms if a not in _LINE_ORDER]
        index = len(_LINE_ORDER) + others.index(arm)
    return PALETTE[index % len(PALETTE)], _MARKERS[index % len(_MARKERS)]


# A narrower axis would blow chance up to the size of a finding.
_LEAST_SPAN = 0.2


def _range(results: Results, figure: str) -> tuple[float, float]:
    """Return the y axis for a figure, the same for every classifier so that plots compare."""
    seen: list[float] = []
    for summary in results.summaries:
        interval = summary.figures.get(figure)
        if interval is not None:
            seen += [v for v in (interval.mean, interval.low, interval.high) if v is not None]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    if figure in ("roc_auc", "balanced_accuracy"):
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
    dress(ax)
    across = columns(results, text)
    shown = arms(results)
    for place, arm in enumerate(shown):
        colour, marker = line_style(arm, shown)
        # Side by side, so that whiskers do not hide one another.
        shift = (place - (len(shown) - 1) / 2) * min(0.1, 0.5 / len(shown))
        points: list[tuple[float, Interval]] = []
        for i, column in enumerate(across):
            summary = summary_of(results, classifier, arm, column)
            if summary is not None and figure in summary.figures:
                points.append((i + shift, summary.figures[figure]))
        if not points:
            continue
        for x, interval in points:
            if interval.low is not None and interval.high is not None:
                span = [interval.low, interval.high]
                ax.plot([x, x], span, color=colour, linewidth=1.3, alpha=0.55)
        ax.plot(
            [x for x, _ in points],
            [interval.mean for _, interval in points],
            color=colour,
            marker=marker,
            markersize=5.5,
            linewidth=1.8,
            label=text.arm(arm),
        )
    ax.set_xticks(range(len(across)), [column.heading for column in across])
    ax.set_xlim(-0.5, len(across) - 0.5)
    low, high = _range(results, figure)
    ax.set_ylim(low, high)
    if figure in ("roc_auc", "balanced_accuracy") and low < 0.5:
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
    sentences = []
    for arm in arms(results):
        values = []
        for column in columns(results, text):
            summary = summary_of(results, classifier, arm, column)
            if summary is not None and figure in summary.figures:
                value = share(summary.figures[figure].mean)
                values.append(text("plot_alt_value", value=value, count=column.phrase))
        if values:
            sentences.append(text("plot_alt_arm", arm=text.arm(arm), values=", ".join(values)))
    alt = text(
        "plot_alt",
        figure=text.named("figure", figure),
        classifier=text.named("classifier", classifier),
        values=" ".join(sentences),
    )
    return to_svg(drawing, alt)


def over_counts_png(results: Results, classifiers: Sequence[str], text: Text = ENGLISH) -> bytes:
    """Return ROC-AUC and balanced accuracy against the real counts as one PNG."""
    height = 3.4 * len(classifiers) + 0.5
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)
    drawing = Figure(figsize=(10.0, height), layout=layout, facecolor="white")
    handles: dict[str, Artist] = {}
    grid = drawing.subplots(len(classifiers), 2, squeeze=False)
    for row, classifier in zip(grid, classifiers, strict=True):
        for ax, figure in zip(row, ("roc_auc", "balanced_accuracy"), strict=True):
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
        ncols=4,
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
            marker=_MARKERS[i % len(_MARKERS)],
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


def swatch(arm: str, all_arms: Sequence[str]) -> Markup:
    """Return a short piece of an arm's line as SVG, for a legend in the page."""
    colour, marker = line_style(arm, all_arms)
    return _swatch(colour, "-", marker)


def learning_legend(text: Text = ENGLISH) -> list[tuple[str, Markup]]:
    """Return the legend of the learning curves: what each line is, and a piece of it as SVG."""
    return [(text(f"line_{part}"), _swatch(*style)) for part, style in _PARTS.items()]


# The same markers as the plots', centred on (18, 7).
_MARKER_PATHS = {
    "": "",
    "o": "M23 7a5 5 0 1 1-10 0 5 5 0 1 1 10 0z",
    "s": "M13.5 2.5h9v9h-9z",
    "^": "M18 2l5 9.5h-10z",
    "D": "M18 1.5 23.5 7 18 12.5 12.5 7z",
    "v": "M18 12l5-9.5h-10z",
    "P": "M16 2h4v3h3v4h-3v3h-4V9h-3V5h3z",
    "X": "M14.5 2 18 5l3.5-3L23 4l-2.5 3L23 10l-1.5 2L18 9l-3.5 3L13 10l2.5-3L13 4z",
}


def _swatch(colour: str, style: _Dashes, marker: str = "") -> Markup:
    # Written by hand: matplotlib's would need ids, and a legend may stand in a page twice.
    dashes = "" if isinstance(style, str) else ' stroke-dasharray="7 4"'
    paint = f"var({VARIABLES[colour]})"
    return Markup(  # noqa: S704 - nothing in it comes from outside
        f'<svg viewBox="0 0 36 14" aria-hidden="true">'
        f'<path d="M1 7h34" fill="none" stroke="{paint}" stroke-width="2"{dashes}/>'
        f'<path d="{_MARKER_PATHS[marker]}" fill="{paint}"/></svg>'
    )
