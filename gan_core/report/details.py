"""The verdicts in detail: a forest of differences, a table, and every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gan_core.report.armnames import in_order
from gan_core.report.bar import strongest_classifier
from gan_core.report.drawing import FAINT, INK, RULE, dress, to_svg
from gan_core.report.styles import line_style
from gan_core.report.tables import arms, classifiers, difference, signless
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Comparison, Interval, Results, Verdict

# As in the sentences: what two decimals show as nothing may have a sign.
_DECIMALS = 3
_MORE = ("moved_sensitivity", "moved_specificity", "sensitivity", "specificity")


def judged_figures(results: Results) -> list[str]:
    """Return the figures of the verdicts' differences that are shown first."""
    present = {figure for verdict in results.verdicts for figure in verdict.differences}
    known = ("roc_auc", "moved_balanced_accuracy", "balanced_accuracy")
    shown = [figure for figure in known if figure in present]
    return shown[:2]


def detail_views(results: Results, text: Text = ENGLISH) -> list[dict[str, Any]]:
    """Return for each classifier its forest, and for each real count its verdicts."""
    figures = judged_figures(results)
    views = []
    strongest = strongest_classifier(results)
    for classifier in sorted(classifiers(results), key=lambda name: name != strongest):
        own = ordered([v for v in results.verdicts if v.classifier == classifier])
        if not own:
            continue
        views.append(
            {
                "name": text.named("classifier", classifier),
                "forests": [
                    (text.named("figure", f), forest_svg(own, results, f, text)) for f in figures
                ],
                "figures": [text.named("figure", f) for f in figures],
                "groups": _groups(own, figures, text),
            }
        )
    return views


def ordered(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Sort verdicts by real count, then as the tables do."""
    names = in_order({arm_of(v) for v in verdicts})
    return sorted(
        verdicts,
        key=lambda v: (v.real_count, not v.real_count_label.isdigit(), names.index(arm_of(v))),
    )


def arm_of(verdict: Verdict) -> str:
    """Return the arm of a verdict; those of earlier versions named the GAN alone."""
    return verdict.arm or f"gan:{verdict.gan}"


def bounds(interval: Interval | None, text: Text) -> str:
    """Return the bounds of a difference, in words."""
    if interval is None or interval.low is None or interval.high is None:
        return text("no_interval")
    return text(
        "interval",
        low=difference(interval.low, _DECIMALS),
        high=difference(interval.high, _DECIMALS),
    )


def p_value(p: float | None, text: Text = ENGLISH) -> str:
    """Return a p as journals print it."""
    if p is None:
        return "–"
    return text("p_small") if p < 0.001 else signless(f"{p:.3f}" if p < 0.1 else f"{p:.2f}")


def ratio_value(ratio: float | None, text: Text = ENGLISH) -> str:
    """Return a ratio of synthetic to real images ("2.5 : 1"), or a dash."""
    return "–" if ratio is None else text("ratio_value", ratio=f"{ratio:.1f}".removesuffix(".0"))


def _groups(verdicts: list[Verdict], figures: list[str], text: Text) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        count = text.phrase(verdict.real_count_label, verdict.real_count)
        group = groups.setdefault(verdict.real_count_label, {"count": count, "rows": []})
        group["rows"].append(_row(verdict, figures, text))
    for group in groups.values():
        against = {row["against"] for row in group["rows"]}
        # Said once where it is the same for all.
        group["against"] = against.pop() if len(against) == 1 else ""
    return list(groups.values())


def _row(verdict: Verdict, figures: list[str], text: Text) -> dict[str, Any]:
    shown = [verdict.differences.get(f) for f in figures]
    more = [f for f in _MORE if f in verdict.differences]
    return {
        "arm": text.arm(arm_of(verdict)),
        "against": text("against", arm=text.arm(verdict.against)) if verdict.against else "",
        "outcome": verdict.outcome,
        "label": text.named("outcome", verdict.outcome),
        "cells": [
            (difference(i.mean, _DECIMALS) if i else "–", bounds(i, text) if i else "")
            for i in shown
        ],
        "p": p_value(verdict.p_holm, text),
        "ratio": ratio_value(verdict.ratio, text),
        "runs": verdict.n_runs,
        "sentence": verdict.sentence,
        "more": [
            (
                text.named("figure", f),
                difference(verdict.differences[f].mean, _DECIMALS),
                bounds(verdict.differences[f], text),
            )
            for f in more
        ],
        "caveats": [c for c in verdict.caveats if c not in verdict.sentence],
        "comparisons": [_comparison(c, text) for c in verdict.comparisons],
    }


def _comparison(comparison: Comparison, text: Text) -> tuple[str, ...]:
    return (
        text.named("figure", comparison.figure),
        text.arm(comparison.against),
        difference(comparison.difference.mean, _DECIMALS),
        bounds(comparison.difference, text),
        p_value(comparison.p_bootstrap, text),
        p_value(comparison.p_analytic, text),
    )


def forest_svg(
    verdicts: Sequence[Verdict], results: Results, figure: str, text: Text = ENGLISH
) -> Markup:
    """Return the differences of one figure as a forest plot, a row a verdict, counts in groups."""
    shown = [v for v in verdicts if figure in v.differences]
    every = arms(results)
    places: list[float] = []
    heads: list[tuple[float, str]] = []
    y, before = 0.0, None
    for verdict in shown:
        if verdict.real_count_label != before:
            before = verdict.real_count_label
            y += 0.6
            count = text.phrase(before, verdict.real_count)
            heads.append((y, text("panel_count", count=count)))
            y += 1.0
        places.append(y)
        y += 1.0
    drawing = Figure(figsize=(5.2, 0.75 + 0.205 * y), layout="constrained")
    ax = drawing.add_subplot()
    dress(ax)
    ax.grid(visible=False)
    ax.grid(visible=True, axis="x", color=RULE, linewidth=0.8)
    ax.axvline(0, color=INK, linewidth=1.0)
    for place, verdict in zip(places, shown, strict=True):
        interval, style = verdict.differences[figure], line_style(arm_of(verdict), every)
        if interval.low is not None and interval.high is not None:
            ax.plot([interval.low, interval.high], [place] * 2, color=style.colour, linewidth=1.8)
        ax.plot([interval.mean], [place], color=style.colour, marker=style.marker, markersize=5.5)
    ax.set_yticks(places, [text.arm(arm_of(v)) for v in shown])
    for place, head in heads:
        ax.annotate(
            head,
            xy=(0, place),
            xycoords=("axes fraction", "data"),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=9,
            fontweight="bold",
            color=INK,
        )
    ax.tick_params(axis="y", labelsize=8)
    ax.set_ylim(y - 0.3, 0)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    # As many as tell the ticks apart: with hardly any difference they are thousandths.
    step = float(np.diff(ax.get_xticks())[0])
    decimals = max(2, -floor(log10(step)) + (f"{step:.1e}"[2] != "0"))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: difference(value, decimals)))
    name = text.named("figure", figure)
    ax.set_xlabel(text("forest_axis", figure=name), color=FAINT, fontsize=9)
    values = " ".join(
        text(
            "forest_alt_row",
            arm=text.arm(arm_of(v)),
            count=text.phrase(v.real_count_label, v.real_count),
            value=difference(v.differences[figure].mean, _DECIMALS),
            between=bounds(v.differences[figure], text),
        )
        for v in shown
    )
    who = text.named("classifier", shown[0].classifier) if shown else ""
    return to_svg(drawing, text("forest_alt", figure=name, classifier=who, values=values))
