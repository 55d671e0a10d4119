"""The probes of all arms, on features where it is known what helps."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.evaluate import BenchmarkData, Evaluation, Fakes, evaluate_arms
from gan_core.spec.errors import GraftError

RARE, COUNT, WIDTH = 1, 320, 24
Features = NDArray[np.float32]


def features(labels: np.ndarray, seed: int) -> Features:
    """Two clouds that overlap."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(len(labels), WIDTH))
    found[:, :4] += 0.9 * (labels == RARE)[:, None]
    return found.astype(np.float32)


LABELS = (np.arange(COUNT) % 2 == 0).astype(np.int64)
TRAIN, TEST = features(LABELS, 0), features(LABELS, 1)
ORACLE = features(np.ones(200, np.int64), 2)
NOISE = 3 * np.random.default_rng(3).normal(size=(200, WIDTH)).astype(np.float32)
OF_RARE = np.flatnonzero(LABELS == RARE)


def images(count: int) -> np.ndarray:
    return np.zeros((count, 2, 2, 3), np.uint8)


def evaluated(
    arms: list[str],
    made: Features = ORACLE,
    *,
    test: Features = TEST,
    seeds: tuple[int, ...] = (0,),
    augmented: Features | None = None,
    **given: Any,
) -> Evaluation:
    sources = {
        "fakes": Fakes(images(len(made)), made, None if augmented is None else made[None]),
        "control-64": Fakes(images(len(OF_RARE)), TRAIN[OF_RARE], copy_of=OF_RARE),
    }
    data = BenchmarkData(images(COUNT), LABELS, images(COUNT), LABELS, RARE, TRAIN, test, augmented)
    asked = {"real_count": 10, "fill_to": 160, "subset": 0} | given
    return evaluate_arms(
        {"probe": arms}, data, real_count_label="10", seeds=seeds, sources=sources, **asked
    )


def test_images_that_show_the_class_raise_every_arm_of_the_gan() -> None:
    arms = ["real-only", "class-weights", "oversample"]
    of_gan = ["gan:x", "gan:x@ratio", "synthetic-only:x"]
    found = evaluated(arms + of_gan)
    auc = {row.arm: row.roc_auc or 0.0 for row in found.rows}
    held = {row.arm: row.heldout_roc_auc or 0.0 for row in found.rows}
    for name in of_gan:
        assert auc[name] > max(auc[arm] for arm in arms) + 0.03
        assert held[name] > max(held[arm] for arm in arms) + 0.03


def test_of_good_images_as_many_as_help_are_chosen_and_of_noise_none() -> None:
    ratios = [0.0, 0.5, 1.0, 5.0, 20.0, 21.0]
    good = evaluated(["gan:x@ratio"], ratios=ratios)
    assert good.rows[0].ratio is not None
    assert good.rows[0].ratio >= 5
    assert good.rows[0].n_fake == 10 * good.rows[0].ratio
    # 21 for each of 10 are more images than there are.
    assert [point.ratio for point in good.ratios] == ratios[:-1]
    bad = evaluated(["gan:x@ratio"], NOISE, real_count=60, ratios=[0.0, 1.0, 2.0, 3.0])
    assert (bad.rows[0].ratio, bad.rows[0].n_fake) == (0.0, 0)
    assert [point.is_chosen for point in bad.ratios] == [True, False, False, False]
    best = max(point.heldout_roc_auc for point in good.ratios)
    (chosen,) = [point for point in good.ratios if point.is_chosen]
    assert chosen.heldout_roc_auc == best == good.rows[0].heldout_roc_auc
    assert chosen.roc_auc == good.rows[0].roc_auc


def test_no_synthetic_images_at_all_are_class_weights() -> None:
    found = evaluated(["class-weights", "gan:x@ratio"], ratios=[0.0])
    np.testing.assert_allclose(found.scores[0], found.scores[1], atol=1e-3)


