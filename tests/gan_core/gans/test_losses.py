import math

import pytest
import torch
from torch import Tensor, nn

from gan_core.gans.losses import (
    ADVERSARIAL_LOSSES,
    gradient_penalty,
    rising_gamma,
    squared_gradient,
    wasserstein_discriminator,
    wasserstein_generator,
)

REAL, FAKE = torch.tensor([[0.5], [2.0]]), torch.tensor([[-2.0], [1.0]])


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        (
            "non-saturating",
            (softplus(-0.5) + softplus(-2) + softplus(-2) + softplus(1)) / 2,
            (softplus(2) + softplus(-1)) / 2,
        ),
        ("least-squares", ((0.25 + 1) / 2 + (4 + 1) / 2) / 2, (9 + 0) / 2 / 2),
        ("hinge", (0.5 + 0) / 2 + (0 + 2) / 2, 0.5),
        (
            "relativistic",
            (softplus(-2.5) + softplus(-1)) / 2,
            (softplus(2.5) + softplus(1)) / 2,
        ),
    ],
)
def test_each_loss_equals_a_value_worked_by_hand(
    name: str, discriminator: float, generator: float
) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, rel=1e-6)
    assert loss.generator(REAL, FAKE).item() == pytest.approx(generator, rel=1e-6)


def test_the_wasserstein_losses_equal_values_worked_by_hand() -> None:
    assert wasserstein_discriminator(REAL, FAKE).item() == pytest.approx(-0.5 - 1.25)
    assert wasserstein_generator(None, FAKE).item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_only_the_paired_loss_of_the_generator_reads_real_logits(name: str) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    if loss.is_paired:
        with pytest.raises(ValueError, match="compares fakes with reals"):
            loss.generator(None, FAKE)
    else:
        assert torch.equal(loss.generator(None, FAKE), loss.generator(REAL, FAKE))


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_losses_of_bfloat16_logits_are_computed_in_float32(name: str) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    rounded = loss.discriminator(REAL.bfloat16(), FAKE.bfloat16())
    assert rounded.dtype is torch.float32
    assert torch.equal(rounded, loss.discriminator(REAL, FAKE))  # these logits are exact in both


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_descending_drives_the_two_sides_apart(name: str) -> None:
    real, fake = torch.zeros(3, 1, requires_grad=True), torch.zeros(3, 1, requires_grad=True)
    loss = ADVERSARIAL_LOSSES[name]
    up, down = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    assert (up < 0).all()  # more for reals, and more for fakes (or, at its target of 0, rest)
    assert (down >= 0).all()
    (wanted,) = torch.autograd.grad(loss.generator(real.detach(), fake), fake)
    assert (wanted < 0).all()


def quadratic(images: Tensor) -> Tensor:
    return images.square().sum((1, 2, 3)) / 2  # its gradient is the image itself


def test_the_penalties_equal_values_worked_by_hand() -> None:
    images = torch.zeros(2, 3, 2, 2)
    images[0, 0, 0, 0], images[1, 1] = 3.0, 1.0
    assert squared_gradient(quadratic, images).item() == pytest.approx((9 + 4) / 2)
    same = gradient_penalty(quadratic, images, images, torch.Generator().manual_seed(0))
    assert same.item() == pytest.approx(((3 - 1) ** 2 + (2 - 1) ** 2) / 2, rel=1e-5)


def test_many_logits_of_one_image_count_as_their_mean() -> None:
    images = torch.randn(2, 3, 4, 4)
    one = squared_gradient(quadratic, images)
    patches = squared_gradient(
        lambda seen: quadratic(seen).view(-1, 1, 1, 1).expand(-1, 1, 5, 5), images
    )
    torch.testing.assert_close(patches, one)


def test_the_mixing_point_is_the_given_generators_and_one_an_image() -> None:
    real, fake = torch.zeros(4, 3, 2, 2), torch.ones(4, 3, 2, 2)
    seen: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.sum((1, 2, 3))

    for seed in (1, 1, 2):
        gradient_penalty(critic, real, fake, torch.Generator().manual_seed(seed))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert (seen[0] == seen[0][:, :1, :1, :1]).all()
    assert seen[0].unique().numel() == 4
    assert ((seen[0] > 0) & (seen[0] < 1)).all()


def critic_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, 1),
    )


def penalty(name: str, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    if name == "squared_gradient":
        return squared_gradient(network, real)
    return gradient_penalty(network, real, fake, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", ["squared_gradient", "gradient_penalty"])
def test_a_penaltys_weight_gradients_equal_finite_differences_in_float64(name: str) -> None:
    network = critic_network().double()
    real, fake = torch.randn(2, 3, 8, 8).double(), torch.randn(2, 3, 8, 8).double()
    network.zero_grad()
    penalty(name, network, real, fake).backward()  # type: ignore[no-untyped-call]
    for layer in (0, 2, 5):
        weight = network[layer].weight
        for index in (0, weight.numel() // 2, weight.numel() - 1):
            flat, step = weight.detach().view(-1), 1e-5
            before = flat[index].item()
            around = []
            for moved in (before + step, before - step):
                flat[index] = moved
                around.append(penalty(name, network, real, fake).item())
            flat[index] = before
            slope = (around[0] - around[1]) / (2 * step)
            assert weight.grad is not None
            assert weight.grad.view(-1)[index].item() == pytest.approx(slope, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("name", ["squared_gradient", "gradient_penalty"])
def test_a_penaltys_float32_gradients_agree_with_float64_even_under_autocast(name: str) -> None:
    network, exact = critic_network(), critic_network().double()
    real, fake = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = penalty(name, network, real, fake)
    loss.backward()  # type: ignore[no-untyped-call]
    penalty(name, exact, real.double(), fake.double()).backward()  # type: ignore[no-untyped-call]
    for weight, wanted in zip(network.parameters(), exact.parameters(), strict=True):
        if wanted.grad is None:  # the last bias moves no gradient
            continue
        torch.testing.assert_close(weight.grad, wanted.grad.float(), rtol=1e-4, atol=1e-6)


def test_a_dead_critic_has_a_finite_penalty_with_finite_gradients() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    nn.init.zeros_(network[1].weight)
    images = torch.randn(2, 3, 2, 2)
    loss = gradient_penalty(network, images, images, torch.Generator().manual_seed(0))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(network[1].weight.grad).all()


def test_gamma_rises_from_its_start_to_its_end_and_no_further() -> None:
    values = [rising_gamma(fraction, 5, 40) for fraction in (0, 0.25, 0.5, 0.75, 1, 2)]
    assert values[0] == pytest.approx(5)
    assert values[2] == pytest.approx(22.5)
    assert values[4:] == [pytest.approx(40)] * 2
    assert values[:5] == sorted(values[:5])
