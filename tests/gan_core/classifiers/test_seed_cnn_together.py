"""Trainings side by side are the trainings that each would be alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.classifiers import seed_cnn, seed_cnn_training
from gan_core.classifiers.seed_cnn import (
    SeedCnnConfig,
    SeedCnnResult,
    SeedCnnRun,
    predict_together,
    train_seed_cnns,
    trained_at_once,
)
from gan_core.classifiers.seed_cnn_training import SeedCnnTraining
from gan_core.progress import Progress, Stopped

CONFIG = SeedCnnConfig(epochs=2, batch_size=3, precision="float32")


def pictures(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Reddish images of class 1, a third, and bluish ones of class 0."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 3 == 0).astype(np.int64)
    images = rng.integers(0, 120, (count, 224, 224, 3), np.uint8)
    images[labels == 1, :, :, 0] += 100
    images[labels == 0, :, :, 2] += 100
    return images, labels


def three_runs(folder: Path | None = None) -> list[SeedCnnRun]:
    """Another seed, other class weights, other images, and another number of steps each."""
    _, labels = pictures()
    chosen = [np.arange(8), np.arange(12), np.array([0, 1, 2, 4, 6, 8, 9, 11])]
    configs = [
        CONFIG,
        replace(CONFIG, seed=1, sampling="oversample"),
        replace(CONFIG, seed=2, class_weights=(0.7, 2.0)),
    ]
    return [
        SeedCnnRun(rows, labels[rows], rows < 9, config, folder and folder / str(place))
        for place, (rows, config) in enumerate(zip(chosen, configs, strict=True))
    ]


def train(runs: list[SeedCnnRun], at_once: int, **given: Any) -> list[SeedCnnResult]:
    return train_seed_cnns(pictures()[0], runs, at_once=at_once, **given)


def assert_near(
    found: list[SeedCnnResult], expected: list[SeedCnnResult], rtol: float, atol: float
) -> None:
    images, _ = pictures()
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.n_train, mine.n_validation) == (theirs.n_train, theirs.n_validation)
        for one, other in zip(mine.history, theirs.history, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=rtol, abs=atol)
            assert one.validation_loss == pytest.approx(other.validation_loss, rel=rtol, abs=atol)
            assert one.train_accuracy == other.train_accuracy
        both = (mine.network.state_dict(), theirs.network.state_dict())
        for name in both[0]:
            torch.testing.assert_close(both[0][name], both[1][name], rtol=rtol, atol=atol, msg=name)
        np.testing.assert_allclose(
            mine.predict(images), theirs.predict(images), rtol=1e-3, atol=max(atol, 1e-6)
        )


def test_side_by_side_in_float64_they_are_what_they_are_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seed_cnn_training, "compute_dtype", lambda *_: torch.float64)
    monkeypatch.setattr(seed_cnn, "compute_dtype", lambda *_: torch.float64)
    torch.set_default_dtype(torch.float64)
    try:
        assert_near(train(three_runs(), 3), train(three_runs(), 1), rtol=1e-9, atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


def test_side_by_side_in_float32_they_are_what_they_are_alone_within_a_ten_thousandth() -> None:
    assert_near(train(three_runs(), 3), train(three_runs(), 1), rtol=1e-4, atol=1e-5)


def test_who_trains_beside_a_run_does_not_change_it() -> None:
    runs = three_runs()
    assert_near(train(runs, 3)[:1], train([runs[0], runs[2]], 2)[:1], rtol=1e-4, atol=1e-5)


def test_a_network_that_diverges_leaves_the_others_alone() -> None:
    runs = three_runs()
    broken = replace(runs[1], config=replace(runs[1].config, class_weights=(1.0, float("inf"))))
    found = train([runs[0], broken, runs[2]], 3)
    assert not torch.isfinite(found[1].network.linear.weight).all()
    expected = train([runs[0], runs[2]], 2)
    assert_near([found[0], found[2]], expected, rtol=1e-4, atol=1e-5)


def test_resumed_side_by_side_they_end_bit_for_bit_as_if_undisturbed(tmp_path: Path) -> None:
    undisturbed = train(three_runs(), 3)
    seen: list[Progress] = []
    stopped = 0
    # Stopped three times, the last time after the shortest of them has ended.
    for share in (0.2, 0.5, 0.8):
        with pytest.raises(Stopped):
            train(
                three_runs(tmp_path),
                3,
                on_progress=seen.append,
                should_stop=lambda share=share: bool(seen) and seen[-1].fraction > share,
            )
        stopped += 1
    assert stopped == 3
    resumed = train(three_runs(tmp_path), 3)
    for mine, theirs in zip(resumed, undisturbed, strict=True):
        assert mine.history == theirs.history
        for name, value in theirs.network.state_dict().items():
            assert torch.equal(mine.network.state_dict()[name], value), name


def test_stopped_in_company_a_run_goes_on_alone(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(Stopped):
        train(
            three_runs(tmp_path),
            3,
            on_progress=seen.append,
            should_stop=lambda: bool(seen) and seen[-1].fraction > 0.4,
        )
    steps: list[int] = []
    going_on = train(
        three_runs(tmp_path), 1, on_progress=lambda told: steps.append("epoch" in told.detail)
    )
    assert_near(going_on, train(three_runs(), 1), rtol=1e-4, atol=1e-5)
    assert sum(steps) < 30


def test_runs_that_have_come_differently_far_all_end_as_they_should(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)
    for run, share in ((runs[0], 0.6), (runs[1], 0.2)):
        seen: list[Progress] = []
        with pytest.raises(Stopped):
            train(
                [run],
                1,
                on_progress=seen.append,
                should_stop=lambda seen=seen, share=share: bool(seen) and seen[-1].fraction > share,
            )
    assert_near(train(runs, 3), train(three_runs(), 1), rtol=1e-4, atol=1e-5)


def test_where_memory_runs_out_fewer_go_side_by_side(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = train(three_runs(), 1)
    tried: list[int] = []
    step = SeedCnnTraining.train_batch

    def full(self: SeedCnnTraining, *given: Any) -> None:
        tried.append(len(self.runs))
        if len(self.runs) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(self, *given)

    monkeypatch.setattr(SeedCnnTraining, "train_batch", full)
    found = train(three_runs(tmp_path), 3)
    assert tried[:2] == [3, 1]
    assert set(tried[2:]) == {1}
    assert_near(found, expected, rtol=1e-9, atol=0.0)


def test_another_failure_than_of_memory_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(SeedCnnTraining, "train_batch", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train(three_runs(), 3)


def test_trainings_of_other_settings_cannot_go_side_by_side() -> None:
    runs = three_runs()
    longer = replace(runs[1], config=replace(runs[1].config, epochs=3))
    with pytest.raises(ValueError, match="same epochs"):
        train([runs[0], longer], 2)


def test_scores_of_many_are_the_scores_of_each() -> None:
    results = train(three_runs(), 3)
    images, _ = pictures()
    together = predict_together(results, images)
    assert together.shape == (3, 12)
    for mine, result in zip(together, results, strict=True):
        np.testing.assert_allclose(mine, result.predict(images), rtol=1e-5, atol=1e-7)


def test_progress_says_how_many_go_and_never_goes_back() -> None:
    seen: list[Progress] = []
    train(three_runs(), 2, on_progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    details = {progress.detail for progress in seen}
    assert "seed-cnn, epoch 1/2, 2 side by side" in details
    assert "seed-cnn, epoch 2/2" in details


def test_a_cpu_takes_one_at_a_time_and_a_gpu_many() -> None:
    assert trained_at_once("cpu") == 1
    assert trained_at_once("cuda") > 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_side_by_side_what_a_cpu_trains_alone() -> None:
    images, _ = pictures()
    on_gpu = train(three_runs(), 3, device="cuda")
    on_cpu = train(three_runs(), 1)
    for mine, theirs in zip(on_gpu, on_cpu, strict=True):
        assert mine.history[0].train_loss == pytest.approx(theirs.history[0].train_loss, rel=1e-2)
        np.testing.assert_allclose(mine.predict(images), theirs.predict(images), atol=5e-2)
