"""Columns that failed: in the list, in the table, and with the curves that they left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gan_core.report import GanSection, ReportData, render_report
from gan_core.report.failures import failed_columns, failed_trainings
from gan_core.report.tables import study_table
from gan_core.spec.results import Results

HISTORY = [{"epoch": float(e), "generator": 10.0**e, "discriminator": 0.01} for e in (1, 2, 3)]


def failure(step: str, **more: Any) -> dict[str, Any]:
    return {"step": step, "code": "diverged", "detail": "It diverged.", "hint": "", **more}


def test_a_failed_step_of_a_column_is_told_by_gan_count_subset_and_stage() -> None:
    (told,) = failed_columns([failure("train:infogan:10:s1")])
    assert told == {
        "column": "InfoGAN, 10 real images, subset 1: training failed",
        "stage": "train",
        "code": "diverged",
        "detail": "It diverged.",
        "arm": "gan:infogan",
        "real_count": "10",
        "subset": "1",
    }


def test_arms_without_a_gan_have_a_column_and_no_gans_arm() -> None:
    (told,) = failed_columns([failure("evaluate:real:50:s0")])
    assert told["column"].startswith("Without a GAN, ")
    assert "arm" not in told


def test_a_step_that_belongs_to_all_columns_is_told_by_its_stage() -> None:
    (told,) = failed_columns([failure("features")])
    assert told["column"] == "image features"
    assert "real_count" not in told


@pytest.mark.parametrize(
    "step", ["pretrain:fastgan", "pretrain:fastgan:2", "pretrain:fastgan:2:50:s0"]
)
def test_a_pretraining_that_failed_is_told_in_each_column_that_it_took_along(step: str) -> None:
    lost = ["train:fastgan:50:s0", "train:fastgan:all:s1"]
    one, other = failed_columns([failure(step, lost=lost)])
    assert one == {
        "column": "FastGAN, 50 real images, subset 0: training ahead failed",
        "stage": "pretrain",
        "code": "diverged",
        "detail": "It diverged.",
        "arm": "gan:fastgan",
        "real_count": "50",
        "subset": "0",
    }
    assert (other["real_count"], other["subset"]) == ("all", "1")


def test_a_pretraining_of_which_no_column_is_known_is_told_by_its_stage() -> None:
    (told,) = failed_columns([failure("pretrain:fastgan")])
    assert told["column"] == "training ahead"


def test_what_is_told_of_failures_fits_into_the_results(results: Results) -> None:
    told = failed_columns(
        [failure("train:infogan:all:s0", evidence={"history": HISTORY}), failure("features")]
    )
    with_failures = results.model_copy(update={"failed": told})
    assert Results.model_validate_json(with_failures.model_dump_json()).failed == told
    assert not any("evidence" in entry for entry in told)


def test_a_training_that_failed_shows_the_curves_it_left_and_no_images() -> None:
    (section,) = failed_trainings(
        [failure("train:infogan:10:s2", evidence={"history": HISTORY})], available=120
    )
    assert (section.gan, section.real_count, section.subset) == ("infogan", 10, 2)
    assert section.history == HISTORY
    assert "It diverged." in section.facts.values()
    assert (section.real, section.upscaled, section.snapshots) == (None, None, [])


def test_the_real_count_all_is_as_many_as_there_are() -> None:
    (section,) = failed_trainings(
        [failure("train:infogan:all:s0", evidence={"history": HISTORY})], available=120
    )
    assert (section.real_count, section.real_count_label) == (120, "all")


@pytest.mark.parametrize(
    "told",
    [
        failure("train:infogan:10:s0"),
        failure("train:infogan:10:s0", evidence=None),
        failure("train:infogan:10:s0", evidence={"history": []}),
        failure("upscale:infogan:10:s0", evidence={"history": HISTORY}),
        failure("features", evidence={"history": HISTORY}),
    ],
)
def test_without_curves_of_a_training_there_is_nothing_to_show(told: dict[str, Any]) -> None:
    assert failed_trainings([told], available=120) == []


def without(results: Results, arm: str, label: str) -> Results:
    """The same study, one column of which was never made."""

    def is_left(entry: Any) -> bool:
        return (entry.arm, entry.real_count_label) != (arm, label)

    return results.model_copy(
        update={
            "rows": [row for row in results.rows if is_left(row)],
            "summaries": [summary for summary in results.summaries if is_left(summary)],
            "failed": failed_columns([failure(f"train:infogan:{label}:s0")]),
        }
    )


def test_the_studys_table_says_failed_where_a_column_failed(results: Results) -> None:
    rows = dict(study_table(without(results, "gan:infogan", "10"), "probe").rows)
    cells = rows["gan:infogan"]
    assert cells[0] == "failed"
    assert "/" in cells[1]
    assert cells[2] == "–"  # never asked for


def test_a_gan_of_which_every_column_failed_keeps_its_row(results: Results) -> None:
    once = without(results, "gan:infogan", "10")
    twice = without(once, "gan:infogan", "50")
    failed = twice.model_copy(update={"failed": once.failed + twice.failed})
    rows = dict(study_table(failed, "probe").rows)
    assert rows["gan:infogan"] == ["failed", "failed", "–"]


def test_a_column_of_which_one_subset_failed_is_not_shown_as_if_it_were_whole(
    results: Results,
) -> None:
    told = failed_columns([failure("train:infogan:10:s1")])
    half = study_table(results.model_copy(update={"failed": told}), "probe")
    whole = study_table(results, "probe")
    assert dict(half.rows)["gan:infogan"][0] != dict(whole.rows)["gan:infogan"][0]


def test_the_page_shows_the_curves_and_the_words(
    data: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    failed = [failure("train:infogan:10:s0", evidence={"history": HISTORY})]
    told = without(data.results, "gan:infogan", "10")
    page = render_report(
        replace(
            data,
            results=told,
            gans=[gan_section(50), *failed_trainings(failed, 120)],
            curves=[],
        )
    )
    assert "Not computed" in page
    assert "InfoGAN, 10 real images, subset 0: training failed" in page
    # The facts beneath its curves say why there are no images.
    assert page.count("It diverged.") >= 2
