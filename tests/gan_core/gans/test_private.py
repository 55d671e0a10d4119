"""One step with differential privacy: what an image weighs, and how much noise there is."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gan_core.gans import registry
from gan_core.gans.adversarial import AdversarialGan
from gan_core.gans.losses import ADVERSARIAL_LOSSES
from gan_core.gans.private import LOSSES_OF_IMAGES, PrivateStep
from gan_core.spec.errors import GraftError
from gan_core.training.memory import MemoryPlan
from gan_core.training.privacy import PrivateTraining

CPU = torch.device("cpu")


def ready(noise: float = 0.0, clip: float = 0.1, every: int = 1, **settings: Any) -> AdversarialGan:
    values = {"image_size": 32, "width": 2, "latent_dim": 4, "discriminator_norm": "group"}
    torch.manual_seed(0)
    gan = registry.create("dcgan", **values | settings)
    assert isinstance(gan, AdversarialGan)
    gan.prepare_training(CPU, torch.float32)
    terms = PrivateTraining(noise, clip, 0.5, 4, 1e-3, every)
    gan.learn_privately(terms, torch.Generator().manual_seed(1))
    return gan


def images(count: int, seed: int = 2) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def descended(gan: AdversarialGan, real: Tensor) -> Tensor:
    """The gradient that one step of the discriminator goes down, flat."""
    seen: list[Tensor] = []
    adam = gan.optimizers["discriminator"]
    adam.register_step_pre_hook(
        lambda *_: seen.append(
            torch.cat([w.grad.flatten() for w in gan.discriminator.parameters()]).clone()  # type: ignore[union-attr]
        )
    )
    gan.step(real, torch.Generator().manual_seed(3), 0.0)
    (gradient,) = seen
    return gradient


@pytest.mark.parametrize("clip", [0.1, 0.5])
def test_one_image_more_moves_the_summed_gradient_by_no_more_than_the_clip(clip: float) -> None:
    extreme = torch.cat([images(3), torch.full((1, 3, 32, 32), 40.0)])
    without = descended(ready(clip=clip), extreme[:3]) * 4  # it is divided by the mean batch size
    moved = float((descended(ready(clip=clip), extreme) * 4 - without).norm())
    assert moved <= clip * 1.0001
    assert moved >= clip * 0.98  # its own gradient is far larger


def test_a_small_gradient_is_not_clipped_so_the_step_is_the_ordinary_one() -> None:
    gan = ready(clip=1000.0)
    real = images(4)
    ordinary = registry.create("dcgan", **gan.settings_dict())
    assert isinstance(ordinary, AdversarialGan)
    ordinary.prepare_training(CPU, torch.float32)
    for name, network in ordinary.networks().items():
        network.load_state_dict(gan.networks()[name].state_dict())
    expected = descended(ordinary, real)
    torch.testing.assert_close(descended(gan, real), expected, rtol=1e-3, atol=1e-5)


def test_the_noise_has_the_standard_deviation_that_was_promised() -> None:
    quiet, noisy = ready(noise=0.0, clip=0.5), ready(noise=3.0, clip=0.5)
    noise = (descended(noisy, images(4)) - descended(quiet, images(4))) * 4
    assert len(noise) > 800
    assert float(noise.std()) == pytest.approx(3.0 * 0.5, rel=0.1)
    assert abs(float(noise.mean())) < 0.15


def test_an_empty_batch_gets_as_much_noise_as_any() -> None:
    quiet, noisy = ready(noise=0.0, clip=0.5), ready(noise=3.0, clip=0.5)
    noise = (descended(noisy, images(0)) - descended(quiet, images(0))) * 4
    assert float(noise.std()) == pytest.approx(3.0 * 0.5, rel=0.1)


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_is_the_same_batch_with_noise_once(parts: int) -> None:
    whole, cut = ready(noise=1.0), ready(noise=1.0)
    cut.memory = MemoryPlan(parts=parts)
    assert torch.allclose(descended(whole, images(5)), descended(cut, images(5)), atol=1e-6)


def test_the_generator_waits_for_the_discriminators_steps() -> None:
    gan, random = ready(every=3), torch.Generator().manual_seed(0)
    moved = []
    for _ in range(4):
        before = [weight.detach().clone() for weight in gan.generator.parameters()]
        losses = gan.step(images(4), random, 0.0)
        after = gan.generator.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)))
        assert set(losses) == {"generator", "discriminator on fakes"}
    assert moved == [True, False, False, True]


def test_before_the_noise_is_added_no_loss_that_is_told_depends_on_a_real_image() -> None:
    one, other = ready(every=1), ready(every=1)
    # The generator's comes after the discriminator's step, and so after the noise.
    told = "discriminator on fakes"
    # Without augmentation the fakes are the same whatever the real images are.
    first = one.step(images(4), torch.Generator().manual_seed(0), 0.0)[told]
    assert torch.equal(first, other.step(images(2, 9), torch.Generator().manual_seed(0), 0.0)[told])


@pytest.mark.parametrize("loss", sorted(LOSSES_OF_IMAGES))
def test_the_losses_of_images_add_up_to_the_loss_of_the_batch(loss: str) -> None:
    real, fake = torch.randn(5, 1), torch.randn(5, 1)
    of_real, of_fake = LOSSES_OF_IMAGES[loss]
    assert torch.allclose(
        of_real(real).mean() + of_fake(fake).mean(),
        ADVERSARIAL_LOSSES[loss].discriminator(real, fake),
    )


def test_frozen_blocks_stay_as_they_are_and_weigh_nothing() -> None:
    gan = ready()
    gan.prepare_training(CPU, torch.float32)
    gan.freeze_discriminator(1)
    gan.learn_privately(PrivateTraining(1.0, 0.1, 0.5, 4, 1e-3), torch.Generator())
    before = [weight.clone() for weight in gan.discriminator_blocks()[0].parameters()]
    gan.step(images(4), torch.Generator().manual_seed(0), 0.0)
    after = gan.discriminator_blocks()[0].parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_prepared_anew_it_trains_in_the_ordinary_way_again() -> None:
    gan = ready()
    assert isinstance(gan.private, PrivateStep)
    gan.prepare_training(CPU, torch.float32)
    assert gan.private is None
    assert "discriminator" in gan.step(images(4), torch.Generator().manual_seed(0), 0.0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dcgan", {"discriminator_norm": "batch"}),
        ("dcgan", {"discriminator_norm": "group", "loss": "relativistic"}),
        ("dcgan", {"discriminator_norm": "group", "augment": "ada"}),
        ("dcgan", {"discriminator_norm": "group", "classes": 2}),
        ("fastgan", {}),
    ],
)
def test_where_images_meet_it_is_not_offered(name: str, settings: dict[str, Any]) -> None:
    gan = registry.create(name, image_size=32, width=2, **settings)
    gan.prepare_training(CPU, torch.float32)
    with pytest.raises(GraftError) as caught:
        gan.learn_privately(PrivateTraining(1.0, 0.1, 0.5, 4, 1e-3), torch.Generator())
    assert caught.value.code == "privacy_not_offered"
