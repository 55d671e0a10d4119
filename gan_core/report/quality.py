"""Quality over a GAN's training as the report shows it: the curves and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from gan_core.report.data import GanSection, Snapshot
from gan_core.report.drawing import FAINT, INK, PALETTE, number_y, panel, to_svg
from gan_core.report.text import ENGLISH, Text

# Rows of samples from a training that was looked at more often.
MOST_SNAPSHOTS = 6

_SHARES = (("coverage", "o"), ("authenticity", "^"), ("copy_rate", "s"))


def quality_view(section: GanSection, values: dict[str, Any], text: Text) -> dict[str, Any] | None:
    """Return the curves and their sentences; None where nothing was judged.

    Args:
        section: One GAN.
        values: For the sentences: "gan", "count", "subset".
        text: The texts.
    """
    if not section.judgements:
        return None
    chosen = section.chosen_epoch
    said = []
    if not section.was_chosen:
        said.append(text("quality_last"))
    elif chosen is not None:
        said.append(text("quality_chosen", epoch=chosen))
    if section.ended is not None:
        last = section.judgements[-1]["epoch"]
        said.append(text(f"quality_ended:{section.ended}", epoch=int(last)))
    alt = text("quality_alt", **values)
    return {"plot": quality_svg(section.judgements, chosen, alt, text), "said": " ".join(said)}


def quality_svg(
    judgements: Sequence[dict[str, float]], chosen: int | None, alt: str, text: Text = ENGLISH
) -> Markup:
    """Return KID (above) and the shares (below) over the epochs as SVG, the chosen one marked."""
    drawing, (distance, shares) = panel(6.4, 4.0, rows=2)
    epochs = [found["epoch"] for found in judgements]
    distance.plot(
        epochs, [found["kid"] for found in judgements], color=PALETTE[1], marker="D", markersize=4
    )
    distance.fill_between(
        epochs,
        [found["kid"] - found["kid_sd"] for found in judgements],
        [found["kid"] + found["kid_sd"] for found in judgements],
        color=PALETTE[1],
        alpha=0.15,
        linewidth=0,
    )
    distance.set_title(text("axis_kid"), loc="left", fontsize=9, color=FAINT, pad=4)
    distance.tick_params(axis="x", labelbottom=False)
    for number, (name, marker) in enumerate(_SHARES):
        shares.plot(
            epochs,
            [found[name] for found in judgements],
            color=PALETTE[number + 2],
            marker=marker,
            markersize=4,
            label=text(f"quality:{name}"),
        )
    shares.set_ylim(-0.03, 1.03)
    shares.set_xlabel(text("axis_epoch"), color=FAINT, fontsize=9)
    shares.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=len(_SHARES),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    for ax in (distance, shares):
        number_y(ax, 4)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if chosen is not None:
            ax.axvline(chosen, color=FAINT, linewidth=1.0, linestyle=(0, (2, 3)))
    return to_svg(drawing, alt)


def shown_snapshots(section: GanSection) -> list[Snapshot]:
    """Return at most ``MOST_SNAPSHOTS`` of a training's, spread over it, the chosen among them."""
    every = section.snapshots
    if len(every) <= MOST_SNAPSHOTS:
        return list(every)
    stride = (len(every) - 1) / (MOST_SNAPSHOTS - 1)
    places = {round(number * stride) for number in range(MOST_SNAPSHOTS)}
    kept = [i for i, shot in enumerate(every) if shot.is_chosen]
    if kept and kept[0] not in places:
        # In place of the nearest one that is neither the first nor the last.
        inner = sorted(places - {0, len(every) - 1}, key=lambda place: abs(place - kept[0]))
        places = (places - {inner[0]}) | {kept[0]}
    return [every[place] for place in sorted(places)]
