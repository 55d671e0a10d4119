import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_core.gans.losses import squared_gradient
from gan_core.gans.stylegan2 import PathLengths, StyleGAN2, StyleGAN2Settings


def prepared(**settings: Any) -> StyleGAN2:
    torch.manual_seed(0)
    small = {"image_size": 32, "width": 8, "latent_dim": 8, "mapping_layers": 2}
    gan = StyleGAN2(StyleGAN2Settings(**{**small, **settings}))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    return gan


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def real() -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=seeded(5)) * 2 - 1


def test_penalties_come_every_few_steps_and_first_of_all() -> None:
    gan = prepared(r1_every=3, path_every=2)
    steps = [gan.step(real(), seeded(number), 0.0) for number in range(5)]
    assert [bool(losses["r1"] > 0) for losses in steps] == [True, False, False, True, False]
    assert [bool(losses["path"] > 0) for losses in steps] == [True, False, True, False, True]


def test_without_their_weights_penalties_never_come() -> None:
    gan = prepared(r1_gamma=0.0, path_weight=0.0)
    losses = gan.step(real(), seeded(), 0.0)
    assert (losses["r1"].item(), losses["path"].item()) == (0, 0)
    for optimizer in gan.optimizers.values():
        assert optimizer.param_groups[0]["lr"] == 2.5e-3


def test_adam_is_slowed_for_the_steps_that_only_regularise() -> None:
    gan = prepared(betas=(0.5, 0.99), learning_rate=0.01, r1_every=16, path_every=4)
    for name, share in (("generator", 4 / 5), ("discriminator", 16 / 17)):
        (group,) = gan.optimizers[name].param_groups
        assert group["lr"] == pytest.approx(0.01 * share)
        assert group["betas"] == pytest.approx((0.5**share, 0.99**share))


@pytest.mark.parametrize("gamma", [None, 3.0])
def test_r1_is_weighted_by_half_of_gamma_and_the_steps_between(gamma: float | None) -> None:
    gan = prepared(augment="none", r1_gamma=gamma, r1_every=16)
    descended: dict[str, list[Tensor]] = {"generator": [], "discriminator": []}
    gan._descend = lambda name, loss: descended[name].append(loss.detach())  # type: ignore[method-assign]
    gan.step(real(), seeded(), 0.0)
    weight = 0.0002 * 32**2 / 4 if gamma is None else gamma
    r1 = squared_gradient(gan.discriminator, real())
    wanted = (weight / 2 * 16 * r1).item()
    assert descended["discriminator"][1].item() == pytest.approx(wanted, rel=1e-5)


def test_mixed_images_change_their_style_at_one_layer() -> None:
    gan = prepared(mixing=1.0)
    styles, key = gan.mixed_styles(200, seeded())
    assert styles.shape == (200, gan.generator.layers, 8)
    assert key.unique().numel() == 200
    changes = (styles[:, 1:] != styles[:, :-1]).any(2)
    assert changes.sum(1).tolist() == [1] * 200
    assert changes.any(0).all()  # at every layer there is
    unmixed, _ = prepared(mixing=0.0).mixed_styles(50, seeded())
    assert torch.equal(unmixed, unmixed[:, :1].expand_as(unmixed))
    half, _ = prepared(mixing=0.5).mixed_styles(400, seeded())
    assert (half[:, :1] != half[:, -1:]).any(2).float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_the_mean_style_follows_the_styles() -> None:
    gan = prepared()
    many = gan.generator.style(torch.randn(4000, 8)).mean(0)
    for number in range(600):
        gan.mixed_styles(32, seeded(number))
    torch.testing.assert_close(gan.generator.style_mean, many, atol=0.08, rtol=0)
    assert many.norm() > 0.3  # it is not 0 by itself


def test_path_lengths_equal_those_of_a_linear_generator_worked_by_hand() -> None:
    """With pixels A w the gradient along a direction y is A^T y, whatever the style."""
    gan = prepared()
    weights = torch.zeros(3 * 32 * 32, 8)
    weights[0, 0], weights[1, 1] = 3.0, 4.0
    gan.generator.synthesise = lambda styles, _: (  # type: ignore[method-assign]
        (styles.sum(1) @ weights.t()).view(-1, 3, 32, 32)
    )
    lengths = gan.path_lengths(2000, seeded())
    # Every layer has the same gradient, so the mean over layers changes nothing. Its two parts are
    # normal with deviations 3 / 32 and 4 / 32: the mean square is 25 / 32^2.
    assert lengths.square().mean().sqrt().item() == pytest.approx(5 / 32, rel=0.05)


def test_the_path_penalty_is_the_squared_distance_from_a_running_mean() -> None:
    paths = PathLengths()
    penalty = paths.penalty(torch.tensor([1.0, 3.0]))
    assert paths.mean.item() == pytest.approx(0.02)
    assert penalty.item() == pytest.approx((0.98**2 + 2.98**2) / 2)
    for _ in range(1500):
        paths.penalty(torch.tensor([2.0, 2.0]))
    assert paths.mean.item() == pytest.approx(2, abs=1e-3)


def test_the_path_penaltys_gradient_equals_finite_differences_in_float64() -> None:
    torch.manual_seed(0)
    settings = StyleGAN2Settings(image_size=32, width=8, latent_dim=8, mapping_layers=2)
    generator = StyleGAN2(settings).generator.double()
    styles = generator.style(torch.randn(2, 8, dtype=torch.float64)).detach()
    styles = styles[:, None].repeat(1, generator.layers, 1).requires_grad_(True)
    direction = torch.randn(2, 3, 32, 32, dtype=torch.float64)

    def penalty() -> Tensor:
        images = generator.synthesise(styles, torch.arange(2))
        (gradient,) = torch.autograd.grad(
            (images * direction).sum() / 32, styles, create_graph=True
        )
        return (gradient.square().sum(2).mean(1).sqrt() - 1).square().mean()

    for weight in (generator.convolutions[1].convolution.weight, generator.constant):
        (found,) = torch.autograd.grad(penalty(), weight)
        for index in (0, weight.numel() // 2):
            flat = weight.detach().view(-1)
            before, around = flat[index].item(), []
            for step in (1e-5, -1e-5):
                flat[index] = before + step
                around.append(penalty().item())
            flat[index] = before
            slope = (around[0] - around[1]) / 2e-5
            assert found.reshape(-1)[index].item() == pytest.approx(slope, rel=2e-3, abs=1e-7)


def test_latents_are_normal_with_a_key_an_image() -> None:
    latents = prepared().random_latents(2000, seeded())
    assert latents["noise"].shape == (2000, 8)
    assert latents["noise"].std().item() == pytest.approx(1, abs=0.02)
    assert latents["key"].unique().numel() == 2000
    assert math.log2(latents["key"].max().item()) > 60
