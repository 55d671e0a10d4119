"""Trainings that are spoiled on the way: rolled back once, then given up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.progress import Stopped
from gan_core.spec.errors import GraftError
from gan_core.training import health, setbacks
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.setbacks import thinned

IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
ONCE = {"spoiled_at": 11, "up_to_rate": 1.5e-3}

pytestmark = pytest.mark.usefixtures("tiny_gan")


def config(**more: Any) -> TrainConfig:
    """Two steps an epoch; milestones after the epochs 2, 4, 6 and 8."""
    return TrainConfig(
        **{"batch_size": 2, "epochs": 8, "snapshots": 2, "sample_count": 2, "ema_decay": 0.9}
        | {"precision": "float32"}
        | more
    )


def run(wrong: dict[str, Any], settings: TrainConfig, **more: Any) -> TrainResult:
    return train(registry.create("tiny", **wrong), IMAGES, settings, **more)


def same(one: TrainResult, other: TrainResult) -> bool:
    return (
        one.model.to_bytes() == other.model.to_bytes()
        and one.history == other.history
        and one.notices == other.notices
        and all(
            np.array_equal(first.images, second.images)
            for first, second in zip(one.snapshots, other.snapshots, strict=True)
        )
    )


@pytest.mark.parametrize(("at", "back_to"), [(2, "the beginning"), (11, "epoch 4")])
def test_a_spoiled_training_goes_back_once_and_on_with_half_the_rate(
    tmp_path: Path, tiny_gan: Any, at: int, back_to: str
) -> None:
    result = run({**ONCE, "spoiled_at": at}, config(), checkpoint_dir=tmp_path)
    (notice,) = result.notices
    assert f"the training went back to {back_to} and went on with half the learning" in notice
    assert tiny_gan.rates[0] == 2e-3
    assert tiny_gan.rates[-1] == 1e-3
    assert [point["epoch"] for point in result.history] == list(range(1, 9))
    assert all(np.isfinite(list(point.values())).all() for point in result.history)
    assert all(bool(torch.isfinite(value).all()) for value in result.model.weights.values())
    assert [snapshot.epoch for snapshot in result.snapshots] == [4, 8]


def test_without_a_folder_it_goes_back_all_the_same(tmp_path: Path) -> None:
    assert same(run(ONCE, config()), run(ONCE, config(), checkpoint_dir=tmp_path))


def test_spoiled_twice_is_given_up_with_its_curves(tmp_path: Path) -> None:
    with pytest.raises(GraftError) as refused:
        run({"spoiled_at": 11}, config(), checkpoint_dir=tmp_path)
    assert refused.value.code == "diverged"
    assert "twice" in refused.value.detail
    assert [point["epoch"] for point in refused.value.evidence["history"]] == [1, 2, 3, 4, 5]
    # Run again, it comes to the same end.
    with pytest.raises(GraftError) as again:
        run({"spoiled_at": 11}, config(), checkpoint_dir=tmp_path)
    assert again.value.evidence == refused.value.evidence
    assert again.value.detail == refused.value.detail


def test_spoiled_in_its_last_step_is_no_success() -> None:
    with pytest.raises(GraftError) as refused:
        run({"spoiled_at": 16}, config(ema_decay=None))
    assert refused.value.code == "diverged"


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1000.0])
@pytest.mark.parametrize("every", [1, 3])
def test_resumed_through_a_rollback_equals_undisturbed_bit_for_bit(
    tmp_path: Path, every: int, checkpoint_seconds: float
) -> None:
    settings = config(checkpoint_seconds=checkpoint_seconds, checkpoint_share=1)
    undisturbed = run(ONCE, config())
    for _ in range(100):
        asked = iter(range(every))
        try:
            result = run(
                ONCE,
                settings,
                checkpoint_dir=tmp_path,
                should_stop=lambda asked=asked: next(asked, None) is None,
            )
            break
        except Stopped:
            torch.manual_seed(1)
    else:
        pytest.fail("it never came to its end")
    assert same(result, undisturbed)


def test_killed_at_any_step_and_started_again_equals_undisturbed(tmp_path: Path) -> None:
    """Nothing is written at the end, as when the process is killed."""
    undisturbed = run(ONCE, config())

    class Killed(BaseException):
        pass

    for steps in (3, 5, 4, 1, 2):
        left = iter(range(steps))

        def kill(left: Any = left) -> bool:
            if next(left, None) is None:
                raise Killed
            return False

        with pytest.raises(Killed):
            run(
                ONCE,
                config(checkpoint_seconds=0, checkpoint_share=1),
                checkpoint_dir=tmp_path,
                should_stop=kill,
            )
    assert same(run(ONCE, config(), checkpoint_dir=tmp_path), undisturbed)


def test_a_collapsed_generator_is_noticed_rolled_back_and_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "FIRST_JUDGED_STEP", 4)
    with pytest.raises(GraftError) as refused:
        run({"collapses_at": 12}, config(ema_decay=None))
    assert refused.value.code == "diverged"
    assert "one and the same image" in refused.value.detail
    once = run({"collapses_at": 12, "up_to_rate": 1.5e-3}, config(ema_decay=None))
    assert len(once.notices) == 1
    assert run({}, config(ema_decay=None)).notices == []


def test_a_generator_that_has_merely_begun_is_not_called_collapsed() -> None:
    grey = np.full((16, 8, 8, 3), 128, np.uint8)
    assert health.is_collapsed(grey, 30.0, steps=1000, fraction=0.75)
    assert not health.is_collapsed(grey, 30.0, steps=1000, fraction=0.25)
    assert not health.is_collapsed(grey, 30.0, steps=100, fraction=0.75)
    # Nor one whose real images are all alike.
    assert not health.is_collapsed(grey, 0.5, steps=1000, fraction=0.75)


def test_samples_with_a_twentieth_of_the_real_spread_are_not_called_collapsed() -> None:
    random = np.random.default_rng(0)
    real = random.normal(128, 40, (16, 8, 8, 3)).clip(0, 255).astype(np.uint8)
    faint = random.normal(128, 2.5, (16, 8, 8, 3)).round().clip(0, 255).astype(np.uint8)
    assert not health.is_collapsed(faint, health.spread(real), steps=1000, fraction=1.0)


def test_evidence_has_at_most_200_points_and_the_last() -> None:
    history = [{"epoch": float(epoch)} for epoch in range(1, 501)]
    few = thinned(history)
    assert len(few) <= setbacks.EVIDENCE_POINTS
    assert few[-1] == history[-1]
    assert thinned(history[:7]) == history[:7]
