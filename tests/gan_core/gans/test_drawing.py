"""What can be chosen when images are drawn: truncation, and InfoGAN's category and codes."""

from typing import Any

import numpy as np
import pytest
import torch

from gan_core.gans import registry
from gan_core.gans.base import Gan
from gan_core.generating import TrainedGenerator, generate
from gan_core.spec.errors import GraftError
from gan_core.training.ema import sampling_weights

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "latent_dim": 64},
    "fastgan": {"width": 3, "latent_dim": 64},
    "infogan": {"latent_dim": 64},
    "pggan": {"width": 8, "latent_dim": 64},
    "stylegan2": {"width": 8, "latent_dim": 64, "mapping_layers": 2},
}


def small(name: str, **settings: Any) -> Gan:
    torch.manual_seed(0)
    gan = registry.create(name, **{"image_size": 32, **SMALL[name], **settings})
    gan.initialise()
    gan.prepare_training(torch.device("cpu"), torch.float32)
    if name == "stylegan2":
        gan.generator.get_buffer("style_mean").normal_()
    return gan


def model_of(gan: Gan) -> TrainedGenerator:
    weights = sampling_weights(gan, None)
    return TrainedGenerator(gan.name, gan.settings_dict(), weights, "raw", 4, 3, "d")


def test_every_kind_is_tried_here() -> None:
    assert tuple(sorted(SMALL)) == registry.names()


@pytest.mark.parametrize("name", SMALL)
def test_where_nothing_is_chosen_the_settings_decide(name: str) -> None:
    gan = small(name)
    plain, unchosen = gan.latents_for([1, 2]), gan.latents_for([1, 2], truncation=None)
    assert plain.keys() == unchosen.keys()
    assert all(torch.equal(plain[key], unchosen[key]) for key in plain)
    assert "truncation" not in plain


@pytest.mark.parametrize("name", ["fastgan", "infogan", "pggan"])
def test_normal_noise_is_cut_off_and_keeps_its_order(name: str) -> None:
    gan = small(name, truncation=0.0) if name == "pggan" else small(name)
    free, cut = gan.latents_for(range(9)), gan.latents_for(range(9), truncation=0.5)
    assert cut["noise"].abs().max() <= 0.5 < free["noise"].abs().max()
    assert torch.equal(cut["noise"].flatten().argsort(), free["noise"].flatten().argsort())
    for key in free.keys() - {"noise"}:
        assert torch.equal(free[key], cut[key]), key
    assert torch.equal(gan.latents_for(range(9), truncation=0.0)["noise"], free["noise"])


def test_uniform_noise_is_drawn_from_a_narrower_range() -> None:
    gan = small("dcgan")
    free, cut = gan.latents_for(range(9)), gan.latents_for(range(9), truncation=0.5)
    assert torch.equal(cut["noise"], free["noise"] * 0.5)


def test_a_choice_wins_over_pggans_settings() -> None:
    gan = small("pggan", truncation=0.3)
    assert gan.latents_for(range(9))["noise"].abs().max() <= 0.3
    assert gan.latents_for(range(9), truncation=2.0)["noise"].abs().max() > 1


@pytest.mark.parametrize("settled", [1.0, 0.4])
def test_styles_are_drawn_toward_their_mean_by_the_choice_or_else_the_settings(
    settled: float,
) -> None:
    """What the settings say and what is chosen at last give the same images, bit for bit."""
    gan = small("stylegan2", truncation=settled)
    seeds = [3, 4, 5]
    plain = generate(model_of(gan), seeds)
    assert np.array_equal(generate(model_of(gan), seeds, truncation=settled), plain)
    chosen = generate(model_of(gan), seeds, truncation=0.7)
    assert np.array_equal(chosen, generate(model_of(small("stylegan2", truncation=0.7)), seeds))
    assert not np.array_equal(chosen, plain)


@pytest.mark.parametrize("name", SMALL)
def test_a_truncated_image_made_again_alone_is_the_same(name: str) -> None:
    model = model_of(small(name))
    together = generate(model, range(18), truncation=0.6)
    assert np.array_equal(generate(model, [17], truncation=0.6)[0], together[17])
    assert not np.array_equal(generate(model, [17])[0], together[17])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dcgan", 1.5),
        ("fastgan", -0.1),
        ("infogan", 11.0),
        ("pggan", float("nan")),
        ("stylegan2", 1.01),
        ("stylegan2", True),
    ],
)
def test_a_truncation_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(GraftError) as refused:
        generate(model_of(small(name)), [1], truncation=value)
    assert refused.value.code == "truncation_out_of_range"


def test_infogan_draws_a_chosen_category_and_codes_with_each_seeds_own_noise() -> None:
    gan = small("infogan")
    drawn = gan.latents_for(range(20))
    chosen = gan.latents_for(range(20), category=3, codes=[0.5, -1])
    assert torch.equal(chosen["noise"], drawn["noise"])
    assert chosen["category"].tolist() == [3] * 20
    assert chosen["codes"].tolist() == [[0.5, -1.0]] * 20
    one = gan.latents_for(range(20), category=0)
    assert torch.equal(one["codes"], drawn["codes"])
    assert one["category"].dtype == drawn["category"].dtype
    model = model_of(gan)
    assert not np.array_equal(
        generate(model, [1], category=0, codes=[1, 1]), generate(model, [1], category=1)
    )


@pytest.mark.parametrize(
    ("name", "chosen", "code"),
    [
        ("dcgan", {"category": 0}, "no_codes"),
        ("pggan", {"codes": [0.0]}, "no_codes"),
        ("infogan", {"category": 10}, "no_codes"),
        ("infogan", {"category": -1}, "no_codes"),
        ("infogan", {"codes": [0.0]}, "no_codes"),
        ("infogan", {"codes": [0.0, 1.1]}, "code_out_of_range"),
        ("infogan", {"codes": [0.0, float("nan")]}, "code_out_of_range"),
    ],
)
def test_what_a_model_has_not_cannot_be_chosen(
    name: str, chosen: dict[str, Any], code: str
) -> None:
    with pytest.raises(GraftError) as refused:
        generate(model_of(small(name)), [1], **chosen)
    assert refused.value.code == code
