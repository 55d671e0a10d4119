"""What people would meet: how many of 100 are found, and how many are called ill who are not."""

from __future__ import annotations

from typing import Any

from gan_core.report.armnames import has_fakes
from gan_core.report.bar import bar_arm, gan_arm, strongest_classifier
from gan_core.report.tables import columns, mean_of, summary_of
from gan_core.report.text import ENGLISH, Text
from gan_core.spec.results import Results


def patients_view(results: Results, text: Text = ENGLISH) -> dict[str, Any] | None:
    """Return the counts of the bar and of the GANs at each real count; None without a classifier.

    They are of the threshold that was moved on held-out training images, where there is one.
    """
    classifier = strongest_classifier(results)
    if classifier is None:
        return None
    is_moved = any(
        "moved_sensitivity" in s.figures for s in results.summaries if s.classifier == classifier
    )
    prefix = "moved_" if is_moved else ""
    groups = []
    for column in columns(results, text):
        picked = (
            bar_arm(results, classifier, column.label),
            gan_arm(results, classifier, column.label),
        )
        rows = []
        for arm in picked:
            if arm is None:
                continue
            summary = summary_of(results, classifier, arm, column)
            found = mean_of(summary, f"{prefix}sensitivity")
            right = mean_of(summary, f"{prefix}specificity")
            if found is None or right is None:
                continue
            n_found, n_alarm = round(100 * found), round(100 * (1 - right))
            rows.append(
                {
                    "arm": text.arm(arm),
                    "is_gan": has_fakes(arm),
                    "found": n_found,
                    "missed": 100 - n_found,
                    "alarm": n_alarm,
                    "sentence": text(
                        "patients_sentence",
                        count=column.phrase,
                        arm=text.arm(arm),
                        rare_class=results.rare_class,
                        found=n_found,
                        alarm=n_alarm,
                    ),
                }
            )
        if rows:
            groups.append({"count": column.phrase, "rows": rows})
    if not groups:
        return None
    return {
        "lead": text(
            "patients_lead",
            rare_class=results.rare_class,
            who=text.named("classifier", classifier),
            threshold=text("threshold_moved" if is_moved else "threshold_half"),
        ),
        "groups": groups,
    }
