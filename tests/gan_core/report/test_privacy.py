from __future__ import annotations

from dataclasses import replace

import pytest
from whole_study import whole_study

from gan_core.report import ReportData
from gan_core.report.privacy import attack_outcome, privacy_view
from gan_core.report.sets import over_subsets
from gan_core.spec.findings import Interval


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.55, 0.7, "found"),
        (0.45, 0.6, "chance"),
        (0.3, 0.8, "open"),
        (None, None, "open"),
    ],
)
def test_an_attack_that_could_not_tell_is_no_proof_of_privacy(
    low: float | None, high: float | None, outcome: str
) -> None:
    assert attack_outcome(Interval(mean=0.6, low=low, high=high)) == outcome


@pytest.fixture(scope="module")
def study() -> ReportData:
    return whole_study()


def said_of_copies(data: ReportData, screened: bool, copies: int) -> str:
    found = [p.model_copy(update={"near_copies": copies}) for p in data.results.privacy[:1]]
    results = data.results.model_copy(update={"privacy": found})
    spec = data.spec | {"screen": {"near_copies": screened}}
    view = privacy_view(replace(data, results=results, spec=spec))
    assert view is not None
    said: str = view["sentences"][0][1][0]
    assert copies == 0 or view["fate"] in said
    return said


def test_copies_are_said_to_stay_out_of_the_zip_only_where_they_do(study: ReportData) -> None:
    assert "without near-copies" in said_of_copies(study, screened=True, copies=3)
    assert "the zip holds near-copies" in said_of_copies(study, screened=False, copies=3)
    assert "zip" not in said_of_copies(study, screened=False, copies=0)


def test_one_copy_is_one(study: ReportData) -> None:
    assert said_of_copies(study, screened=True, copies=1).startswith("1 synthetic image almost")


def test_over_subsets_the_widest_bounds_are_told() -> None:
    both = [Interval(mean=0.5, low=0.4, high=0.6), Interval(mean=0.7, low=0.6, high=0.9), None]
    found = over_subsets(both)
    assert found is not None
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), 0.4, 0.9)
    assert over_subsets([None]) is None
