"""What can be asked of a trained generator."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gan_core.spec import ImagesSpec
from gan_core.spec.images import drawing_of

WAY = {"from_seed": 1, "to_seed": 2, "steps": 5}


def test_sixteen_images_are_made_when_nothing_is_said() -> None:
    spec = ImagesSpec()
    assert (spec.total(), spec.first_seed, spec.is_small()) == (16, 0, True)


@pytest.mark.parametrize(
    ("asked", "total"), [({"count": 3}, 3), ({"seeds": [4, 9]}, 2), ({"interpolate": WAY}, 5)]
)
def test_images_are_counted_whichever_way_they_are_asked_for(
    asked: dict[str, Any], total: int
) -> None:
    assert ImagesSpec.model_validate(asked).total() == total


@pytest.mark.parametrize(
    "asked",
    [
        {"count": 2, "seeds": [1]},
        {"seeds": [1], "interpolate": WAY},
        {"seeds": [1], "first_seed": 3},
        {"seeds": []},
        {"seeds": [1, 1]},
        {"seeds": [-1]},
        {"seeds": [2**32]},
        {"seeds": list(range(10_001))},
        {"count": 0},
        {"count": 2, "first_seed": 2**32 - 1},
        {"interpolate": {"from_seed": 1, "to_seed": 1}},
        {"interpolate": WAY | {"steps": 1}},
        {"truncation": 0.0},
        {"truncation": 1.1},
        {"codes": [0.0, 1.5]},
        {"codes": [float("nan")]},
        {"category": -1},
        {"upscale": {"size": 9}},
        {"typo": 1},
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ImagesSpec.model_validate(asked)


def test_the_last_seeds_can_be_asked_for() -> None:
    assert ImagesSpec(count=2, first_seed=2**32 - 2).total() == 2


@pytest.mark.parametrize(
    ("asked", "is_small"),
    [
        ({"count": 64}, True),
        ({"count": 65}, False),
        ({"count": 4, "upscale": {"engine": "lanczos"}}, True),
        ({"count": 4, "upscale": {"engine": "realesrgan"}}, False),
    ],
)
def test_only_what_is_soon_done_counts_as_small(asked: dict[str, Any], is_small: bool) -> None:
    assert ImagesSpec.model_validate(asked).is_small() is is_small


def test_only_what_was_chosen_says_how_images_are_drawn() -> None:
    spec = ImagesSpec(truncation=0.5, codes=[0.0, -1.0])
    assert drawing_of(spec.model_dump()) == {"truncation": 0.5, "codes": [0.0, -1.0]}
    assert drawing_of(ImagesSpec().model_dump()) == {}
