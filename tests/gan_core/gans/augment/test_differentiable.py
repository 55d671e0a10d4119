from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_core.gans.augment.differentiable import DiffAugment, cutout, jitter_colour, translate

Operation = Callable[[Tensor, torch.Generator], Tensor]
OPERATIONS: list[Operation] = [jitter_colour, translate, cutout]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_twice_differentiable(operation: Operation) -> None:
    images = torch.rand(2, 3, 8, 8, generator=seeded(), dtype=torch.float64, requires_grad=True)

    def fixed(images: Tensor) -> Tensor:
        return operation(images, seeded(1)).sin()  # something with a second derivative

    assert torch.autograd.gradcheck(fixed, (images,), fast_mode=True)
    assert torch.autograd.gradgradcheck(fixed, (images,), fast_mode=True)


@pytest.mark.parametrize("operation", [*OPERATIONS, DiffAugment()])
def test_the_same_random_state_gives_the_same_images_and_another_gives_others(
    operation: Operation,
) -> None:
    images = torch.rand(4, 3, 16, 16, generator=seeded())
    kept = images.clone()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert torch.equal(operation(images, seeded(1)), operation(images, seeded(1)))
    assert not torch.equal(operation(images, seeded(1)), operation(images, seeded(2)))
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), before)  # nothing is drawn from elsewhere


def test_images_of_a_batch_are_changed_each_in_its_own_way() -> None:
    image = torch.rand(1, 3, 16, 16, generator=seeded())
    augmented = DiffAugment()(image.expand(8, -1, -1, -1), seeded())
    assert augmented.flatten(1).unique(dim=0).shape[0] == 8
    assert augmented.is_contiguous(memory_format=torch.channels_last)


def test_brightness_saturation_and_contrast_have_the_papers_ranges() -> None:
    # Mean .1; the upper half redder than grey by .3, the lower half less red.
    image = torch.full((1, 3, 2, 1), 0.1)
    image[0, 0] += torch.tensor([[0.3], [-0.3]])
    changed = jitter_colour(image.expand(20_000, -1, -1, -1), seeded())
    means = changed.mean((1, 2, 3)) - 0.1
    assert means.min() >= -0.5001
    assert means.max() <= 0.5001
    assert means.std().item() == pytest.approx(1 / 12**0.5, rel=0.02)
    # Grey halves (0.2 and 0.0) lie .2 apart: contrast alone changes that.
    grey = changed.mean(1)
    contrast = (grey[:, 0, 0] - grey[:, 1, 0]) / 0.2
    assert contrast.min().item() == pytest.approx(0.5, abs=0.01)
    assert contrast.max().item() == pytest.approx(1.5, abs=0.01)
    # Red stands .2 above grey in the upper half: saturation times contrast.
    saturation = (changed[:, 0, 0, 0] - grey[:, 0, 0]) / 0.2 / contrast
    assert saturation.min().item() == pytest.approx(0, abs=0.01)
    assert saturation.max().item() == pytest.approx(2, abs=0.01)
    assert saturation.mean().item() == pytest.approx(1, abs=0.02)


def test_translation_shifts_by_every_amount_up_to_an_eighth_alike() -> None:
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 8, 8] = 1
    moved = translate(image.expand(5000, -1, -1, -1), seeded())
    assert moved.sum().item() == 5000  # shifted, never lost at this place
    _, _, rows, columns = moved.nonzero(as_tuple=True)
    for places in (rows, columns):
        counts = (places - 6).bincount(minlength=5)
        assert counts.shape == (5,)
        assert counts.min() > 900


def test_what_translation_brings_in_is_grey() -> None:
    moved = translate(torch.ones(200, 1, 16, 16), seeded())
    assert moved.unique().tolist() == [0, 1]
    filled = moved.sum((1, 2, 3))
    assert filled.max() == 256
    assert filled.min() == 14 * 14


def test_the_hole_covers_a_quarter_of_the_image_and_less_at_the_edge() -> None:
    cut = cutout(torch.ones(4000, 1, 16, 16), seeded())
    holes = (cut == 0).float()
    assert holes.sum((1, 2, 3)).max() == 64
    assert holes.sum((1, 2, 3)).min() == 16  # centred in a corner
    often = holes.mean((0, 1))
    assert often[8, 8].item() == pytest.approx(0.25, abs=0.03)
    assert (often > 0.04).all()  # no place is always shown
    assert (often < 0.35).all()  # and none is always hidden
