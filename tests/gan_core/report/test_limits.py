from __future__ import annotations

from dataclasses import replace

from gan_core.report import ReportData
from gan_core.report.limits import limits


def said(data: ReportData) -> str:
    return " ".join(limits(data))


def test_few_runs_few_real_images_few_test_images_and_the_quick_profile_are_named(
    data: ReportData,
) -> None:
    text = said(data)
    assert "Each arm was run 2 times" in text
    assert "fewer than about 50 real images (here: 10)" in text
    assert "40 test images. One image more or less moves sensitivity by .03" in text
    assert "“quick”" in text


def test_a_study_with_enough_runs_is_not_told_to_make_more(data: ReportData) -> None:
    summaries = [s.model_copy(update={"n_runs": 5}) for s in data.results.summaries]
    results = data.results.model_copy(update={"summaries": summaries})
    assert "Each arm was run" not in said(replace(data, results=results))


def test_an_unscreened_set_is_said_to_be_unscreened(data: ReportData) -> None:
    spec = data.spec | {"screen": {"near_copies": False}}
    assert "the near-copy check was switched off" in said(replace(data, spec=spec))


def test_without_synthetic_images_nothing_is_said_of_them(data: ReportData) -> None:
    rows = [row for row in data.results.rows if not row.n_fake]
    results = data.results.model_copy(update={"rows": rows})
    text = said(replace(data, results=results, gans=[]))
    assert "privacy" not in text
    assert "upscaler" not in text
    assert "no medical device" in text


def test_few_real_images_are_named_without_a_benchmark_too(data: ReportData) -> None:
    results = data.results.model_copy(update={"rows": [], "summaries": [], "verdicts": []})
    assert "(here: 10)" in said(replace(data, results=results))
