import math
from typing import Any

import pytest

from gan_core.gans import registry
from gan_core.gans.checks import SIZES, doublings, first_size
from gan_core.spec.errors import GraftError


def test_every_size_is_so_many_doublings_of_its_first() -> None:
    for size in SIZES:
        assert first_size(size) * 2 ** doublings(size) == size
    assert [(first_size(size), doublings(size)) for size in (64, 112, 224, 256)] == [
        (4, 4),
        (7, 4),
        (7, 5),
        (4, 6),
    ]


OF_ALL: list[dict[str, Any]] = [
    {"latent_dim": 0},
    {"latent_dim": 1.5},
    {"latent_dim": True},
    {"width": 1},
    {"learning_rate": 0},
    {"learning_rate": math.nan},
    {"learning_rate": "fast"},
    {"betas": (0.5, 1.0)},
    {"betas": 0.5},
]
OF_ONE: list[tuple[str, dict[str, Any]]] = [
    *((name, {"loss": "wasserstein"}) for name in ("dcgan", "fastgan")),
    *((name, {"augment": "mixup"}) for name in ("dcgan", "fastgan", "stylegan2")),
    ("dcgan", {"gamma_start": -1}),
    ("fastgan", {"gamma_end": math.inf}),
    ("dcgan", {"penalty_every": 0}),
    ("stylegan2", {"mapping_layers": 0}),
    ("stylegan2", {"r1_gamma": -0.1}),
    ("stylegan2", {"r1_every": 0}),
    ("stylegan2", {"path_weight": -1}),
    ("stylegan2", {"path_every": 0}),
    ("stylegan2", {"mixing": 1.1}),
    ("stylegan2", {"truncation": 1.1}),
    ("pggan", {"penalty_weight": -1}),
    ("pggan", {"drift": -1}),
    ("pggan", {"batches": ()}),
    ("pggan", {"batches": 16}),
    ("pggan", {"batches": (16, 0)}),
    ("pggan", {"truncation": -0.1}),
]
KINDS = ("dcgan", "fastgan", "pggan", "stylegan2")


@pytest.mark.parametrize(
    ("name", "settings"), [*((name, wrong) for name in KINDS for wrong in OF_ALL), *OF_ONE]
)
def test_settings_out_of_range_are_refused_with_what_is_allowed(
    name: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(GraftError) as refused:
        registry.create(name, **settings)
    assert refused.value.code == "setting_out_of_range"
    assert next(iter(settings)) in refused.value.detail
    assert refused.value.hint.startswith("It must be ")


@pytest.mark.parametrize("size", [16, 48, 96, 100, 512, True, 64.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_size_that_no_doubling_leads_to_is_refused_and_the_others_named(
    name: str, size: object
) -> None:
    with pytest.raises(GraftError) as refused:
        registry.create(name, image_size=size)
    assert refused.value.code == "image_size_out_of_range"
    assert "112, 128, 224" in refused.value.hint
