import pytest
import torch
from torch import nn
from torch.nn import functional

from gan_core.gans.pggan import PGGANSettings
from gan_core.gans.pggan_networks import Critic, Generator, Growth

SETTINGS = PGGANSettings(image_size=64, width=8, latent_dim=8)


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(SETTINGS)


def test_each_stage_gets_as_much_of_the_training_half_of_it_to_fade_in() -> None:
    growths = [Growth.at(fraction, 4) for fraction in (0, 0.1, 0.2, 0.25, 0.3, 0.39, 0.4, 0.95, 1)]
    assert [growth.stage for growth in growths] == [0, 0, 1, 1, 1, 1, 2, 4, 4]
    shares = [growth.share for growth in growths]
    assert shares[:2] == [1, 1]  # nothing to fade from
    assert 0 < shares[2] < 0.01
    assert shares[3] == pytest.approx(0.5)
    assert shares[4:6] == [1, 1]
    assert 0 < shares[6] < 0.01
    assert shares[7:] == [1, 1]


def test_with_all_channels_the_networks_are_those_of_table_2_at_the_siblings_width() -> None:
    with torch.device("meta"):
        settings = PGGANSettings(image_size=256)
        network, critic = Generator(settings), Critic(settings)
    assert [layer.weight.shape[1] for layer in network.to_image] == [256] * 4 + [128, 64, 32]
    assert network.project.weight.shape == (256 * 16, 128)
    assert network.first.weight.shape == (256, 256, 3, 3)
    assert [tuple(block[0].weight.shape[:2]) for block in network.blocks] == [
        (256, 256),
        (256, 256),
        (256, 256),
        (128, 256),
        (64, 128),
        (32, 64),
    ]
    assert critic.last.weight.shape == (256, 257, 3, 3)
    assert critic.hidden.weight.shape == (256, 256 * 16)


@pytest.mark.parametrize("stage", range(5))
def test_images_and_scores_have_the_stages_size(stage: int) -> None:
    network, critic = generator(), Critic(SETTINGS)
    for growth in (Growth(stage, 1.0), Growth(stage, 0.5 if stage else 1.0)):
        images = network.draw(torch.randn(2, 8), growth)
        assert images.shape == (2, 3, 4 * 2**stage, 4 * 2**stage)
        assert critic.judge(images, growth).shape == (2, 1)


def test_a_new_stage_begins_as_the_old_ones_image_repeated() -> None:
    network, noise = generator(), torch.randn(3, 8)
    old = network.draw(noise, Growth(2, 1.0))
    new = network.draw(noise, Growth(3, 1e-7))
    torch.testing.assert_close(
        new, functional.interpolate(old, scale_factor=2.0), rtol=0, atol=1e-5
    )
    half = network.draw(noise, Growth(3, 0.5))
    whole = network.draw(noise, Growth(3, 1.0))
    torch.testing.assert_close(half, (new + whole) / 2, rtol=0, atol=1e-4)


def test_a_new_stage_begins_with_the_old_ones_scores_of_the_halved_image() -> None:
    torch.manual_seed(0)
    critic, images = Critic(SETTINGS), torch.randn(3, 3, 32, 32)
    old = critic.judge(functional.avg_pool2d(images, 2), Growth(2, 1.0))
    torch.testing.assert_close(critic.judge(images, Growth(3, 1e-7)), old, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(critic.judge(images, Growth(3, 1.0)), old, atol=1e-3)


def test_images_have_the_full_size_at_every_stage_and_the_stage_is_in_the_state() -> None:
    network = generator()
    latents = {"noise": torch.randn(2, 8)}
    network.fraction = 0.3  # 8 pixels, faded in
    images = network(latents)
    assert images.shape == (2, 3, 64, 64)
    small = network.draw(latents["noise"], Growth(1, 1.0))
    assert torch.equal(images[:, :, ::8, ::8], small)
    assert torch.equal(images[:, :, 7::8, 7::8], small)
    other = Generator(SETTINGS)
    other.load_state_dict(network.state_dict())
    assert other.fraction == 0.3
    assert torch.equal(other(latents), images)
    other.apply(lambda module: getattr(module, "reset_parameters", lambda: None)())
    assert other.fraction == 0


def test_features_have_unit_length_in_every_pixel() -> None:
    network = generator()
    seen: list[torch.Tensor] = []
    network.to_image[2].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.draw(5 * torch.randn(2, 8), Growth(2, 1.0))
    mean_square = seen[0].square().mean(1)
    torch.testing.assert_close(mean_square, torch.ones_like(mean_square), rtol=1e-3, atol=1e-3)


def test_the_critics_activations_keep_their_size_through_all_stages() -> None:
    torch.manual_seed(0)
    critic = Critic(PGGANSettings(image_size=64, width=64, latent_dim=8))
    sizes: list[float] = []
    for block in critic.blocks:
        for convolution in block.children():
            assert isinstance(convolution, nn.Module)
            convolution.register_forward_hook(lambda _, __, out: sizes.append(out.std().item()))
    critic.judge(torch.randn(4, 3, 64, 64), Growth(4, 1.0))
    assert len(sizes) == 8
    assert 0.2 < min(sizes) < max(sizes) < 3
