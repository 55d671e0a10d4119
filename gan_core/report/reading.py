"""What each figure and each arm of a study means, with its own numbers."""

from __future__ import annotations

from gan_core.report import tables
from gan_core.report.armnames import parsed
from gan_core.report.data import ReportData
from gan_core.report.honest import figure_groups
from gan_core.report.text import ENGLISH, Text

_ORDER = (
    *("roc_auc", "pr_auc", "sensitivity", "specificity", "balanced_accuracy", "accuracy"),
    *("sensitivity_at_90", "sensitivity_at_95", "brier", "calibration_error"),
)


def reading(data: ReportData, text: Text = ENGLISH) -> dict[str, list[tuple[str, str]]] | None:
    """Return the meaning of the figures and of the arms; None where no classifier was tested."""
    results = data.results
    if not results.summaries:
        return None
    test = {name: splits.get("test", 0) for name, splits in data.dataset.classes.items()}
    n_test, n_rare = sum(test.values()), test.get(results.rare_class, 0)
    n_other = n_test - n_rare
    values = {
        "rare_class": results.rare_class,
        "n_test": n_test,
        "n_rare": n_rare,
        "n_other": n_other,
        "always_no": tables.share(n_other / n_test if n_test else None),
        "prevalence": tables.share(n_rare / n_test if n_test else None),
    }
    shown = {figure for figures in figure_groups(results).values() for figure in figures}
    figures = [(text.named("figure", f), text(f"read:{f}", **values)) for f in _ORDER if f in shown]
    if any(figure.startswith("moved_") for figure in shown):
        figures.append((text("read:moved"), text("read:moved_meaning")))
    figures.append((text("read:interval_name"), text("read:interval")))
    return {"figures": figures, "arms": _arms(data, text)}


def _arms(data: ReportData, text: Text) -> list[tuple[str, str]]:
    explained = []
    for arm in tables.arms(data.results):
        name = parsed(arm)
        if name.gan is not None:
            told = text(f"read_of:{name.kind}", gan=text.named("gan", name.gan))
            explained.append((text.arm(arm), told))
        elif f"read:{name.kind}" in text.messages:
            explained.append((text.arm(arm), text(f"read:{name.kind}")))
    return explained
