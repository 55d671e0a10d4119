"""What a private training spends, that no interruption makes it spend more, and that none is given
for what could not be kept."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from opacus.accountants import RDPAccountant

from gan_core.gans.registry import create
from gan_core.progress import Stopped
from gan_core.spec.errors import GraftError
from gan_core.training import run as run_module
from gan_core.training.health import SpoiledError
from gan_core.training.judging import Judge
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.privacy import (
    ORDERS,
    PrivateTraining,
    private_training,
    rounded_up,
    steps_an_epoch,
)
from gan_core.training.run import Run, Setbacks
from gan_core.training.setbacks import after_spoiling

IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
TERMS = PrivateTraining(1.2, 1.0, 0.3, 3, 0.01, 2)


def config(**more: Any) -> TrainConfig:
    """Four steps an epoch."""
    values = {"batch_size": 3, "epochs": 3, "precision": "float32", "snapshots": 1}
    return TrainConfig(**values | {"sample_count": 2, "privacy": TERMS} | more)


def trained(settings: TrainConfig, **more: Any) -> TrainResult:
    gan = create("dcgan", image_size=32, width=2, latent_dim=4, discriminator_norm="group")
    return train(gan, IMAGES, settings, **more)


@pytest.fixture
def known_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "secret_seed", lambda: 5)


def test_epsilon_is_that_of_opacus_accountant_and_grows_with_every_step() -> None:
    accountant = RDPAccountant()
    spent = [0.0]
    for steps in range(1, 5):
        accountant.step(noise_multiplier=1.2, sample_rate=0.3)
        spent.append(TERMS.epsilon(steps))
        assert spent[-1] == pytest.approx(accountant.get_epsilon(0.01, alphas=ORDERS), abs=1e-12)
    assert spent == sorted(set(spent))
    assert math.isinf(PrivateTraining(0.0, 1.0, 0.3, 3, 0.01).epsilon(1))


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_the_noise_is_the_least_that_keeps_a_whole_training_within_epsilon(epsilon: float) -> None:
    asked = {"delta": 0.002, "real_count": 50, "batch_size": 16, "epochs": 20}
    terms = private_training(epsilon=epsilon, **asked)  # type: ignore[arg-type]
    steps = 20 * steps_an_epoch(50, 16)
    assert steps == 80
    assert terms.sample_rate == 16 / 50
    assert epsilon * 0.99 - 0.01 <= terms.epsilon(steps) <= epsilon


def test_a_batch_is_no_larger_than_there_are_images() -> None:
    terms = private_training(epsilon=50, delta=0.01, real_count=5, batch_size=64, epochs=3)
    assert (terms.batch_size, terms.sample_rate, steps_an_epoch(5, 64)) == (5, 1.0, 1)


def test_an_epsilon_that_no_noise_can_keep_is_an_error_with_a_hint() -> None:
    with pytest.raises(GraftError) as caught:
        private_training(epsilon=1e-3, delta=1e-6, real_count=50, batch_size=8, epochs=2)
    assert caught.value.code == "epsilon_too_small"


@pytest.mark.parametrize("spent", [1.00001, 9.99999, 0.00004, 3.0])
def test_what_is_printed_is_never_smaller_than_what_was_spent(spent: float) -> None:
    assert spent <= rounded_up(spent) <= spent + 1.1e-4
    assert float(f"{rounded_up(spent):.4f}") >= spent


def test_batches_are_poisson_samples_and_may_be_empty() -> None:
    gan = create("dcgan", image_size=32, width=2, latent_dim=4, discriminator_norm="group")
    run = Run(gan, IMAGES, config(), torch.device("cpu"))
    batches = [run._next_rows() for _ in range(2000)]
    sizes = np.array([len(rows) for rows in batches])
    # Binomial: 10 images, each with a chance of .3.
    assert sizes.mean() == pytest.approx(3.0, abs=0.15)
    assert sizes.var() == pytest.approx(2.1, abs=0.25)
    assert sizes.min() == 0
    assert all(len(set(rows.tolist())) == len(rows) for rows in batches)


def test_nobody_can_know_the_noise_so_the_same_seed_trains_another_generator() -> None:
    assert trained(config()).model.to_bytes() != trained(config()).model.to_bytes()


@pytest.mark.usefixtures("known_seed")
def test_a_resumed_private_run_equals_an_undisturbed_one_and_counts_the_same_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = trained(config())
    calls = iter(range(1000))
    with pytest.raises(Stopped):
        trained(config(), checkpoint_dir=tmp_path, should_stop=lambda: next(calls) == 7)
    # Whatever a new process draws, the noise goes on where it was.
    monkeypatch.setattr(run_module, "secret_seed", lambda: 77)
    resumed = trained(config(), checkpoint_dir=tmp_path)
    assert resumed.model.to_bytes() == undisturbed.model.to_bytes()
    assert resumed.model.step == 12
    assert TERMS.epsilon(resumed.model.step) == TERMS.epsilon(undisturbed.model.step)


def test_a_training_cannot_go_on_with_less_noise_than_it_began_with(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(config(), checkpoint_dir=tmp_path, should_stop=lambda: True)
    less = PrivateTraining(0.5, 1.0, 0.3, 3, 0.01, 2)
    for other in (less, None):
        with pytest.raises(GraftError) as caught:
            trained(config(privacy=other), checkpoint_dir=tmp_path)
        assert caught.value.code == "checkpoint_mismatch"


def test_a_private_training_that_is_spoiled_ends_and_never_goes_back() -> None:
    with pytest.raises(GraftError) as caught:
        after_spoiling(Setbacks(), SpoiledError(4, "it broke"), 2, [], is_private=True)
    assert caught.value.code == "diverged"
    assert "spending more" in caught.value.detail


def test_whatever_chooses_by_the_real_images_is_refused() -> None:
    for more in ({"keep": "best"}, {"stop_early": True}):
        with pytest.raises(ValueError, match="not covered"):
            config(**more)
    judge = Judge(np.eye(4, dtype=np.float32), lambda x: np.zeros((len(x), 4), np.float32), IMAGES)
    with pytest.raises(ValueError, match="judge"):
        trained(config(), judge=judge)
