import math

import pytest
import torch
from torch import Tensor

from gan_core.gans.augment.adaptive import AdaptiveAugment, recolour, saturate, warp
from gan_core.gans.augment.matrices import (
    about_axis,
    flip,
    flip_along,
    rotate,
    scale_all,
    translate,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(probability: float) -> AdaptiveAugment:
    module = AdaptiveAugment()
    module.probability.fill_(probability)
    return module


def picture(count: int = 1, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=seeded(9)) * 2 - 1


def test_at_probability_0_images_pass_unchanged() -> None:
    images = picture(3)
    torch.testing.assert_close(augment(0)(images, seeded()), images, rtol=0, atol=2e-6)


@pytest.mark.parametrize("probability", [0.2, 0.8])
def test_the_share_of_images_left_alone_follows_the_probability(probability: float) -> None:
    images = picture(1).expand(3000, -1, -1, -1)
    module = augment(probability)
    geometry = module._geometry(3000, 16, seeded())
    moved = warp(images, geometry)
    unmoved = ((moved - images).abs().amax((1, 2, 3)) < 1e-4).float().mean().item()
    # Flips and quarter turns leave an image as it was half and a quarter of the times, and a whole
    # shift of at most 2 pixels one time in 32 (a rounding's ends are half as likely).
    p, turned = probability, 1 - (1 - (1 - probability) ** 0.5)
    still = (1 - p / 2) * (1 - 3 * p / 4) * (1 - p + p / 16) * (1 - p) ** 3 * turned**2
    assert unmoved == pytest.approx(still, abs=0.03)
    coloured = recolour(images, module._colour(3000, seeded()))
    same = ((coloured - images).abs().amax((1, 2, 3)) < 1e-4).float().mean().item()
    assert same == pytest.approx((1 - p) ** 4 * (1 - p / 2), abs=0.03)


def test_quarter_turns_flips_and_whole_shifts_are_exact() -> None:
    images = picture()
    quarter = warp(images, rotate(torch.tensor([math.pi / 2])))
    assert any(
        torch.allclose(quarter, torch.rot90(images, turns, (2, 3)), atol=1e-5) for turns in (1, 3)
    )
    mirrored = warp(images, flip(torch.tensor([True])))
    torch.testing.assert_close(mirrored, images.flip(3), rtol=0, atol=1e-5)
    shifted = warp(images, translate(torch.tensor([[2 * 2 / 16, 0.0]])))
    torch.testing.assert_close(shifted[..., :-2], images[..., 2:], rtol=0, atol=1e-5)
    torch.testing.assert_close(shifted[..., -2:], images[..., -2:].flip(3), rtol=0, atol=1e-5)


def test_colour_matrices_do_what_their_names_say() -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    third = recolour(red, about_axis(torch.tensor([2 * math.pi / 3])))
    torch.testing.assert_close(third.flatten(), torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)
    grey = torch.full((1, 3, 1, 1), 0.4)
    torch.testing.assert_close(recolour(grey, about_axis(torch.tensor([1.0]))), grey)
    torch.testing.assert_close(recolour(grey, flip_along(torch.tensor([True]))), -grey)
    torch.testing.assert_close(recolour(grey, scale_all(torch.tensor([2.0]), 4)), 2 * grey)
    colour = torch.tensor([0.5, 0.1, 0.0]).view(1, 3, 1, 1)
    faded = recolour(colour, saturate(torch.tensor([0.0])))
    torch.testing.assert_close(faded, torch.full_like(colour, 0.2))
    mirrored = recolour(colour, flip_along(torch.tensor([True])))
    assert mirrored.mean().item() == pytest.approx(-0.2)
    torch.testing.assert_close(mirrored - mirrored.mean(), colour - colour.mean())


def test_gradients_reach_the_images() -> None:
    images = picture(4).requires_grad_(True)
    augment(0.8)(images, seeded()).square().sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert (images.grad != 0).float().mean() > 0.5


def test_a_transformed_set_still_tells_which_way_its_images_look() -> None:
    """Even at the ceiling upright is likelier than turned, so that turning cannot leak.

    A quarter turn leaves 1 - p of the upright direction in the mean, a general rotation as much.
    """
    image = torch.zeros(1, 3, 8, 8)
    image[:, :, :4] = 1  # bright above, dark below
    geometry = augment(0.8)._geometry(20_000, 8, seeded())
    moved = warp(image.expand(20_000, -1, -1, -1), geometry).mean((0, 1))
    sides = [moved[:4], moved[4:], moved[:, :4], moved[:, 4:]]
    above, *others = [side.mean().item() for side in sides]
    assert above == pytest.approx(0.5 + 0.2 * 0.2 / 2, abs=0.01)
    assert above > max(others) + 0.01


def test_the_probability_rises_while_real_logits_are_surely_positive_and_falls_again() -> None:
    module = AdaptiveAugment(target=0.6, images_to_full=1000)
    for _ in range(10):
        module.adapt(torch.ones(10, 1))
    # The running mean is over .6 from the fourth batch: 1 - .75^4 = .68. Before that p stays at 0.
    assert module.probability.item() == pytest.approx(7 * 10 / 1000)
    for _ in range(500):
        module.adapt(torch.ones(10, 1))
    assert module.probability.item() == pytest.approx(0.8)
    for _ in range(500):
        module.adapt(torch.tensor([[1.0], [-1.0]] * 5))
    assert module.probability.item() == 0


def test_its_state_is_in_checkpoints_and_begins_anew_when_reset() -> None:
    module = augment(0.3)
    module.mean_sign.fill_(0.5)
    copy = AdaptiveAugment()
    copy.load_state_dict(module.state_dict())
    images = picture(4)
    assert torch.equal(copy(images, seeded(1)), module(images, seeded(1)))
    module.reset_parameters()
    assert (module.probability.item(), module.mean_sign.item()) == (0, 0)


def test_nothing_is_drawn_but_from_the_given_generator() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    images, module = picture(8), augment(0.5)
    assert torch.equal(module(images, seeded(1)), module(images, seeded(1)))
    assert not torch.equal(module(images, seeded(1)), module(images, seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)
