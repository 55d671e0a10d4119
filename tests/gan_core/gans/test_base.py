"""What ``Gan`` promises, checked on every kind there is."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans import registry
from gan_core.gans.base import Gan
from gan_core.gans.checks import SIZES
from gan_core.generating import TrainedGenerator, generate
from gan_core.progress import Stopped
from gan_core.training.ema import sampling_weights
from gan_core.training.loop import TrainConfig, TrainResult, train

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "latent_dim": 8},
    "fastgan": {"width": 3, "latent_dim": 8},
    "infogan": {"latent_dim": 8},
    "pggan": {"width": 8, "latent_dim": 8},
    "stylegan2": {"width": 8, "latent_dim": 8, "mapping_layers": 2},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in SMALL},
    "dcgan, relativistic": ("dcgan", {"loss": "relativistic", "augment": "diffaugment"}),
    "fastgan, relativistic": ("fastgan", {"loss": "relativistic", "augment": "ada"}),
    "stylegan2, ada": ("stylegan2", {"augment": "ada"}),
}
GROWING = [name for name in SMALL if name != "infogan"]  # InfoGAN has its own sizes, and tests


def small(name: str, **settings: Any) -> Gan:
    return registry.create(name, **{"image_size": 32, **SMALL[name], **settings})


def variant(label: str) -> Gan:
    name, settings = VARIANTS[label]
    return small(name, **settings)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 4, size: int = 32) -> Tensor:
    images = torch.rand(count, 3, size, size, generator=seeded(5)) * 2 - 1
    return images.contiguous(memory_format=torch.channels_last)


def pictures(count: int = 5) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def prepared(gan: Gan, dtype: torch.dtype = torch.float32) -> Gan:
    gan.prepare_training(torch.device("cpu"), dtype)
    return gan


def test_every_kind_in_the_registry_is_checked_here() -> None:
    assert tuple(sorted(SMALL)) == registry.names()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", GROWING)
def test_it_makes_and_learns_images_at_every_size_that_it_claims(name: str, size: int) -> None:
    gan = prepared(small(name, image_size=size, width=2))
    gan.generator.eval()
    with torch.no_grad():
        images = gan.generator(gan.latents_for([1, 2]))
    assert images.shape == (2, 3, size, size)
    assert torch.isfinite(images).all()
    gan.generator.train()
    losses = gan.step(batch(2, size), seeded(), 0.99)
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("label", VARIANTS)
def test_mixed_precision_keeps_weights_and_losses_in_float32(label: str) -> None:
    torch.manual_seed(0)
    gan = prepared(variant(label), torch.bfloat16)
    for number in range(3):
        losses = gan.step(batch(), seeded(number), 0.9)
        for loss in losses.values():
            assert loss.dtype is torch.float32
            assert loss.shape == ()
            assert not loss.requires_grad
            assert torch.isfinite(loss)
    for network in gan.networks().values():
        for weight in network.parameters():
            assert weight.dtype is torch.float32
            assert weight.requires_grad
            assert torch.isfinite(weight).all()


@pytest.mark.parametrize("label", VARIANTS)
def test_a_step_of_one_image_is_possible(label: str) -> None:
    """The last batch of an epoch may be one image."""
    losses = prepared(variant(label)).step(batch(1), seeded(), 0.99)
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("label", VARIANTS)
def test_a_step_reaches_every_weight_of_the_generator(label: str) -> None:
    torch.manual_seed(0)
    gan = prepared(variant(label))
    before = copy.deepcopy(dict(gan.generator.named_parameters()))
    for number in range(2):
        gan.step(batch(), seeded(number), 0.86)  # PGGAN: its last stage, fading in
    unmoved = {
        name
        for name, weight in gan.generator.named_parameters()
        if torch.equal(weight, before[name])
    }
    # PGGAN draws with the two newest of its layers to an image.
    kept = {f"to_image.{stage}.{part}" for stage in (0, 1) for part in ("weight", "bias")}
    assert unmoved == (kept if gan.name == "pggan" else set())


@pytest.mark.parametrize("label", VARIANTS)
def test_latents_and_noise_come_from_the_given_generator_alone(label: str) -> None:
    first, second = (prepared(variant(label)) for _ in range(2))
    for name, network in first.networks().items():
        second.networks()[name].load_state_dict(network.state_dict())
    losses = []
    for gan in (first, second):
        torch.manual_seed(len(losses) if gan.name != "infogan" else 0)  # InfoGAN has dropout
        losses.append(gan.step(batch(), seeded(3), 0.5))
    for name, loss in losses[0].items():
        assert torch.equal(loss, losses[1][name]), name


def run(label: str, **more: Any) -> TrainResult:
    settings = TrainConfig(batch_size=2, epochs=3, ema_decay=0.9, snapshots=1, sample_count=2)
    return train(variant(label), pictures(), settings, data_digest="d", **more)


@pytest.mark.parametrize("label", VARIANTS)
def test_a_training_resumed_equals_one_undisturbed_bit_for_bit(label: str, tmp_path: Path) -> None:
    undisturbed = run(label)
    asked = iter(range(100))
    with pytest.raises(Stopped):
        run(label, checkpoint_dir=tmp_path, should_stop=lambda: next(asked) == 5)
    torch.manual_seed(99)
    resumed = run(label, checkpoint_dir=tmp_path)
    assert resumed.model.to_bytes() == undisturbed.model.to_bytes()
    assert resumed.history == undisturbed.history


def model_of(gan: Gan) -> TrainedGenerator:
    weights = sampling_weights(gan, None)
    return TrainedGenerator(gan.name, gan.settings_dict(), weights, "raw", 4, 3, "d")


@pytest.mark.parametrize("name", SMALL)
def test_an_image_depends_on_the_model_and_its_seed_alone(name: str) -> None:
    torch.manual_seed(0)
    gan = prepared(small(name))
    for number in range(3):
        gan.step(batch(), seeded(number), 0.9)
    model = model_of(gan)
    images = generate(model, [7, 8, 9, 7])
    torch.manual_seed(1)
    again = TrainedGenerator.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(generate(again, [9])[0], images[2])
    np.testing.assert_array_equal(images[0], images[3])
    assert (images[0] != images[1]).any()


def beside_weights(gan: Gan) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, network in gan.networks().items()
        for key, value in network.state_dict().items()
        if key not in dict(network.named_parameters())
    }


@pytest.mark.parametrize("label", VARIANTS)
def test_drawing_all_weights_anew_leaves_no_mean_and_no_count_of_a_training(label: str) -> None:
    gan = prepared(variant(label))
    torch.manual_seed(3)
    gan.initialise()
    fresh = beside_weights(gan)
    gan.step(batch(), seeded(), 0.9)
    trained = beside_weights(gan)
    assert any(not torch.equal(value, trained[name]) for name, value in fresh.items())
    torch.manual_seed(3)
    gan.initialise()
    for name, value in beside_weights(gan).items():
        assert torch.equal(value, fresh[name]), name


GENTLE = {"augment": "none", "gamma_start": 0.1, "gamma_end": 0.1}


@pytest.mark.parametrize(
    ("label", "steps", "settings"),
    [
        ("dcgan", 60, {"width": 8}),
        ("dcgan, relativistic", 40, GENTLE),
        ("fastgan", 60, {"augment": "none"}),
        ("fastgan, relativistic", 60, GENTLE),
        ("pggan", 120, {}),
        ("stylegan2", 60, {}),
        ("stylegan2, ada", 60, {"path_weight": 0.0}),
    ],
)
def test_it_learns_the_one_batch_that_it_is_shown(
    label: str, steps: int, settings: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    name, labelled = VARIANTS[label]
    gan = prepared(small(name, **{**labelled, "learning_rate": 1e-2, **settings}))
    wanted = torch.full((3, 32, 32), -0.6)
    wanted[0, :, :16] = 0.8  # red to the left
    real = (batch() * 0.1 + wanted).contiguous(memory_format=torch.channels_last)
    random = seeded()

    def distance() -> float:
        with torch.no_grad():
            images = gan.generator(gan.random_latents(16, seeded(1)))
        return (images.mean(0) - wanted).abs().mean().item()

    before = distance()
    for _ in range(steps):
        gan.step(real, random, 0.99)
    assert distance() < 0.65 * before


GOLDEN = {
    "dcgan": [0.034, 0.1075, -0.0959, 0.1132, 0.1031],
    "fastgan": [0.0213, 0.1031, -0.0771, 0.2205, 0.02],
    "infogan": [0.0127, 0.0974, -0.0307, -0.0277, 0.0406],
    "pggan": [-0.5227, 0.818, -0.4375, 0.1016, 0.6365],
    "stylegan2": [-1.0144, 1.8552, -2.0988, 0.6199, 1.7754],
}


@pytest.mark.parametrize("name", SMALL)
def test_the_image_of_a_seed_stays_what_it_is(name: str) -> None:
    """Fresh weights of seed 0, image of seed 7: mean, spread and three pixels."""
    torch.manual_seed(0)
    gan = small(name)
    gan.initialise()
    for key, weight in gan.generator.named_parameters():
        if "noise_strength" in key:
            weight.detach().fill_(0.5)
    if name == "pggan":
        gan.generator.set_extra_state(torch.tensor(0.95))
    with torch.no_grad():
        image = gan.generator(gan.latents_for([7, 8]))[0]  # BatchNorm takes the two as its batch
    seen = [image.mean(), image.std(), image[0, 0, 0], image[1, 16, 16], image[2, 31, 5]]
    assert [value.item() for value in seen] == pytest.approx(GOLDEN[name], abs=2e-3)