def test_copies_of_the_training_images_are_oversampling() -> None:
    # 150 copies of 10 images beside them: each 16 times, against 160 others.
    found = evaluated(["oversample", "upscale-control:64"])
    np.testing.assert_allclose(found.scores[0], found.scores[1], atol=1e-3)
    assert found.rows[1].n_fake == 150
    held = [row.heldout_roc_auc for row in found.rows]
    assert held[0] == pytest.approx(held[1], abs=0.02)


def test_augmented_copies_that_are_the_images_themselves_change_nothing() -> None:
    same = np.stack([TRAIN, TRAIN])
    pairs = [("real-only", "classic-augment"), ("oversample", "classic-augment+oversample")]
    for plain, augmented in pairs:
        found = evaluated([plain, augmented], augmented=same)
        np.testing.assert_allclose(found.scores[0], found.scores[1], atol=1e-3)
        assert found.rows[0].threshold == pytest.approx(found.rows[1].threshold, abs=2e-3)


def test_augmented_copies_do_train_and_a_gan_s_images_are_augmented_as_well() -> None:
    arms = ["gan:x", "gan:x+classic-augment", "real-only", "classic-augment"]
    one = np.stack([TRAIN + 0.5 * features(LABELS * 0, 5)])
    found = evaluated(arms, augmented=one)
    assert not np.allclose(found.scores[0], found.scores[1], atol=1e-3)
    assert not np.allclose(found.scores[2], found.scores[3], atol=1e-3)
    with pytest.raises(GraftError) as missing:
        evaluated(["classic-augment"])
    assert missing.value.code == "features_missing"


def test_the_test_images_choose_nothing() -> None:
    arms = ["real-only", "oversample", "gan:x", "gan:x@ratio"]
    found = evaluated(arms)
    other = evaluated(arms, test=features(1 - LABELS, 7))
    keys = ("threshold", "heldout_roc_auc", "heldout_balanced_accuracy", "ratio")
    for mine, theirs in zip(found.rows, other.rows, strict=True):
        assert [getattr(mine, key) for key in keys] == [getattr(theirs, key) for key in keys]
        assert mine.threshold is not None
    assert not np.array_equal(found.scores, other.scores)


def test_held_out_scores_are_of_classifiers_that_did_not_see_the_image() -> None:
    # More features than images: what trained is told apart without error, what did not is chance.
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(COUNT, 400)).astype(np.float32)
    data = BenchmarkData(images(COUNT), LABELS, images(COUNT), LABELS, RARE, noise, noise)
    control = Fakes(images(len(OF_RARE)), noise[OF_RARE], copy_of=OF_RARE)
    found = evaluate_arms(
        {"probe": ["oversample", "upscale-control:64"]},
        data,
        real_count=100,
        real_count_label="100",
        subset=0,
        seeds=[0],
        sources={"control-64": control},
        fill_to=160,
    )
    for row in found.rows:
        assert (row.roc_auc or 0.0) > 0.8  # the "test" images are those that it saw
        assert row.heldout_roc_auc == pytest.approx(0.5, abs=0.12)


def test_the_moved_threshold_finds_more_of_the_rare_class() -> None:
    (row,) = evaluated(["real-only"], real_count=20).rows
    assert row.threshold is not None
    assert row.threshold < 0.5
    assert (row.moved_balanced_accuracy or 0) > (row.balanced_accuracy or 1) + 0.05


def test_seeds_differ_where_images_are_drawn_and_nowhere_else() -> None:
    found = evaluated(["class-weights", "oversample", "gan:x"], real_count=9, seeds=(0, 1))
    assert [row.seed for row in found.rows] == [0, 1] * 3
    assert np.array_equal(found.scores[0], found.scores[1])
    assert not np.array_equal(found.scores[2], found.scores[3])
    assert np.array_equal(found.scores[4], found.scores[5])


def test_one_real_image_moves_no_threshold_and_chooses_the_smallest_ratio() -> None:
    found = evaluated(["real-only", "gan:x@ratio"], real_count=1, ratios=[1.0, 0.0])
    assert [row.threshold for row in found.rows] == [None, None]
    assert [row.moved_balanced_accuracy for row in found.rows] == [None, None]
    assert found.rows[1].ratio == 0.0
    assert found.ratios == []
