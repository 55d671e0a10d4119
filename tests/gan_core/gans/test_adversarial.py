from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_core.gans.adversarial import AdversarialGan
from gan_core.gans.dcgan import DCGAN, DCGANSettings
from gan_core.gans.losses import rising_gamma, squared_gradient


def prepared(**settings: Any) -> DCGAN:
    torch.manual_seed(0)
    gan = DCGAN(DCGANSettings(**{"image_size": 32, "width": 4, "latent_dim": 8, **settings}))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    return gan


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def real() -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=seeded(5)) * 2 - 1


def test_one_step_equals_the_two_steps_written_out_with_plain_losses() -> None:
    ours, theirs = prepared(), prepared()
    for gan in (ours, theirs):
        # Descent without Adam's division, which would blow up the rounding of small gradients.
        gan.optimizers = {
            name: torch.optim.SGD(network.parameters(), 0.1)
            for name, network in (
                ("generator", gan.generator),
                ("discriminator", gan.discriminator),
            )
        }
    losses = ours.step(real(), seeded(3), 0.0)

    bce = nn.BCEWithLogitsLoss()
    fake = theirs.generator(theirs.random_latents(4, seeded(3)))
    judged = theirs.discriminator(real()), theirs.discriminator(fake.detach())
    loss = bce(judged[0], torch.ones(4, 1)) + bce(judged[1], torch.zeros(4, 1))
    loss.backward()
    theirs.optimizers["discriminator"].step()
    assert losses["discriminator"].item() == pytest.approx(loss.item(), rel=1e-5)
    loss = bce(theirs.discriminator(fake), torch.ones(4, 1))
    loss.backward()
    theirs.optimizers["generator"].step()
    assert losses["generator"].item() == pytest.approx(loss.item(), rel=1e-5)
    for name, value in theirs.generator.state_dict().items():
        torch.testing.assert_close(ours.generator.state_dict()[name], value, msg=name)
    for name, weight in theirs.discriminator.named_parameters():
        torch.testing.assert_close(ours.discriminator.get_parameter(name), weight, msg=name)


def test_r1_and_r2_come_every_few_steps_weighted_for_those_without() -> None:
    gan = prepared(loss="relativistic", penalty_every=3, gamma_start=5.0, gamma_end=40.0)
    seen = real()
    fake = gan.generator(gan.random_latents(4, seeded(0))).detach()
    # BatchNorm's batch statistics alone count in train mode, so the second look is the first.
    both = sum(squared_gradient(gan.discriminator, images).item() for images in (seen, fake))
    penalties = [gan.step(seen, seeded(number), 0.3)["penalty"].item() for number in range(7)]
    assert penalties[0] == pytest.approx(rising_gamma(0.3, 5, 40) / 2 * 3 * both, rel=1e-3)
    assert [number for number, penalty in enumerate(penalties) if penalty > 0] == [0, 3, 6]


@pytest.mark.parametrize("loss", ["non-saturating", "least-squares", "hinge"])
def test_only_the_relativistic_loss_has_penalties(loss: str) -> None:
    assert set(prepared(loss=loss).step(real(), seeded(), 0.0)) == {"generator", "discriminator"}


def test_the_discriminator_sees_reals_and_fakes_only_augmented() -> None:
    gan = prepared(augment="diffaugment")
    seen: list[Tensor] = []
    augmented: list[Tensor] = []
    gan.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    gan.augment.register_forward_hook(lambda _, __, output: augmented.append(output))
    gan.step(real(), seeded(), 0.0)
    assert len(seen) == len(augmented) == 3
    for image, wanted in zip(seen, augmented, strict=True):
        assert torch.equal(image, wanted)
    assert not torch.equal(seen[0], real())


def test_the_generators_samples_are_never_augmented() -> None:
    plain, augmenting = prepared(augment="none"), prepared(augment="ada")
    augmenting.augment.get_buffer("probability").fill_(0.8)
    latents = plain.latents_for([1, 2])
    assert torch.equal(plain.generator(latents), augmenting.generator(latents))


def test_adas_probability_moves_with_the_steps() -> None:
    gan = prepared(augment="ada")
    gan.discriminator.forward = lambda images: (
        images.new_full((len(images), 1), 3.0)
        + 0
        * (  # type: ignore[method-assign]
            images.sum() + sum(weight.sum() for weight in gan.discriminator.parameters())
        )
    )
    for number in range(8):
        gan.step(real(), seeded(number), 0.0)
    assert 0 < gan.augment.get_buffer("probability").item() < 8 * 4 / 100_000 + 1e-9


def test_the_generators_step_leaves_no_gradient_in_the_discriminator() -> None:
    gan: AdversarialGan = prepared()
    kept: list[list[Tensor]] = []

    def keep() -> None:
        weights = gan.discriminator.parameters()
        kept.append([weight.grad.clone() for weight in weights if weight.grad is not None])

    for optimizer in gan.optimizers.values():
        optimizer.step = keep  # type: ignore[method-assign,assign]
    gan.step(real(), seeded(), 0.0)
    after_its_own, after_the_generators = kept
    assert len(after_its_own) == len(list(gan.discriminator.parameters()))
    for own, other in zip(after_its_own, after_the_generators, strict=True):
        assert torch.equal(own, other)
    assert all(weight.requires_grad for weight in gan.discriminator.parameters())
