from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gan_core.report import GanSection, ReportData, Snapshot, render_report
from gan_core.report.pictures import final_images
from gan_core.report.quality import shown_snapshots


def judged(section: GanSection, *, ended: str | None = None) -> GanSection:
    judgements = [
        {
            "epoch": float(epoch),
            "kid": 0.1 / epoch,
            "kid_sd": 0.01,
            "coverage": 0.8,
            "authenticity": 0.6,
            "copy_rate": 0.0,
        }
        for epoch in (5, 10)
    ]
    snapshots = [replace(shot, is_chosen=shot.label == "epoch 5") for shot in section.snapshots]
    return replace(section, judgements=judgements, chosen_epoch=5, ended=ended, snapshots=snapshots)


def test_the_page_shows_quality_over_time_and_which_generator_was_kept(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    page = render_report(replace(untested, gans=[judged(gan_section(10))]))
    assert "Quality over the training" in page
    assert "after epoch 5 was kept" in page
    assert "epoch 5 (kept)" in page
    assert "near-copies" in page
    assert "The training ended" not in page


def test_the_page_says_why_a_training_ended_early(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    section = judged(gan_section(10), ended="copying")
    page = render_report(replace(untested, gans=[section]))
    assert "The training ended after epoch 10, since it was learning its images by heart." in page


def test_a_training_that_was_not_judged_has_no_such_part(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    page = render_report(replace(untested, gans=[gan_section(10)]))
    assert "Quality over the training" not in page


def test_of_many_snapshots_six_are_shown_and_the_kept_one_is_among_them(
    gan_section: Callable[..., GanSection],
) -> None:
    for chosen in range(1, 17):
        every = [
            Snapshot(
                label=f"epoch {epoch}",
                images=np.zeros((1, 8, 8, 3), np.uint8),
                is_chosen=epoch == chosen,
            )
            for epoch in range(1, 17)
        ]
        shown = shown_snapshots(replace(gan_section(10), snapshots=every))
        labels = [shot.label for shot in shown]
        assert len(labels) == 6
        assert f"epoch {chosen}" in labels
        assert labels[0] == "epoch 1"
        assert labels[-1] == "epoch 16"
        assert labels == sorted(labels, key=lambda label: int(label.split()[1]))


def test_the_picture_shows_the_kept_snapshot_where_nothing_was_upscaled(
    gan_section: Callable[..., GanSection],
) -> None:
    section = replace(judged(gan_section(10)), upscaled=None)
    shown = final_images(section)
    assert shown is not None
    assert np.array_equal(shown, section.snapshots[0].images)


def test_where_the_last_generator_was_kept_the_page_says_that_nothing_was_chosen(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    section = replace(judged(gan_section(10)), was_chosen=False)
    page = render_report(replace(untested, gans=[section]))
    assert "The last generator was kept" in page
    assert "chosen" not in page.partition("Quality over the training")[2].partition("<figure")[0]
