"""Put a report together: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from gan_core.report import plots, tables
from gan_core.report.armnames import has_fakes
from gan_core.report.bar import strongest_classifier
from gan_core.report.data import ReportData
from gan_core.report.details import detail_views
from gan_core.report.downloads import downloads
from gan_core.report.headline import headline_view
from gan_core.report.honest import figure_groups, honest_table
from gan_core.report.leaks import leaks_view
from gan_core.report.limits import limits
from gan_core.report.patients import patients_view
from gan_core.report.privacy import privacy_view
from gan_core.report.ratios import ratio_legend, ratio_views
from gan_core.report.reading import reading
from gan_core.report.rocs import LEAST_IN_A_BIN, roc_view
from gan_core.report.sections import curve_groups, gan_views, shown_gans
from gan_core.report.sets import (
    quality_table,
    screening_view,
    shortcuts_view,
    upscaler_view,
)
from gan_core.report.styles import swatch
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Results, Verdict

_TEMPLATES = Path(__file__).parent / "templates"

# A report travels by mail; past this size the pictures are compressed more.
_MAX_BYTES = 9_000_000
_QUALITIES = (88, 72, 50)

_MAX_PROBLEMS = 20
_DIFFERENCES = (
    "roc_auc",
    "moved_balanced_accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
)


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
        html = template.render(
            view,
            gans=gan_views(data, text, quality),
            privacy=privacy_view(data, text, quality),
            leaks=leaks_view(data, text, quality),
        )
        if len(html) <= _MAX_BYTES:
            break
    return html


def _view(data: ReportData, text: Text) -> dict[str, Any]:
    results = data.results
    every, strongest = tables.arms(results), strongest_classifier(results)
    curves = curve_groups(data, text)
    return {
        "t": text,
        "data": data,
        "results": results,
        "css": Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own
        "created_at": _shown_time(data.created_at),
        "title": data.title or text("title", rare_class=results.rare_class),
        "conclusions": _conclusions(results, text),
        "headline": headline_view(results, strongest, text) if strongest else None,
        "downloads": downloads(results, text),
        "verdicts": [] if results.conclusions else _verdict_groups(results, text),
        "no_verdict": _why_no_verdict(data, text),
        "classifiers": [_classifier_view(results, c, text) for c in tables.classifiers(results)],
        "legend": [(text.arm(arm), swatch(arm, every)) for arm in every],
        "gan_arms": {arm for arm in every if has_fakes(arm)},
        "details": detail_views(results, text),
        "ratios": ratio_views(results, text),
        "ratio_legend": ratio_legend(text),
        "patients": patients_view(results, text),
        "scores": roc_view(data, text),
        "least_in_a_bin": LEAST_IN_A_BIN,
        "reading": reading(data, text),
        "curves": curves,
        "curve_legend": plots.learning_legend(text),
        "hidden_curves": len([c for c in data.curves if c.points]) - sum(g["runs"] for g in curves),
        "hidden_gans": len(data.gans) - len(shown_gans(data.gans)),
        "quality_tables": quality_table(results, text),
        "upscaler": upscaler_view(results, text),
        "screening": screening_view(results, text),
        "shortcuts": shortcuts_view(results, text),
        "splits": _splits(data),
        "problems": data.dataset.problems[:_MAX_PROBLEMS],
        "problems_left": max(0, len(data.dataset.problems) - _MAX_PROBLEMS)
        + data.dataset.problems_not_listed,
        "duplicates": _duplicates(data, text),
        "limits": limits(data, text),
        "settings": yaml.safe_dump(data.spec, sort_keys=False, allow_unicode=True).strip(),
    }


def _conclusions(results: Results, text: Text) -> list[dict[str, Any]]:
    warned = {(s.gan, s.real_count_label) for s in results.shortcuts if s.is_warning}
    shown = []
    for c in sorted(results.conclusions, key=lambda c: (c.real_count, c.real_count_label)):
        caveats = [caveat for caveat in c.caveats if caveat not in c.sentence]
        # A gain that may be the generator's traces is told with its doubt.
        if c.outcome == "helps" and (c.gan, c.real_count_label) in warned:
            caveats.append(text("conclusion_shortcut", section=text("shortcuts")))
        shown.append(
            {
                "count": text.phrase(c.real_count_label, c.real_count),
                "outcome": c.outcome,
                "label": text.named("outcome", c.outcome),
                "sentence": c.sentence,
                "caveats": caveats,
            }
        )
    return shown


def _classifier_view(results: Results, name: str, text: Text) -> dict[str, Any]:
    decision = plots.decision_figure(results)
    prefix = "moved_" if decision.startswith("moved_") else ""
    who = text.named("classifier", name)
    return {
        "name": who,
        "is_strongest": name == strongest_classifier(results),
        "main_plots": _over_counts(results, name, ("roc_auc", decision), text),
        "more_plots": _over_counts(
            results, name, (f"{prefix}sensitivity", f"{prefix}specificity"), text
        ),
        "study": tables.study_table(results, name, text),
        "honest": [
            {
                "heading": text("table_of", classifier=who, columns=text(f"columns:{group}")),
                "figures": [text.named("figure", f) for f in figures],
                "groups": honest_table(results, name, figures, text),
            }
            for group, figures in figure_groups(results).items()
        ],
    }


def _over_counts(
    results: Results, classifier: str, figures: Sequence[str], text: Text
) -> list[tuple[str, Markup]]:
    return [
        (text.named("figure", f), plots.over_counts_svg(results, classifier, f, text))
        for f in figures
    ]


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
    if data.results.verdicts or data.results.conclusions:
        return ""
    if data.results.summaries:
        return text("no_verdict_no_gan")
    return text("no_verdict_no_benchmark")


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
