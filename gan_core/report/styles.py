"""How each arm's line looks: the same in every plot and legend of a report.

Arms without a GAN are dashed, those with one are drawn through and thicker, so that the two can be
told apart without any colour; colour and marker then say which arm it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gan_core.report.armnames import gans_of, has_fakes, in_order, parsed
from gan_core.report.drawing import INK, PALETTE, VARIABLES

Dashes = str | tuple[float, tuple[float, float]]
_DASHED: Dashes = (0, (4, 2))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_OF_BASE = {
    "real-only": (PALETTE[0], "o"),
    "class-weights": (PALETTE[1], "s"),
    "oversample": (PALETTE[6], "^"),
    "classic-augment": (PALETTE[4], "v"),
    "classic-augment+oversample": (INK, "P"),
    "upscale-control": (PALETTE[5], "X"),
}
_OF_GANS = (PALETTE[3], PALETTE[2], PALETTE[5], PALETTE[4], PALETTE[6], PALETTE[1])
_KINDS = {
    "gan": "D",
    "gan+classic-augment": "^",
    "gan@ratio": "o",
    "gan-unscreened": "v",
    "synthetic-only": "X",
}


@dataclass(frozen=True)
class Style:
    """Of an arm's line: colour, marker, dashes, width in points."""

    colour: str
    marker: str
    dashes: Dashes = "-"
    width: float = 2.0


def line_style(arm: str, arms: Sequence[str]) -> Style:
    """Return the style of an arm among all arms of a report.

    With one GAN each of its arms has its own colour; with several each GAN has, and markers tell
    its arms apart.
    """
    name = parsed(arm)
    if name.gan is None:
        if name.kind in _OF_BASE:
            return Style(*_OF_BASE[name.kind], _DASHED, 1.4)
        others = [a for a in in_order(arms) if not has_fakes(a) and parsed(a).kind not in _OF_BASE]
        place = others.index(arm) if arm in others else 0
        return Style(PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)], _DASHED, 1.4)
    gans = gans_of(arms)
    if len(gans) == 1:
        place = [*_KINDS].index(name.kind)
    else:
        place = gans.index(name.gan) if name.gan in gans else len(gans)
    return Style(_OF_GANS[place % len(_OF_GANS)], _KINDS[name.kind])


def swatch(arm: str, arms: Sequence[str]) -> Markup:
    """Return a short piece of an arm's line as SVG, for a legend in the page."""
    style = line_style(arm, arms)
    return drawn_swatch(style.colour, style.dashes, style.marker)


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


def drawn_swatch(colour: str, style: Dashes, marker: str = "") -> Markup:
    """Return a piece of a line with its marker as SVG."""
    # Written by hand: matplotlib's would need ids, and a legend may stand in a page twice.
    dashes = "" if isinstance(style, str) else ' stroke-dasharray="5 3"'
    paint = f"var({VARIABLES[colour]})"
    return Markup(  # noqa: S704 - nothing in it comes from outside
        f'<svg viewBox="0 0 36 14" aria-hidden="true">'
        f'<path d="M1 7h34" fill="none" stroke="{paint}" stroke-width="2"{dashes}/>'
        f'<path d="{_MARKER_PATHS[marker]}" fill="{paint}"/></svg>'
    )
