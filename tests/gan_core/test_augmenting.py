"""Classic augmentation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as reference

from gan_core.augmenting import (
    LEAST_AREA,
    Augmentation,
    augmented,
    augmented_uint8,
    drawn,
    transformed,
)


def pictures(count: int, side: int = 24, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def nothing(count: int) -> Augmentation:
    one, zero = torch.ones(count), torch.zeros(count)
    return Augmentation(
        flips=torch.zeros(count, dtype=torch.bool),
        turns=torch.zeros(count, dtype=torch.int64),
        side=one,
        left=zero,
        top=zero,
        brightness=one,
        contrast=one,
        saturation=one,
        hue=zero,
    )


def test_where_nothing_is_drawn_nothing_happens() -> None:
    x = pictures(3)
    torch.testing.assert_close(transformed(x, nothing(3)), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("is_flipped", [False, True])
def test_flips_and_quarter_turns_move_pixels_and_change_none(turns: int, is_flipped: bool) -> None:
    x = pictures(2)
    how = replace(nothing(2), flips=torch.tensor([is_flipped] * 2), turns=torch.tensor([turns] * 2))
    expected = torch.rot90(x.flip(3) if is_flipped else x, turns, (2, 3))
    torch.testing.assert_close(transformed(x, how), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])
def test_a_crop_is_that_part_of_the_picture_enlarged(left: float, top: float) -> None:
    x = pictures(1, side=20)
    how = replace(
        nothing(1),
        side=torch.tensor([0.8]),
        left=torch.tensor([left]),
        top=torch.tensor([top]),
    )
    x0, y0 = round(4 * left), round(4 * top)
    crop = x[:, :, y0 : y0 + 16, x0 : x0 + 16]
    expected = torch.nn.functional.interpolate(crop, (20, 20), mode="bilinear")
    # At the rim interpolate repeats the crop's last pixel, where the picture itself goes on.
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(transformed(x, how)[inner], expected[inner], atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("what", ["brightness", "contrast", "saturation"])
def test_colours_change_as_torchvision_changes_them(what: str, factor: float) -> None:
    # Of one grey level every four pixels, and away from the ends of the scale.
    x = (pictures(1, side=8) * 0.3).repeat_interleave(4, 2).repeat_interleave(4, 3)
    how = replace(nothing(1), **{what: torch.tensor([factor])})
    change = getattr(reference, f"adjust_{what}")
    expected = change((x + 1) / 2, factor) * 2 - 1
    torch.testing.assert_close(transformed(x, how), expected, atol=2e-3, rtol=0)
    assert (expected - x).abs().max() > 0.02


def test_the_hue_turns_and_greys_stay() -> None:
    colours = torch.tensor([[1.0, -1, -1], [0.2, 0.2, 0.2]])  # pure red, a grey
    x = colours[:, :, None, None].expand(2, 3, 4, 4)
    how = replace(nothing(2), hue=torch.full((2,), 2 * torch.pi / 3))
    found = transformed(x, how)[:, :, 0, 0]
    expected = torch.tensor([[-1.0, 1, -1], [0.2, 0.2, 0.2]])  # a third of the circle on: green
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_an_image_is_augmented_alike_in_any_batch_and_place() -> None:
    x, seeds = pictures(7, side=30), torch.arange(7) * 1000 - 3
    together = augmented(x, seeds)
    order = torch.tensor([4, 2, 6, 0, 1, 5, 3])
    assert torch.equal(augmented(x[order], seeds[order]), together[order])
    assert torch.equal(augmented(x[3:4], seeds[3:4]), together[3:4])
    assert torch.equal(augmented(x.contiguous(memory_format=torch.channels_last), seeds), together)


def test_torchs_generator_is_neither_read_nor_moved() -> None:
    x, seeds = pictures(2), torch.tensor([5, 6])
    torch.manual_seed(0)
    first, state = augmented(x, seeds), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(augmented(x, seeds), first)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_fill_their_ranges_evenly_and_do_not_hang_together() -> None:
    how = drawn(torch.arange(20_000))
    assert torch.bincount(how.turns).float().div(20_000).sub(0.25).abs().max() < 0.02
    assert abs(how.flips.float().mean() - 0.5) < 0.02
    columns = torch.stack(
        [
            how.side.square().sub(LEAST_AREA).div(1 - LEAST_AREA),
            how.left,
            how.top,
            *((value - 0.8) / 0.4 for value in (how.brightness, how.contrast, how.saturation)),
            how.hue / (4 * torch.pi * 0.05) + 0.5,
        ]
    )
    assert columns.min() >= -1e-5
    assert columns.max() <= 1 + 1e-5
    for column in columns:
        assert torch.histc(column, 10, 0, 1).div(2000).sub(1).abs().max() < 0.12
    both = torch.cat([columns, how.flips[None].float(), how.turns[None].float()])
    assert (torch.corrcoef(both) - torch.eye(len(both))).abs().max() < 0.03
    # Nor do those of a seed and the next.
    for column in both:
        assert torch.corrcoef(torch.stack([column[1:], column[:-1]]))[0, 1].abs() < 0.03


def test_seeds_may_be_of_any_size_and_differ_in_any_bit() -> None:
    seeds = torch.tensor([0, 1, 2**32, -1, 2**63 - 1, -(2**63)])
    assert len(drawn(seeds).left.unique()) == len(seeds)


def test_the_same_seeds_draw_the_same_parameters_for_ever() -> None:
    # Stored features of augmented images depend on it; by SplitMix64 in whole numbers of Python.
    def mixed(value: int) -> int:
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
        return value ^ (value >> 31)

    golden, seed = 0x9E3779B97F4A7C15, 12345
    base = mixed(seed + golden)
    draws = [(mixed((base + k * golden) % 2**64) >> 40) / 2**24 for k in range(1, 10)]
    how = drawn(torch.tensor([seed]))
    assert float(how.left) == draws[3]
    assert float(how.top) == draws[4]
    assert int(how.turns) == int(draws[1] * 4)


def test_bfloat16_images_are_computed_in_float32() -> None:
    x, seeds = pictures(3, side=64), torch.tensor([1, 2, 3])
    found = augmented(x.bfloat16(), seeds)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, augmented(x.bfloat16().float(), seeds).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augmented(x, seeds), augmented(x, seeds).float())
        within = augmented(x, seeds)
    assert torch.equal(within, augmented(x, seeds))


def test_stored_images_are_augmented_as_tensors_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), np.uint8)
    images.flags.writeable = False
    seeds = np.arange(70) * 7
    found = augmented_uint8(images, seeds)
    assert found.dtype == np.uint8
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
    expected = ((augmented(x, torch.from_numpy(seeds)) + 1) * 127.5).round()
    assert np.array_equal(found, expected.permute(0, 2, 3, 1).numpy())
    assert augmented_uint8(images[:0], seeds[:0]).shape == (0, 16, 16, 3)


def test_images_and_seeds_must_fit_each_other() -> None:
    with pytest.raises(ValueError, match="seed"):
        augmented(pictures(2), torch.arange(3))
    with pytest.raises(ValueError, match="seed"):
        augmented(torch.zeros(2, 3, 4, 5), torch.arange(2))
    with pytest.raises(ValueError, match="as many seeds"):
        augmented_uint8(np.zeros((2, 4, 4, 3), np.uint8), np.arange(1))


@pytest.mark.gpu
def test_a_gpu_draws_the_same_and_computes_nearly_the_same() -> None:
    x, seeds = pictures(4, side=56), torch.arange(4)
    on_gpu = augmented(x.cuda(), seeds)
    torch.testing.assert_close(on_gpu.cpu(), augmented(x, seeds), atol=1e-4, rtol=0)
    assert torch.equal(augmented(x[2:3].cuda(), seeds[2:3]), on_gpu[2:3])
