"""Scores of every kind's discriminator, and what a discriminator that has overfitted gives away."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.gans.base import Gan
from gan_core.progress import Progress, Stopped
from gan_core.training.loop import TrainConfig, train
from gan_core.training.membership import discriminator_scores

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "latent_dim": 8},
    "fastgan": {"width": 3, "latent_dim": 8},
    "infogan": {"latent_dim": 8},
    "pggan": {"width": 8, "latent_dim": 8},
    "stylegan2": {"width": 8, "latent_dim": 8, "mapping_layers": 2},
}
WITH_CLASSES = {"classes": 2, "drawn_class": 1}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in SMALL},
    **{f"{name}, classes": (name, WITH_CLASSES) for name in ("dcgan", "fastgan", "stylegan2")},
}


def trained(label: str, images: NDArray[np.uint8], **changes: Any) -> Gan:
    name, settings = VARIANTS[label]
    gan = registry.create(name, image_size=32, **SMALL[name], **settings)
    labels = None
    if settings:
        labels = np.arange(len(images)) % 2
    config = TrainConfig(**{"batch_size": 4, "epochs": 1, "seed": 0, "snapshots": 1, **changes})
    train(gan, images, config, labels=labels)
    return gan


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def state_of(gan: Gan) -> dict[str, torch.Tensor]:
    return {
        f"{network}.{name}": tensor
        for network, module in gan.networks().items()
        for name, tensor in module.state_dict().items()
    }


def test_every_kind_in_the_registry_is_checked_here() -> None:
    assert tuple(sorted(SMALL)) == registry.names()


@pytest.mark.parametrize("label", VARIANTS)
def test_an_images_score_depends_on_that_image_alone(label: str) -> None:
    images = pictures(9)
    gan = trained(label, images)
    before = copy.deepcopy(state_of(gan))
    modes = [m.training for network in gan.networks().values() for m in network.modules()]
    scores = discriminator_scores(gan, images)
    assert scores.shape == (9,)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 1
    np.testing.assert_array_equal(discriminator_scores(gan, images), scores)
    for batch_size in (1, 4):
        some = discriminator_scores(gan, images, batch_size=batch_size)
        np.testing.assert_allclose(some, scores, rtol=1e-3, atol=1e-4)
    alone = discriminator_scores(gan, images[::-1][:2])
    np.testing.assert_allclose(alone, scores[::-1][:2], rtol=1e-3, atol=1e-4)
    # And scoring has left no trace: no running statistic, no mode.
    assert modes == [m.training for network in gan.networks().values() for m in network.modules()]
    after = state_of(gan)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in after)


def test_a_discriminator_that_saw_six_images_often_takes_them_for_more_real() -> None:
    images = pictures(12)
    gan = trained("dcgan", images[:6], epochs=60)
    scores = discriminator_scores(gan, images)
    assert scores[:6].min() > scores[6:].max()


def test_a_block_that_was_frozen_stays_frozen() -> None:
    gan = trained("dcgan", pictures(4), freeze_d=1)
    first, second = gan.discriminator_blocks()[:2]
    discriminator_scores(gan, pictures(2))
    assert not any(module.training for module in first.modules() if module is not first)
    assert all(module.training for module in second.modules() if module is not second)


def test_scoring_tells_how_far_it_is_and_can_be_stopped() -> None:
    gan = registry.create("dcgan", image_size=32, **SMALL["dcgan"])
    told: list[Progress] = []
    discriminator_scores(gan, pictures(5), batch_size=2, on_progress=told.append)
    assert [progress.fraction for progress in told] == [0.4, 0.8, 1.0]
    with pytest.raises(Stopped):
        discriminator_scores(gan, pictures(5), should_stop=lambda: True)
