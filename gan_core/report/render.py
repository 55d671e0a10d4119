"""Put a report together: one HTML file that opens without a network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from gan_core.report import plots, tables
from gan_core.report.data import LearningCurve, ReportData
from gan_core.report.limits import limits
from gan_core.report.sections import curve_groups, gan_views, shown_gans
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Results, Verdict

_TEMPLATES = Path(__file__).parent / "templates"

# A report travels by mail; past this size the pictures are compressed more.
_MAX_BYTES = 9_000_000
_QUALITIES = (88, 72, 50)

_MAX_PROBLEMS = 20
_DIFFERENCES = ("roc_auc", "balanced_accuracy", "sensitivity", "specificity")


def render_report(data: ReportData, text: Text = ENGLISH) -> str:
    """Return a report as one self-contained HTML document (HTML5, UTF-8, no script).

    It holds its styles and pictures, follows the reader's light or dark theme, and prints. Parts
    of ``data`` that are missing leave their part of the report out, or a sentence that says so.
    With many large pictures these are compressed more, to stay below about 9 MB.

    Args:
        data: What to show.
        text: The texts, in the language of choice.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    view = _view(data, text)
    html = ""
    for quality in _QUALITIES:
        html = template.render(view, gans=gan_views(data, text, quality))
        if len(html) <= _MAX_BYTES:
            break
    return html


def _view(data: ReportData, text: Text) -> dict[str, Any]:
    results = data.results
    named_classifiers = tables.classifiers(results)
    return {
        "t": text,
        "data": data,
        "results": results,
        "css": Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own
        "created_at": _shown_time(data.created_at),
        "title": data.title or text("title", rare_class=results.rare_class),
        "verdicts": _verdict_groups(results, text),
        "no_verdict": _why_no_verdict(data, text),
        "classifiers": [_classifier_view(results, name, text) for name in named_classifiers],
        "legend": [
            (text.arm(arm), plots.swatch(arm, tables.arms(results))) for arm in tables.arms(results)
        ],
        "reading": _reading(data, text),
        "curves": curve_groups(data, text),
        "curve_legend": plots.learning_legend(text),
        "hidden_curves": _hidden_curves(data.curves),
        "hidden_gans": len(data.gans) - len(shown_gans(data.gans)),
        "splits": _splits(data),
        "problems": data.dataset.problems[:_MAX_PROBLEMS],
        "problems_left": max(0, len(data.dataset.problems) - _MAX_PROBLEMS)
        + data.dataset.problems_not_listed,
        "duplicates": _duplicates(data, text),
        "limits": limits(data, text),
        "settings": yaml.safe_dump(data.spec, sort_keys=False, allow_unicode=True).strip(),
    }


def _classifier_view(results: Results, name: str, text: Text) -> dict[str, Any]:
    return {
        "name": text.named("classifier", name),
        "main_plots": [
            (text.named("figure", f), plots.over_counts_svg(results, name, f, text))
            for f in ("roc_auc", "balanced_accuracy")
        ],
        "more_plots": [
            (text.named("figure", f), plots.over_counts_svg(results, name, f, text))
            for f in ("sensitivity", "specificity")
        ],
        "study": tables.study_table(results, name, text),
        "honest": tables.honest_table(results, name, text),
        "figures": [text.named("figure", f) for f in tables.HONEST_FIGURES],
    }


def _verdict_groups(results: Results, text: Text) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    classifiers = tables.classifiers(results)
    ordered = sorted(
        results.verdicts,
        key=lambda v: (v.real_count, v.classifier not in classifiers[:1], v.classifier, v.gan),
    )
    for verdict in ordered:
        heading = text.phrase(verdict.real_count_label, verdict.real_count)
        group = groups.setdefault(verdict.real_count_label, {"heading": heading, "verdicts": []})
        group["verdicts"].append(_verdict_view(verdict, text))
    return list(groups.values())


def _verdict_view(verdict: Verdict, text: Text) -> dict[str, Any]:
    runs = _runs(verdict.n_runs, text)
    differences = []
    for figure in _DIFFERENCES:
        interval = verdict.differences.get(figure)
        if interval is None:
            continue
        between = ""
        if interval.low is not None and interval.high is not None:
            low, high = tables.difference(interval.low), tables.difference(interval.high)
            between = text("difference_interval", low=low, high=high)
        name = text.named("figure", figure)
        differences.append((name, tables.difference(interval.mean), between))
    return {
        "outcome": verdict.outcome,
        "label": text.named("outcome", verdict.outcome),
        "sentence": verdict.sentence,
        "who": f"{text.named('gan', verdict.gan)} · "
        f"{text.named('classifier', verdict.classifier)} · {runs}",
        "differences": differences,
        "caveats": [c for c in verdict.caveats if c not in verdict.sentence],
    }


def _shown_time(iso: str) -> str:
    """Return an ISO 8601 time to the minute, in UTC; what is none, as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if time.tzinfo is None:
        return f"{time:%Y-%m-%d %H:%M}"
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _runs(n: int, text: Text) -> str:
    return text("runs_one") if n == 1 else text("runs_many", n=n)


def _why_no_verdict(data: ReportData, text: Text) -> str:
    if data.results.verdicts:
        return ""
    if data.results.summaries:
        return text("no_verdict_no_gan")
    return text("no_verdict_no_benchmark")


def _reading(data: ReportData, text: Text) -> dict[str, list[tuple[str, str]]] | None:
    """Return what each figure and arm means, with this test set's own numbers."""
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
    }
    figures = [
        (text.named("figure", f), text(f"read:{f}", **values)) for f in tables.HONEST_FIGURES
    ]
    figures.append((text("read:interval_name"), text("read:interval")))
    explained = []
    for arm in tables.arms(results):
        if arm.startswith("gan:"):
            name = text.named("gan", arm.removeprefix("gan:"))
            explained.append((text.arm(arm), text("read:gan", gan=name)))
        elif f"read:{arm}" in text.messages:
            explained.append((text.arm(arm), text(f"read:{arm}")))
    return {"figures": figures, "arms": explained}


def _hidden_curves(curves: list[LearningCurve]) -> int:
    first = {(c.classifier, c.arm, c.real_count_label) for c in curves}
    return max(0, len(curves) - 5 * len(first))


def _splits(data: ReportData) -> list[str]:
    present = {split for splits in data.dataset.classes.values() for split in splits}
    known = [split for split in ("train", "test") if split in present]
    return known + sorted(present - set(known))


def _duplicates(data: ReportData, text: Text) -> list[tuple[str, str]]:
    rows = []
    dataset = data.dataset
    for name, n in (
        ("exact_duplicates", dataset.exact_duplicates),
        ("near_duplicates", dataset.near_duplicates),
    ):
        if n is not None:
            rows.append((text(name), text("pairs_one") if n == 1 else text("pairs_many", n=n)))
    return rows
