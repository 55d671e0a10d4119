"""Trainings of an evaluation, one after the other or all together."""

from typing import Any

import numpy as np
import pytest
import torch

from gan_core.benchmark.arms import arm_named
from gan_core.benchmark.evaluate import BenchmarkData, Evaluation, Fakes, evaluate_arms
from gan_core.benchmark.trials import prepare_trial
from gan_core.classifiers import seed_cnn
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.progress import Progress
from gan_core.spec.errors import GraftError


def data() -> BenchmarkData:
    rng = np.random.default_rng(0)
    labels = np.arange(9) % 3
    images = rng.integers(0, 100, (9, 224, 224, 3), np.uint8)
    images[labels == 2] += 120
    return BenchmarkData(images, labels, images, labels, rare_index=2)


def evaluated(arms: list[str], seeds: list[int], **given: Any) -> Evaluation:
    images = np.random.default_rng(1).integers(120, 220, (3, 224, 224, 3), np.uint8)
    return evaluate_arms(
        arms,
        data(),
        real_count=2,
        real_count_label="2",
        subset=0,
        seeds=seeds,
        classifiers=["seed-cnn"],
        seed_cnn=SeedCnnConfig(epochs=1, batch_size=4, precision="float32"),
        fakes=Fakes(images),
        **given,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_run_s_scores_are_the_same_whoever_trains_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arms, seeds = ["real-only", "oversample", "gan:infogan"], [0, 1]
    alone = evaluated(arms, seeds)
    assert not np.array_equal(alone.scores[0], alone.scores[1])
    monkeypatch.setattr(seed_cnn, "trained_at_once", lambda _: 64)
    seen: list[Progress] = []
    together = evaluated(arms, seeds, on_progress=seen.append)
    assert any("6 side by side" in progress.detail for progress in seen)
    assert [(row.arm, row.seed) for row in together.rows] == [
        (row.arm, row.seed) for row in alone.rows
    ]
    np.testing.assert_allclose(together.scores, alone.scores, atol=1e-4)
    assert [row.n_fake for row in together.rows] == [0, 0, 0, 0, 3, 3]


def test_classes_weigh_the_same_in_the_arm_that_weighs_them() -> None:
    chosen = np.array([2, 5])
    weighted, plain = (
        prepare_trial(data(), "seed-cnn", arm_named(name), 0, chosen=chosen, n_fake=3)
        for name in ("class-weights", "real-only")
    )
    assert plain.class_weights is None
    assert weighted.class_weights == (8 / 12, 8 / 4)
    assert weighted.n_fake == 0


def test_a_classifier_that_there_is_not_is_refused() -> None:
    with pytest.raises(GraftError) as refused:
        prepare_trial(data(), "oracle", arm_named("real-only"), 0, chosen=np.array([2]), n_fake=0)
    assert refused.value.code == "unknown_classifier"
