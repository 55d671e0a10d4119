"""What a reader must not conclude: the limits, drawn from the study itself."""

from __future__ import annotations

from gan_core.report import tables
from gan_core.report.data import ReportData
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.recommend import FEW_REAL_IMAGES

_ENOUGH_RUNS = 5
_FEW_TEST_IMAGES = 100


def limits(data: ReportData, text: Text = ENGLISH) -> list[str]:
    """Return the sentences under "Limits", the weightiest first."""
    results = data.results
    rare = results.rare_class
    has_fakes = bool(data.gans) or any(row.n_fake for row in results.rows)
    said: list[str] = []
    if data.dataset.is_phantom:
        said.append(text("limit_phantom"))
    if data.spec.get("profile") == "quick" and has_fakes:
        said.append(text("limit_quick"))
    if results.summaries:
        fewest = min(s.n_runs for s in results.summaries)
        if fewest < _ENOUGH_RUNS:
            runs = text("times_once") if fewest == 1 else text("times_many", n=fewest)
            said.append(text("limit_runs", runs=runs))
    # Without a benchmark there is no table, but the GANs learned from as few images all the same.
    counts = {(g.real_count, g.real_count_label) for g in data.gans}
    counts |= {(row.real_count, row.real_count_label) for row in results.rows if row.n_fake}
    few = [text.phrase(label, n) for n, label in sorted(counts) if n < FEW_REAL_IMAGES]
    if few:
        said.append(text("limit_few_real", few=FEW_REAL_IMAGES, counts=", ".join(few)))
    n_test = data.dataset.classes.get(rare, {}).get("test", 0)
    if results.summaries and 0 < n_test < _FEW_TEST_IMAGES:
        step = tables.share(1 / n_test)
        said.append(text("limit_few_test", rare_class=rare, n=n_test, step=step))
    if results.summaries:
        said.append(text("limit_shift"))
    if results.summaries and has_fakes:
        key = "limit_shortcut_measured" if results.shortcuts else "limit_shortcut"
        said.append(text(key, rare_class=rare))
    if results.privacy:
        said.append(text("limit_privacy_measured"))
    elif has_fakes:
        is_screened = bool(data.spec.get("screen", {}).get("near_copies", False))
        said.append(text("limit_privacy_screened" if is_screened else "limit_privacy_unscreened"))
    said.append(text("limit_use"))
    return said
