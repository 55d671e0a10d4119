"""The results as files and for a terminal: CSV and plain text."""

from __future__ import annotations

import csv
import io

from gan_core.report.tables import arms, classifiers, columns, mean_of, share, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Interval, ResultRow, Results

_VERDICT_FIELDS = [
    "classifier",
    "real_count_label",
    "real_count",
    "gan",
    "arm",
    "outcome",
    "p_helps",
    "p_harms",
    "p_holm",
    "ratio",
    "n_runs",
    "figure",
    "against",
    "difference",
    "low",
    "high",
    "p_bootstrap",
    "p_analytic",
]


def results_csv(results: Results) -> str:
    """Return every run as CSV (RFC 4180 but for bare newlines), a line a run.

    Columns are ``ResultRow``'s fields in their order; an undefined figure is an empty field.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(ResultRow.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in results.rows:
        writer.writerow(row.model_dump())
    return out.getvalue()


def verdicts_csv(results: Results) -> str:
    """Return every comparison of every verdict as CSV, a line a comparison.

    A verdict without comparisons (as in results of earlier versions) has a line for each of its
    differences.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, _VERDICT_FIELDS, lineterminator="\n")
    writer.writeheader()
    for verdict in results.verdicts:
        same = verdict.model_dump(include={*_VERDICT_FIELDS})
        for c in verdict.comparisons:
            tested = {"p_bootstrap": c.p_bootstrap, "p_analytic": c.p_analytic}
            told = {"figure": c.figure, "against": c.against}
            writer.writerow(same | told | _bounds(c.difference) | tested)
        for figure, difference in ({} if verdict.comparisons else verdict.differences).items():
            writer.writerow(same | {"figure": figure} | _bounds(difference))
    return out.getvalue()


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {"difference": interval.mean, "low": interval.low, "high": interval.high}


def results_text(results: Results, text: Text = ENGLISH) -> str:
    """Return the conclusions and the tables as plain text for a terminal.

    There is a table for each classifier; cells hold accuracy/balanced accuracy/ROC-AUC.
    """
    blocks = []
    if results.conclusions:
        said = [
            text(
                "terminal_conclusion",
                count=text.phrase(c.real_count_label, c.real_count),
                sentence=" ".join([c.sentence, *(x for x in c.caveats if x not in c.sentence)]),
            )
            for c in results.conclusions
        ]
        blocks.append("\n".join(said))
    for classifier in classifiers(results):
        across = columns(results, text)
        lines = [["", *(column.heading for column in across)]]
        for arm in arms(results):
            found = [summary_of(results, classifier, arm, column) for column in across]
            if not any(found):
                continue
            cells = [
                "/".join(share(mean_of(s, f)) for f in ("accuracy", "balanced_accuracy", "roc_auc"))
                if s
                else "–"
                for s in found
            ]
            lines.append([text.arm(arm), *cells])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        heading = text("terminal_heading", classifier=text.named("classifier", classifier))
        printed = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        blocks.append("\n".join([heading, *printed]))
    return "\n\n".join(blocks)
