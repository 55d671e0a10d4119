"""How plots look, and how they become SVG that follows the page's theme, or PNG.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell
apart.
"""

from __future__ import annotations

import hashlib
import io
import re

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gan_core.report.tables import signless

# Each colour stands for a role; in SVG it is replaced by the page's variable of that role, so the
# plots turn dark with the page. No two roles may share a colour.
INK, FAINT, RULE = "#1f2a33", "#64707a", "#dfe3e6"
PALETTE = ("#6e7780", "#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
VARIABLES = {INK: "--ink", FAINT: "--faint", RULE: "--rule"} | {
    colour: f"--line-{i}" for i, colour in enumerate(PALETTE)
}


def panel(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of a size in inches, and its dressed axes one above the other."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(rows, 1, i + 1) for i in range(rows)]
    for ax in axes:
        dress(ax)
    return figure, axes


def dress(ax: Axes) -> None:
    """Leave only what helps to read a plot: faint horizontal lines and the axis below."""
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    ax.grid(axis="y", color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=FAINT, labelsize=9, length=0, pad=5)
    ax.tick_params(axis="x", length=3)


def number_y(ax: Axes, most: int) -> None:
    """Number the y axis with as many decimals on each tick, and no zero before the point."""
    ax.yaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    decimals = max((len(f"{tick:.4f}".rstrip("0").partition(".")[2]) for tick in ticks), default=0)

    def number(value: float, _: int | None = None) -> str:
        text = signless(f"{abs(value):.{decimals}f}")
        return f"−{text}" if value < 0 else text

    ax.yaxis.set_major_formatter(FuncFormatter(number))


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
    svg = _with_ids_of_its_own(svg, alt).replace("xlink:href", "href")
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    role = f'role="img" aria-label="{escape(alt)}"' if alt else 'aria-hidden="true"'
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" {role}>', svg, count=1)
    return Markup(svg)  # noqa: S704 - matplotlib escapes the texts that it is given


def _with_ids_of_its_own(svg: str, alt: str) -> str:
    # A page may hold an id once, and every figure has an "axes_1": keep what is referred to, and
    # set the figure's hash before it.
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    prefix = "f" + hashlib.sha256(f"{alt}\0{svg}".encode()).hexdigest()[:8]

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
