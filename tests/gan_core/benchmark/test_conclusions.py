from typing import Any

from gan_core.benchmark.conclusions import conclude
from gan_core.spec.results import Conclusion, Interval, Outcome, Verdict

Bars = dict[tuple[str, int, str], float | None]


def verdict(arm: str, outcome: Outcome, classifier: str = "probe", **more: Any) -> Verdict:
    told: dict[str, Any] = {
        "real_count": 100,
        "real_count_label": "100",
        "classifier": classifier,
        "gan": "fastgan" if "fastgan" in arm else "infogan",
        "arm": arm,
        "outcome": outcome,
        "sentence": "",
        "against": "class-weights",
        "differences": {"roc_auc": Interval(mean=0.01, low=-0.01, high=0.03)},
        "p_holm": 0.01 if outcome in ("helps", "harms") else 1.0,
        "n_runs": 5,
    }
    return Verdict(**(told | more))


def only(*verdicts: Verdict, bars: Bars | None = None) -> Conclusion:
    (found,) = conclude(verdicts, bars or {})
    return found


NONE: Outcome = "no-significant-difference"


def test_one_arm_that_helps_is_the_conclusion_with_its_ratio() -> None:
    found = only(
        verdict("gan:infogan", "harms"),
        verdict("gan:fastgan", NONE),
        verdict("gan:fastgan+classic-augment", "helps", ratio=9.4),
    )
    assert (found.outcome, found.gan, found.arm) == (
        "helps",
        "fastgan",
        "gan:fastgan+classic-augment",
    )
    assert "With 100 real images of the rare class, synthetic images help" in found.sentence
    assert "FastGAN images together with classic augmentation, 9.4 to a real one," in found.sentence
    assert any("adding InfoGAN images harmed" in caveat for caveat in found.caveats)


def test_of_several_that_help_the_surest_is_told_and_the_others_beside_it() -> None:
    found = only(
        verdict("gan:infogan", "helps", p_holm=0.04), verdict("gan:fastgan", "helps", p_holm=0.001)
    )
    assert found.gan == "fastgan"
    assert found.caveats == ["With the probe, adding InfoGAN images helped."]


def test_a_plain_arm_that_harms_is_the_conclusion_and_another_that_does_is_a_caveat() -> None:
    assert only(verdict("gan:infogan", "harms"), verdict("gan:fastgan", NONE)).outcome == "harms"
    beside = only(verdict("gan:infogan", NONE), verdict("gan:infogan-unscreened", "harms"))
    assert beside.outcome == NONE
    assert any("no screen had chosen harmed" in caveat for caveat in beside.caveats)


def test_images_in_place_of_real_ones_do_not_conclude_whether_adding_them_helps() -> None:
    found = only(verdict("gan:infogan", NONE), verdict("synthetic-only:infogan", "harms"))
    assert (found.outcome, found.caveats) == (NONE, [])


def test_concluded_is_by_the_classifier_that_is_strongest_without_a_gan() -> None:
    verdicts = [verdict("gan:infogan", "helps", "seed-cnn"), verdict("gan:infogan", NONE)]
    bars: Bars = {("seed-cnn", 100, "100"): 0.8, ("probe", 100, "100"): 0.9}
    found = only(*verdicts, bars=bars)
    assert (found.classifier, found.outcome) == ("probe", NONE)
    assert found.caveats == ["With the plain CNN, adding InfoGAN images helped."]
    bars["seed-cnn", 100, "100"] = 0.95
    turned = only(*verdicts, bars=bars)
    assert (turned.classifier, turned.outcome) == ("seed-cnn", "helps")
    assert turned.caveats == [
        "With the probe, adding InfoGAN images made no significant difference."
    ]
    assert only(*verdicts).classifier == "probe"


def test_no_difference_says_how_many_ways_were_tried_and_where_none_was_added() -> None:
    found = only(
        verdict("gan:infogan", NONE, ratio=1.0),
        verdict("gan:infogan+classic-augment", NONE),
        verdict("gan:infogan@ratio", NONE, ratio=0.0),
    )
    assert found.arm == "gan:infogan"
    assert "nor did another way of adding them" in found.sentence
    assert "Of InfoGAN the best choice was to add none." in found.sentence
    assert "ROC-AUC +0.010, 95% interval −0.010 to +0.030" in found.sentence


def test_what_was_not_tested_is_told_so_and_each_real_count_has_its_sentence() -> None:
    few = {"real_count": 10, "real_count_label": "10"}
    every = {"real_count": 1197, "real_count_label": "all"}
    found = conclude(
        [
            verdict("gan:infogan", NONE, **every),
            verdict("gan:infogan", "not-tested", against=None, p_holm=None, **few),
        ],
        {},
    )
    assert [c.real_count for c in found] == [10, 1197]
    assert found[0].outcome == "not-tested"
    assert "was not tested" in found[0].sentence
    assert "With all 1197 real images" in found[1].sentence


def test_limits_of_the_verdict_are_those_of_the_conclusion() -> None:
    found = only(verdict("gan:infogan", NONE, caveats=["Based on 1 run."]))
    assert found.caveats == ["Based on 1 run."]
