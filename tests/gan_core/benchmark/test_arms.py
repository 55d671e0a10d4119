import pytest

from gan_core.benchmark.arms import Arm, arm_named, balanced_weights, fakes_to_fill
from gan_core.spec.errors import GraftError


def test_arms_are_found_by_the_name_in_the_table() -> None:
    assert arm_named("class-weights").has_class_weights
    assert arm_named("oversample").sampling == "oversample"
    assert arm_named("gan:infogan") == Arm("gan:infogan", gan="infogan")


@pytest.mark.parametrize("name", ["", "gan:", "infogan", "synthetic"])
def test_an_unknown_arm_is_refused(name: str) -> None:
    with pytest.raises(GraftError) as refused:
        arm_named(name)
    assert refused.value.code == "unknown_arm"


@pytest.mark.parametrize(
    ("balance_to", "expected"), [("full-class", 863), ("majority", 1044), (400, 300), (50, 0)]
)
def test_fakes_fill_the_class_up_to_what_was_asked(balance_to: str | int, expected: int) -> None:
    assert fakes_to_fill([1144, 963], 1, 100, balance_to) == expected  # type: ignore[arg-type]


def test_balanced_weights_give_both_classes_the_same_say() -> None:
    other, rare = balanced_weights(90, 10)
    assert other * 90 == pytest.approx(rare * 10)
    assert (other * 90 + rare * 10) / 100 == pytest.approx(1.0)
