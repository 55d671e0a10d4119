"""Trainings of an evaluation, one after the other or all together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.benchmark import cnn_trials
from gan_core.benchmark.evaluate import BenchmarkData, Evaluation, Fakes, evaluate_arms
from gan_core.classifiers import seed_cnn
from gan_core.classifiers.seed_cnn import SeedCnnConfig, SeedCnnRun
from gan_core.progress import Progress, Stopped

CHOSEN = 2
COUNT = 15
LABELS = np.arange(COUNT) % 3
IMAGES = np.random.default_rng(0).integers(0, 100, (COUNT, 224, 224, 3), np.uint8)
IMAGES[LABELS == 2] += 120
OF_RARE = np.flatnonzero(LABELS == 2)


def evaluated(arms: list[str], seeds: list[int], **given: Any) -> Evaluation:
    fakes = np.random.default_rng(1).integers(120, 220, (3, 224, 224, 3), np.uint8)
    data = BenchmarkData(IMAGES, LABELS, IMAGES[:9], LABELS[:9], rare_index=2)
    asked = {"real_count": CHOSEN, "subset": 0, "fill_to": 5} | given
    return evaluate_arms(
        {"seed-cnn": arms},
        data,
        real_count_label="2",
        seeds=seeds,
        seed_cnn=SeedCnnConfig(epochs=1, batch_size=4, precision="float32"),
        sources={
            "fakes": Fakes(fakes),
            "control-64": Fakes(IMAGES[OF_RARE], copy_of=OF_RARE),
        },
        **asked,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def runs_of(monkeypatch: pytest.MonkeyPatch, arms: list[str], **given: Any) -> list[SeedCnnRun]:
    """The trainings that an evaluation asks for."""
    seen: list[SeedCnnRun] = []

    def refuse(_: Any, runs: list[SeedCnnRun], **__: Any) -> None:
        seen.extend(runs)
        raise Stopped

    monkeypatch.setattr(cnn_trials, "train_seed_cnns", refuse)
    with pytest.raises(Stopped):
        evaluated(arms, [0], **given)
    return seen


def test_a_run_s_scores_are_the_same_whoever_trains_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arms, seeds = ["real-only", "classic-augment+oversample", "gan:infogan"], [0, 1]
    alone = evaluated(arms, seeds)
    assert not np.array_equal(alone.scores[0], alone.scores[1])
    assert not np.allclose(alone.scores[0], alone.scores[2], atol=1e-3)
    monkeypatch.setattr(seed_cnn, "trained_at_once", lambda _: 64)
    seen: list[Progress] = []
    together = evaluated(arms, seeds, on_progress=seen.append)
    assert any("6 side by side" in progress.detail for progress in seen)
    assert [(row.arm, row.seed) for row in together.rows] == [
        (row.arm, row.seed) for row in alone.rows
    ]
    np.testing.assert_allclose(together.scores, alone.scores, atol=1e-4)
    assert [row.n_fake for row in together.rows] == [0, 0, 0, 0, 3, 3]


def test_every_arm_trains_on_its_images_in_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = ["real-only", "oversample", "classic-augment", "gan:x+classic-augment"]
    arms += ["synthetic-only:x", "upscale-control:64"]
    runs = runs_of(monkeypatch, arms)
    assert [run.config.sampling for run in runs[:3]] == ["natural", "oversample", "natural"]
    assert [run.config.augment for run in runs] == [False, False, True, True, False, False]
    assert [int(run.labels.sum()) for run in runs] == [2, 2, 2, 5, 3, 5]
    assert [int(run.is_real.sum()) for run in runs] == [12, 12, 12, 12, 10, 12]


def test_no_copy_of_a_held_out_image_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = 0
    for subset in range(6):
        given = {"real_count": 4, "subset": subset, "fill_to": 12}
        (run,) = runs_of(monkeypatch, ["upscale-control:64"], **given)
        assert run.copy_of is not None
        is_copy = ~run.is_real
        made_of = run.rows[run.copy_of[is_copy]]
        assert run.labels[run.copy_of[is_copy]].all()
        assert np.unique(made_of, return_counts=True)[1].tolist() == [2, 2, 2, 2]
        trains, validates = run.split
        assert not np.isin(run.copy_of[trains], validates).any()
        dropped += 2 * int(run.labels[validates].sum())
    assert dropped > 0


def test_held_out_images_set_the_threshold_and_too_few_do_not() -> None:
    (few,) = evaluated(["real-only"], [0]).rows
    assert (few.threshold, few.heldout_roc_auc) == (None, None)
    # Where no real image of the rare class trains, all of them are held out.
    (none,) = evaluated(["synthetic-only:x"], [0]).rows
    assert none.n_real == 0
    assert none.threshold is not None
    assert none.heldout_roc_auc is not None


def test_augmented_it_goes_on_where_it_was_bit_for_bit(tmp_path: Path) -> None:
    whole = evaluated(["classic-augment+oversample"], [0])
    seen: list[Progress] = []
    with pytest.raises(Stopped):
        evaluated(
            ["classic-augment+oversample"],
            [0],
            checkpoint_dir=tmp_path,
            on_progress=seen.append,
            should_stop=lambda: bool(seen) and seen[-1].fraction > 0.4,
        )
    resumed = evaluated(["classic-augment+oversample"], [0], checkpoint_dir=tmp_path)
    assert np.array_equal(resumed.scores, whole.scores)
