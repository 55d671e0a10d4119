from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError
from gan_core.training.judging import (
    Judge,
    Judgement,
    best_of,
    reason_to_end,
)
from gan_core.training.loop import TrainConfig, TrainResult, train

RANDOM = np.random.default_rng(0)
# Smooth images, so that thumbnails of different ones differ.
IMAGES: NDArray[np.uint8] = np.repeat(
    np.repeat(RANDOM.integers(0, 256, (24, 4, 4, 3), np.uint8), 8, axis=1), 8, axis=2
)


def features_of(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean colours of 16 fields: enough to tell these images apart."""
    count, side = len(images), images.shape[1] // 4
    fields = images.reshape(count, 4, side, 4, side, 3).mean((2, 4)) / 255
    result: NDArray[np.float32] = fields.reshape(count, -1).astype(np.float32)
    return result


def judge() -> Judge:
    return Judge(features_of(IMAGES[:12]), features_of, IMAGES[:12])


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, 32, 32, 3), np.uint8)


def judgement(score: float, **more: Any) -> Judgement:
    return replace(Judgement(1, 1, 0.1, 0.01, 1.0, 0.8, 0.0, 0.6, score), **more)


def test_new_real_images_score_better_than_noise_and_than_copies() -> None:
    new = judge().judge(IMAGES[12:], 1, 1)
    random = judge().judge(noise(12), 1, 1)
    copies = judge().judge(IMAGES[:12], 1, 1)
    assert new.score < random.score
    assert new.score < copies.score
    assert copies.copy_rate == 1.0
    assert copies.authenticity == 0.0
    # Without the look at copies they would have won: nothing is closer to the training images.
    assert copies.kid < new.kid


def test_a_judge_looks_at_as_many_samples_as_there_are_images_within_limits() -> None:
    many = np.zeros((600, 8, 8, 3), np.uint8)
    features = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
    assert judge().sample_count == 128
    assert Judge(features[:300], features_of, many).sample_count == 300
    assert Judge(features, features_of, many).sample_count == 512


def test_a_judge_needs_four_images() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        Judge(features_of(IMAGES[:3]), features_of, IMAGES)


def test_the_best_has_the_lowest_score_and_the_earliest_of_equals_wins() -> None:
    found = [judgement(0.5, epoch=1), judgement(0.3, epoch=2), judgement(0.3, epoch=3)]
    best = best_of(found)
    assert best is not None
    assert best.epoch == 2
    assert best_of([]) is None


def test_a_plateau_ends_a_training_after_a_third_of_it() -> None:
    scores = [0.5, 0.4, 0.41, 0.42, 0.4, 0.395, 0.41]
    found = [judgement(score) for score in scores]
    assert reason_to_end(found, 0.5) == "plateau"
    assert reason_to_end(found, 0.2) is None
    assert reason_to_end(found[:5], 0.5) is None
    assert reason_to_end([*found[:-1], judgement(0.35)], 0.5) is None


def test_copying_twice_in_a_row_ends_a_training_at_once() -> None:
    copying = judgement(0.3, is_copying=True)
    assert reason_to_end([copying], 0.1) is None
    assert reason_to_end([copying, judgement(0.3)], 0.1) is None
    assert reason_to_end([judgement(0.3), copying, copying], 0.1) == "copying"


def test_authenticity_counts_only_where_there_are_enough_images_to_tell_by_it() -> None:
    # Nothing is a near-copy of another picture, but every sample lies beside a training image.
    beside = (IMAGES.astype(np.int16) + 12).clip(0, 255).astype(np.uint8)
    another = noise(4)
    few = Judge(features_of(IMAGES[:12]), features_of, another).judge(beside[:12], 1, 1)
    many = Judge(features_of(IMAGES), features_of, another).judge(beside, 1, 1)
    assert (few.copy_rate, many.copy_rate) == (0.0, 0.0)
    assert (few.authenticity, many.authenticity) == (0.0, 0.0)
    assert (few.is_copying, many.is_copying) == (False, True)
    assert many.score > few.score + 0.5


class ScriptedJudge(Judge):
    """Finds what it is told to, look by look; a real judge's samples and features beneath."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__(features_of(IMAGES[:12]), features_of, IMAGES[:12])
        self.scores = scores
        self.sample_count = 8

    def judge(
        self, samples: NDArray[np.uint8], epoch: int, step: int, *, is_settled: bool = True
    ) -> Judgement:
        found = super().judge(samples, epoch, step, is_settled=is_settled)
        return replace(found, score=self.scores[epoch - 1], is_copying=False)


def run(scores: list[float], **more: Any) -> TrainResult:
    settings: dict[str, Any] = {"keep": "best", "snapshots": len(scores), "epochs": len(scores)}
    settings |= {key: more.pop(key) for key in ("keep", "stop_early") if key in more}
    config = TrainConfig(batch_size=6, sample_count=2, ema_decay=0.9, **settings)
    gan = registry.create("infogan", image_size=32)
    return train(gan, IMAGES[:12], config, judge=ScriptedJudge(scores), **more)


def test_the_best_generator_is_kept_and_not_the_last() -> None:
    models = {}
    result = run(
        [0.5, 0.2, 0.4], on_snapshot=lambda shot: models.__setitem__(shot.epoch, shot.model)
    )
    assert result.best is not None
    assert result.best.epoch == 2
    assert result.model.step == 4
    assert result.model.to_bytes() == models[2].to_bytes()
    assert [found.epoch for found in result.judgements] == [1, 2, 3]


def test_the_last_generator_is_kept_where_that_is_asked_for() -> None:
    result = run([0.5, 0.2, 0.4], keep="last")
    assert result.model.step == 6
    assert len(result.judgements) == 3


def test_judging_does_not_change_what_is_learnt() -> None:
    judged = run([0.5, 0.2, 0.4], keep="last")
    config = TrainConfig(batch_size=6, epochs=3, snapshots=3, sample_count=2, ema_decay=0.9)
    plain = train(registry.create("infogan", image_size=32), IMAGES[:12], config)
    assert judged.model.to_bytes() == plain.model.to_bytes()


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_a_judged_training_that_was_stopped_ends_as_one_that_was_not(
    tmp_path: Path, steps: int
) -> None:
    scores = [0.5, 0.2, 0.4]
    asked = iter(range(100))
    with pytest.raises(Stopped):
        run(scores, checkpoint_dir=tmp_path, should_stop=lambda: next(asked) >= steps)
    resumed, whole = run(scores, checkpoint_dir=tmp_path), run(scores)
    assert resumed.model.to_bytes() == whole.model.to_bytes()
    assert resumed.judgements == whole.judgements


def test_a_checkpoint_without_judgements_is_of_another_training(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run([0.5, 0.2], checkpoint_dir=tmp_path, should_stop=iter([False, True]).__next__)
    config = TrainConfig(batch_size=6, epochs=2, snapshots=2, sample_count=2, ema_decay=0.9)
    with pytest.raises(GraftError) as caught:
        train(
            registry.create("infogan", image_size=32),
            IMAGES[:12],
            replace(config, keep="best"),
            checkpoint_dir=tmp_path,
        )
    assert caught.value.code == "checkpoint_mismatch"


def test_a_training_on_a_plateau_ends_early_and_says_so(tmp_path: Path) -> None:
    scores = [0.5, 0.3, 0.3, 0.4, 0.3, 0.4, 0.3, 0.2, 0.1]
    result = run(scores, stop_early=True, checkpoint_dir=tmp_path)
    assert result.ended == "plateau"
    assert [found.epoch for found in result.judgements] == list(range(1, 8))
    assert result.model.step == 4
    whole = run(scores, stop_early=False)
    assert whole.ended is None
    assert whole.model.step == 18


def test_progress_tells_the_latest_distance_and_the_best_epoch() -> None:
    told: list[Progress] = []
    run([0.5, 0.2, 0.4], on_progress=told.append)
    assert "KID" in told[-1].detail
    assert "best so far: epoch 2" in told[-1].detail


def test_a_copy_of_another_class_counts_where_the_gan_learnt_from_it() -> None:
    alone = judge().judge(IMAGES[12:], 1, 1)
    with_others = Judge(features_of(IMAGES[:12]), features_of, IMAGES).judge(IMAGES[12:], 1, 1)
    assert (alone.copy_rate, with_others.copy_rate) == (0.0, 1.0)


def test_before_a_generator_is_settled_nothing_is_chosen_and_nothing_ended() -> None:
    early = judgement(0.1, epoch=1, is_settled=False)
    late = judgement(0.4, epoch=2)
    best = best_of([early, late])
    assert best is not None
    assert best.epoch == 2
    assert best_of([early]) is None
    assert reason_to_end([early] * 20, 0.9) is None
    copying = judgement(0.3, is_copying=True, is_settled=False)
    assert reason_to_end([copying] * 4, 0.9) is None


def test_a_growing_gan_is_settled_when_it_has_grown_and_a_pretrained_one_at_once() -> None:
    gan = registry.create("pggan", image_size=32, width=8)
    assert gan.settled_from() == pytest.approx(3.5 / 4)
    gan.is_pretrained = True
    assert gan.settled_from() == 0.0


@pytest.mark.parametrize("name", ["dcgan", "fastgan", "stylegan2"])
def test_a_gan_with_labels_is_settled_when_they_have_come_in(name: str) -> None:
    labelled = registry.create(
        name, image_size=32, width=8, classes=2, blend_start=0.5, blend_length=0.3
    )
    assert labelled.settled_from() == pytest.approx(0.8)
    assert registry.create(name, image_size=32, width=8).settled_from() == 0.0
    with pytest.raises(GraftError):
        registry.create(name, image_size=32, width=8, classes=2, blend_start=0.8, blend_length=0.3)


def test_a_growing_gan_keeps_no_generator_from_before_it_has_grown() -> None:
    config = TrainConfig(
        batch_size=12, epochs=10, snapshots=10, sample_count=2, keep="best", ema_decay=0.9
    )
    gan = registry.create("pggan", image_size=32, width=8)
    scores = [0.1] * 8 + [0.5, 0.4]
    result = train(gan, IMAGES[:12], config, judge=ScriptedJudge(scores))
    assert [found.is_settled for found in result.judgements] == [False] * 8 + [True, True]
    assert result.best is not None
    assert result.best.epoch == 10
    assert result.model.step == 10
