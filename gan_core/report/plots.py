"""The report's plots, drawn once, then written as SVG that follows the page's theme, or as PNG.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell
apart; every line also has its own marker.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gan_core.report.data import LearningCurve
from gan_core.report.tables import arms, columns, share, signless, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Interval, Results

# Each colour stands for a role; in SVG it is replaced by the page's variable of that role, so the
# plots turn dark with the page. No two roles may share a colour.
INK, FAINT, RULE = "#1f2a33", "#64707a", "#dfe3e6"
_PALETTE = ("#6e7780", "#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
_VARIABLES = {INK: "--ink", FAINT: "--faint", RULE: "--rule"} | {
    colour: f"--line-{i}" for i, colour in enumerate(_PALETTE)
}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_Dashes = str | tuple[float, tuple[float, float]]
_PARTS: dict[str, tuple[str, _Dashes]] = {
    "train": (_PALETTE[1], "-"),
    "val": (_PALETTE[3], (0, (4, 2))),
}
_LINE_ORDER = ("real-only", "class-weights", "oversample")


def line_style(arm: str, all_arms: Sequence[str]) -> tuple[str, str]:
    """Return the colour and marker of an arm, the same in every plot of a report."""
    if arm in _LINE_ORDER:
        index = _LINE_ORDER.index(arm)
    else:
        others = [a for a in all_arms if a not in _LINE_ORDER]
        index = len(_LINE_ORDER) + others.index(arm)
    return _PALETTE[index % len(_PALETTE)], _MARKERS[index % len(_MARKERS)]


def _panel(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(rows, 1, i + 1) for i in range(rows)]
    for ax in axes:
        _dress(ax)
    return figure, axes


def _dress(ax: Axes) -> None:
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    ax.grid(axis="y", color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=FAINT, labelsize=9, length=0, pad=5)
    ax.tick_params(axis="x", length=3)


def _number_y(ax: Axes, most: int) -> None:
    """Number the y axis with as many decimals on each tick, and no zero before the point."""
    ax.yaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    decimals = max((len(f"{tick:.4f}".rstrip("0").partition(".")[2]) for tick in ticks), default=0)

    def number(value: float, _: int | None = None) -> str:
        text = signless(f"{abs(value):.{decimals}f}")
        return f"−{text}" if value < 0 else text

    ax.yaxis.set_major_formatter(FuncFormatter(number))


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
    _dress(ax)
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
    _number_y(ax, 5)
    ax.set_xlabel(
        text("axis_real_count", rare_class=results.rare_class), color=FAINT, fontsize=9, labelpad=6
    )


def over_counts_svg(results: Results, classifier: str, figure: str, text: Text = ENGLISH) -> Markup:
    """Return one figure against the real counts as SVG, with a text that says the same."""
    drawing, (ax,) = _panel(4.8, 3.1)
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
    drawing, (loss, accuracy) = _panel(3.0, 3.5, rows=2)
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
        _number_y(ax, 4)
    loss.tick_params(axis="x", labelbottom=False)
    accuracy.set_xlabel(text("axis_epoch"), color=FAINT, fontsize=9)
    return to_svg(drawing, alt)


def losses_svg(history: Sequence[dict[str, float]], alt: str, text: Text = ENGLISH) -> Markup:
    """Return the losses of a GAN's training as SVG, named at the ends of their lines."""
    drawing, (ax,) = _panel(6.4, 2.5)
    names = [name for name in history[0] if name not in ("epoch", "step")]
    for i, name in enumerate(names):
        points = [p for p in history if name in p]
        ax.plot(
            [p["epoch"] for p in points],
            [p[name] for p in points],
            color=_PALETTE[(i + 1) % len(_PALETTE)],
            linewidth=1.3,
            marker=_MARKERS[i % len(_MARKERS)],
            markevery=max(1, len(points) // 8),
            markersize=4,
            label=text.named("loss", name),
        )
    ax.set_xlabel(text("axis_epoch"), color=FAINT, fontsize=9)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _number_y(ax, 4)
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


def _swatch(colour: str, style: _Dashes, marker: str = "") -> Markup:
    drawing = Figure(figsize=(0.5, 0.2))
    ax = drawing.add_axes((0, 0, 1, 1))
    ax.axis("off")
    ax.plot([0, 2], [0, 0], color=colour, linewidth=1.8, linestyle=style)
    ax.plot([1], [0], color=colour, marker=marker, markersize=5.5)
    return to_svg(drawing, "")


def to_svg(drawing: Figure, alt: str) -> Markup:
    """Return a figure as inline SVG whose colours are the page's variables.

    Args:
        drawing: The figure.
        alt: What it shows, in words; empty for an ornament.
    """
    FigureCanvasSVG(drawing)
    out = io.StringIO()
    # Letters stay letters, so that they take the page's font and can be searched; the salt makes
    # the ids, and so the report's bytes, the same every time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "graft"}):
        drawing.savefig(
            out,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # The style would hold for the whole page, and the font is the page's.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = _with_ids_of_its_own(svg).replace("xlink:href", "href")
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    role = f'role="img" aria-label="{escape(alt)}"' if alt else 'aria-hidden="true"'
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" {role}>', svg, count=1)
    return Markup(svg)  # noqa: S704 - matplotlib escapes the texts that it is given


def _with_ids_of_its_own(svg: str) -> str:
    # A page may hold an id once, and every figure has an "axes_1": keep what is referred to, and
    # set the figure's hash before it.
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    prefix = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8]

    def renamed(match: re.Match[str]) -> str:
        return f' id="{prefix}{match[1]}"' if match[1] in used else ""

    svg = re.sub(r' id="([^"]*)"', renamed, svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", svg)


def to_png(drawing: Figure) -> bytes:
    """Return a figure as PNG at 160 dots an inch."""
    FigureCanvasAgg(drawing)
    out = io.BytesIO()
    drawing.savefig(out, format="png", dpi=160, metadata={"Software": None})
    return out.getvalue()
