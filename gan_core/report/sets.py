"""What was found of each set of synthetic images, in tables: quality, upscaler, screen, shortcuts.

Sets of one GAN and real count are one row: their figures are averaged over the subsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from gan_core.report.tables import interval_between, share
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.findings import (
    REJECTED_BECAUSE,
    Interval,
    OfColumn,
    ScreeningSummary,
    SetQuality,
    Shortcut,
    UpscalerFidelity,
)
from gan_core.spec.results import Results

_Found = TypeVar("_Found", bound=OfColumn)
_SHORTCUTS = ("raw", "matched", "at_gan_size")


def by_set(found: Iterable[_Found]) -> list[list[_Found]]:
    """Group findings by GAN and real count, in the order of the tables."""
    groups: dict[tuple[str, int, str], list[_Found]] = {}
    for one in sorted(found, key=lambda f: (f.gan, f.real_count, f.real_count_label, f.subset)):
        groups.setdefault((one.gan, one.real_count, one.real_count_label), []).append(one)
    return list(groups.values())


def set_name(one: OfColumn, text: Text = ENGLISH) -> str:
    """Return the name of a GAN's images at one real count."""
    count = text.phrase(one.real_count_label, one.real_count)
    return text("set_name", gan=text.named("gan", one.gan), count=count)


def over_subsets(intervals: Iterable[Interval | None]) -> Interval | None:
    """Average intervals over subsets, and widen to the lowest and the highest bound."""
    known = [i for i in intervals if i is not None]
    if not known:
        return None
    lows = [i.low for i in known if i.low is not None]
    highs = [i.high for i in known if i.high is not None]
    return Interval(
        mean=float(np.mean([i.mean for i in known])),
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def with_bounds(interval: Interval | None) -> tuple[str, str]:
    """Return a figure and its bounds as a cell of a table."""
    if interval is None:
        return "–", ""
    return share(interval.mean), interval_between(interval)


def quality_table(results: Results, text: Text = ENGLISH) -> list[dict[str, Any]]:
    """Return a table of the quality figures for each kind of features and of real images."""
    kinds: dict[tuple[str, str], list[SetQuality]] = {}
    for found in results.quality:
        kinds.setdefault((found.features, found.against), []).append(found)
    names = ("kid", "chance_kid", "frechet", "precision", "recall", "density", "coverage")
    return [
        {
            "lead": text(
                "figures_of_sets_lead", features=features, against=text(f"against:{against}")
            ),
            "figures": [text(f"quality_figure:{name}") for name in (*names, "diversity")],
            "rows": [(set_name(group[0], text), _quality(group)) for group in by_set(found)],
        }
        for (features, against), found in sorted(kinds.items())
    ]


def _quality(group: Sequence[SetQuality]) -> list[tuple[str, str]]:
    def mean(name: str) -> float | None:
        values = [getattr(one, name) for one in group]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    def number(value: float | None, decimals: int) -> str:
        return "–" if value is None else f"{value:.{decimals}f}"

    kid_sd = mean("kid_sd")
    fewest = min(one.n_fake for one in group)
    return [
        (number(mean("kid"), 3), "" if kid_sd is None else f"± {kid_sd:.3f}"),
        (number(mean("chance_kid"), 3), ""),
        (number(mean("frechet"), 1), f"n {fewest}" if mean("frechet") is not None else ""),
        *((number(mean(name), 2), "") for name in ("precision", "recall", "density", "coverage")),
        (number(mean("diversity"), 2), ""),
    ]


def upscaler_view(results: Results, text: Text = ENGLISH) -> dict[str, Any] | None:
    """Return the fidelity of the upscaler beside the plain filter's; None where not measured."""
    if not results.upscaler:
        return None
    names = ("psnr", "psnr_lanczos", "ssim", "ssim_lanczos")
    rows, said = [], []
    for one in results.upscaler:
        engine = text.named("engine", one.engine)
        told = one.model_dump(include={"size_from", "size_to", "n"}) | {"engine": engine}
        rows.append((text("upscaler_sizes", **told), [_fidelity(one, name) for name in names]))
        is_worse = one.psnr.mean < one.psnr_lanczos.mean and one.ssim.mean < one.ssim_lanczos.mean
        if is_worse and one.engine != "lanczos":
            said.append(text("upscaler_worse", engine=engine))
    return {
        "figures": [text(f"upscaler_figure:{name}") for name in names],
        "rows": rows,
        "said": list(dict.fromkeys(said)),
    }


def _fidelity(one: UpscalerFidelity, name: str) -> tuple[str, str]:
    interval: Interval = getattr(one, name)
    decimals = 1 if name.startswith("psnr") else 3
    spread = "" if interval.sd is None else f"± {interval.sd:.{decimals}f}"
    return f"{interval.mean:.{decimals}f}", spread


def screening_view(results: Results, text: Text = ENGLISH) -> dict[str, Any] | None:
    """Return how many images the screen left out, by reason; None where nothing was screened."""
    if not results.screening:
        return None
    named = {reason for one in results.screening for reason in one.rejected}
    reasons = [r for r in REJECTED_BECAUSE if r in named] + sorted(named - {*REJECTED_BECAUSE})
    rows, short = [], []
    for group in by_set(results.screening):
        name = set_name(group[0], text)
        counts = [_summed(group, field) for field in ("drawn", "kept", "needed")]
        rejected = [sum(one.rejected.get(reason, 0) for one in group) for reason in reasons]
        rows.append((name, [(str(n), "") for n in (*counts, *rejected)]))
        if any(one.is_short for one in group):
            short.append(text("screening_short", name=name, kept=counts[1], needed=counts[2]))
    return {
        "figures": [text(f"screening_figure:{name}") for name in ("drawn", "kept", "needed")]
        + [text.named("rejected", reason) for reason in reasons],
        "rows": rows,
        "short": short,
    }


def _summed(group: Sequence[ScreeningSummary], field: str) -> int:
    return sum(getattr(one, field) for one in group)


def shortcuts_view(results: Results, text: Text = ENGLISH) -> dict[str, Any] | None:
    """Return how well a probe tells synthetic from real; None where it was not tried."""
    if not results.shortcuts:
        return None
    rows, warnings = [], []
    for group in by_set(results.shortcuts):
        name = set_name(group[0], text)
        is_warning = any(one.is_warning for one in group)
        cells = [with_bounds(over_subsets(_of(group, field))) for field in _SHORTCUTS]
        rows.append((name, cells, is_warning))
        if is_warning:
            warnings.append(text("shortcuts_warning", name=name, auc=cells[1][0]))
    return {
        "figures": [text(f"shortcut_figure:{name}") for name in _SHORTCUTS],
        "rows": rows,
        "warnings": warnings,
    }


def _of(group: Sequence[Shortcut], field: str) -> list[Interval]:
    return [getattr(one, field) for one in group]
