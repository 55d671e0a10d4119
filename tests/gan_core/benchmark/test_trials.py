"""What each arm is made of, and that nothing of a held-out image is left in its training part."""

from typing import Any

import numpy as np
import pytest

from gan_core.benchmark.arms import arm_named
from gan_core.benchmark.trials import BenchmarkData, Column, Fakes, Ground, Trial, prepare_trial
from gan_core.spec.errors import GraftError

RARE = 1
LABELS = (np.arange(40) % 4 == 0).astype(np.int64)  # 10 rare images, 30 others


def images(count: int) -> np.ndarray:
    return np.zeros((count, 2, 2, 3), np.uint8)


def ground(fill_to: int | None = 16, real_count: int = 4, left_out: tuple[int, ...] = ()) -> Ground:
    data = BenchmarkData(
        images(40), LABELS, images(8), LABELS[:8], RARE, left_out=np.array(left_out, np.int64)
    )
    rows = np.flatnonzero(LABELS == RARE)
    sources = {
        "fakes": Fakes(images(30)),
        "unscreened": Fakes(images(5)),
        "control-64": Fakes(images(10), copy_of=rows),
    }
    return Ground(data, Column.of(data, real_count, 0, fill_to), sources)


def trial(name: str, classifier: str = "probe", **given: Any) -> Trial:
    return prepare_trial(ground(**given), classifier, arm_named(name), 0)


@pytest.mark.parametrize(
    ("name", "real", "fakes"),
    [
        ("real-only", 4, 0),
        ("class-weights", 4, 0),
        ("oversample", 4, 0),
        ("classic-augment", 4, 0),
        ("classic-augment+oversample", 4, 0),
        ("upscale-control:64", 4, 12),
        ("gan:x", 4, 12),
        ("gan:x+classic-augment", 4, 12),
        ("gan:x-unscreened", 4, 5),
        ("synthetic-only:x", 0, 12),
    ],
)
def test_every_arm_has_its_images(name: str, real: int, fakes: int) -> None:
    found = trial(name)
    assert (found.n_real, found.n_fake, found.n_other) == (real, fakes, 30)
    assert found.labels.sum() == real + fakes
    assert len(found.labels) == real + fakes + 30
    expected = None if fakes == 0 or real == 0 else fakes / real
    assert found.ratio == expected


def test_classes_weigh_the_same_in_the_arms_that_weigh_them() -> None:
    assert trial("real-only").class_weights is None
    assert trial("gan:x").class_weights is None
    assert trial("class-weights").class_weights == (34 / 60, 34 / 8)
    of_ratio = trial("gan:x@ratio").with_fakes(8)
    assert of_ratio.class_weights == (42 / 60, 42 / 24)
    assert of_ratio.ratio == 2.0


def test_the_control_repeats_the_column_s_own_images_evenly() -> None:
    found = trial("upscale-control:64", fill_to=14)  # 10 of 4 images
    column = ground().column
    assert set(found.copy_of) == set(column.chosen)
    assert sorted(np.unique(found.copy_of, return_counts=True)[1]) == [2, 2, 3, 3]


def test_a_gan_s_images_are_all_taken_where_nothing_says_how_many() -> None:
    assert trial("gan:x", fill_to=None).n_fake == 30
    assert trial("upscale-control:64", fill_to=None).n_fake == 4


@pytest.mark.parametrize(
    "name", ["real-only", "oversample", "upscale-control:64", "gan:x", "synthetic-only:x"]
)
def test_nothing_of_a_held_out_image_trains(name: str) -> None:
    found = trial(name)
    chosen = ground().column.chosen
    held = np.concatenate([chosen[:1], np.flatnonzero(LABELS == 0)[:9]])
    left = found.without(held, 0.75)
    assert not np.isin(left.real_rows, held).any()
    assert not np.isin(left.copy_of, held).any()
    assert left.n_other == 21
    assert left.n_real == found.n_real * 3 // 4
    assert left.n_fake == found.n_fake * 3 // 4  # the classes stay to each other as they were
    assert len(left.is_rare) == len(left.real_rows)


def test_images_that_are_left_out_are_in_no_arm() -> None:
    without = (0, 1, 2, 4)
    found = trial("real-only", left_out=without)
    assert not np.isin(found.real_rows, without).any()
    assert (found.n_real, found.n_other) == (4, 28)


def test_what_cannot_be_put_together_is_refused() -> None:
    def code(*given: str, **more: Any) -> str:
        with pytest.raises(GraftError) as refused:
            trial(*given, **more)
        return refused.value.code

    assert code("real-only", "oracle") == "unknown_classifier"
    assert code("gan:x@ratio", "seed-cnn") == "unknown_arm"
    assert code("upscale-control:128") == "fakes_missing"
    assert code("gan:x", fill_to=4) == "fakes_missing"
