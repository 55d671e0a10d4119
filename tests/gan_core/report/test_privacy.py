from __future__ import annotations

import pytest

from gan_core.report.privacy import attack_outcome
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


def test_over_subsets_the_widest_bounds_are_told() -> None:
    both = [Interval(mean=0.5, low=0.4, high=0.6), Interval(mean=0.7, low=0.6, high=0.9), None]
    found = over_subsets(both)
    assert found is not None
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), 0.4, 0.9)
    assert over_subsets([None]) is None
