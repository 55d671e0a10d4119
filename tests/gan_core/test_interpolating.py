"""The way from one image to another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.gans.base import seeded_generator
from gan_core.generating import TrainedGenerator, generate
from gan_core.interpolating import generate_between, latents_between, spherical
from gan_core.spec.errors import GraftError

NAMES = ("infogan", "dcgan", "fastgan", "pggan", "stylegan2")


def model_of(name: str) -> TrainedGenerator:
    torch.manual_seed(0)
    gan = registry.create(name, image_size=32)
    return TrainedGenerator(
        gan=name,
        settings=gan.settings_dict(),
        weights={n: value.clone() for n, value in gan.generator.state_dict().items()},
        weights_kind="raw",
        real_count=10,
        step=1,
        data_digest="abc",
    )


def between(model: TrainedGenerator, *args: int, **how: object) -> NDArray[np.uint8]:
    return np.concatenate(list(generate_between(model, *args, **how)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_the_way_begins_with_the_first_seeds_image_and_each_place_can_be_made_alone(
    name: str,
) -> None:
    model = model_of(name)
    images = between(model, 3, 8, 5)
    assert images.shape == (5, 32, 32, 3)
    assert np.array_equal(images[0], generate(model, [3])[0])
    assert np.array_equal(between(model, 3, 8, 5, positions=[2, 4]), images[[2, 4]])


def test_with_one_category_the_way_ends_with_the_last_seeds_image() -> None:
    model = model_of("infogan")
    images = between(model, 3, 8, 4, category=6, truncation=0.7)
    assert np.array_equal(images[-1], generate(model, [8], category=6, truncation=0.7)[0])


def test_noise_on_the_way_is_as_long_as_at_the_ends() -> None:
    first, last = torch.randn(2, 512, generator=seeded_generator(0))
    first, last = first / first.norm(), last / last.norm()
    for share in (0.0, 0.3, 0.5, 1.0):
        assert spherical(first, last, share).norm().item() == pytest.approx(1.0, abs=1e-6)
    assert torch.lerp(first, last, 0.5).norm() < 0.8
    assert torch.equal(spherical(first, last, 0.0), first)
    assert torch.equal(spherical(first, last, 1.0), last)


def test_between_equal_and_opposite_noise_nothing_is_divided_by_zero() -> None:
    noise = torch.ones(4)
    assert torch.equal(spherical(noise, noise, 0.5), noise)
    assert torch.equal(spherical(noise, -noise, 0.5), torch.zeros(4))
    assert torch.isfinite(spherical(torch.zeros(4), noise, 0.5)).all()


def test_what_cannot_be_between_stays_that_of_the_first() -> None:
    ends = {"noise": torch.eye(2), "category": torch.tensor([4, 9])}
    found = latents_between(ends, [0.0, 0.5, 1.0], is_round=True)
    assert found["category"].tolist() == [4, 4, 4]
    assert found["noise"][1].tolist() == pytest.approx([0.5**0.5] * 2)


def test_noise_from_a_box_stays_in_the_box() -> None:
    ends = {"noise": torch.tensor([[1.0, 0.0], [0.0, 1.0]])}
    assert latents_between(ends, [0.5], is_round=False)["noise"].tolist() == [[0.5, 0.5]]


def test_a_way_without_two_ends_is_refused() -> None:
    with pytest.raises(GraftError) as refused:
        generate_between(model_of("infogan"), 1, 2, 1)
    assert refused.value.code == "too_few_steps"
