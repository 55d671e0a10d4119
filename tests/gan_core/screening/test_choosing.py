"""The rules in their order."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core.screening.choosing import Limits, Scores, choose, counted
from gan_core.screening.told import screening_of
from gan_core.spec.errors import GraftError

FEATURES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
SCORES = Scores(
    near_copy_rms=np.array([1, 9, 9, 9, 9, 9], np.float32),
    distance=np.array([0.2, 1.5, 0.9, 0.9, 0.9, 0.9]),
    confidence=np.array([0.1, 0.1, 0.1, 0.8, 0.8, 0.8], np.float32),
)
ALL = Limits(near_copy_rms=8.0, distance=1.0, confidence=0.5)


def test_each_image_is_left_out_for_the_first_rule_that_it_breaks() -> None:
    reasons = choose(FEATURES, SCORES, ALL, count=2, diverse=False)
    assert reasons == ["near-copy", "off-manifold", "wrong-class", None, None, "not-needed"]


def test_a_rule_that_does_not_apply_leaves_nothing_out() -> None:
    reasons = choose(FEATURES, SCORES, Limits(), count=4, diverse=False)
    assert reasons == [None] * 4 + ["not-needed"] * 2


def test_the_diverse_pick_is_made_among_those_that_pass() -> None:
    features = FEATURES.copy()
    features[4] = features[3]
    reasons = choose(features, SCORES, ALL, count=2, diverse=True)
    assert reasons[3:] == [None, "alike", None]


def test_no_rule_gives_way_when_too_few_are_left() -> None:
    reasons = choose(FEATURES, SCORES, ALL, count=6, diverse=True)
    assert reasons.count(None) == 3
    told = screening_of(range(6), SCORES, reasons, needed=6, rules={})
    assert (told.kept, told.needed, told.is_short) == (3, 6, True)
    assert told.rejected == {"near-copy": 1, "off-manifold": 1, "wrong-class": 1}
    assert not screening_of(range(6), SCORES, reasons, needed=3, rules={}).is_short


def test_when_nothing_passes_it_says_what_has_left_them_out() -> None:
    nothing = Limits(near_copy_rms=8.0, distance=0.5)
    with pytest.raises(GraftError) as caught:
        choose(FEATURES, SCORES, nothing, count=2, diverse=True)
    assert caught.value.code == "nothing_passed"
    assert "near-copy 1, off-manifold 5" in caught.value.detail


def test_reasons_are_counted_in_the_order_of_the_rules() -> None:
    assert list(counted(["alike", None, "near-copy", "alike"]).items()) == [
        ("near-copy", 1),
        ("alike", 2),
    ]


def test_what_is_told_of_an_image_holds_no_score_that_was_not_reckoned() -> None:
    assert SCORES.of(1) == {"near_copy_rms": 9.0, "distance": 1.5, "confidence": 0.1}
    plain = Scores(near_copy_rms=SCORES.near_copy_rms, distance=SCORES.distance, confidence=None)
    assert set(plain.of(1)) == {"near_copy_rms", "distance"}


def test_a_summary_is_of_the_column_that_asks_for_it() -> None:
    told = screening_of(range(6), SCORES, [None] * 5 + ["alike"], needed=5, rules={"diverse": True})
    summary = told.summary(gan="fastgan", real_count=40, real_count_label="all", subset=1)
    assert (summary.drawn, summary.kept, summary.real_count_label) == (6, 5, "all")
    assert summary.rejected == {"alike": 1}
