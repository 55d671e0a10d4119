import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_core.gans.noise import keyed_normal
from gan_core.gans.stylegan2 import StyleGAN2Settings
from gan_core.gans.stylegan2_networks import (
    Discriminator,
    Generator,
    ModulatedConv2d,
    ResidualBlock,
    StyledConv2d,
    blur,
)

SETTINGS = StyleGAN2Settings(image_size=32, width=8, latent_dim=8, mapping_layers=2)


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(SETTINGS)


def latents(count: int = 3) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {"noise": torch.randn(count, 8, generator=random), "key": torch.arange(count)}


def modulated_as_in_the_paper(layer: ModulatedConv2d, features: Tensor, style: Tensor) -> Tensor:
    """Equations 1 and 3 as written: a kernel for each image, in float64."""
    made = []
    for feature, scales in zip(features, layer.to_scales(style), strict=True):
        kernel = layer.weight * layer.scale * scales[None, :, None, None]
        if layer.demodulates:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if layer.upsamples:
            spread = feature.new_zeros(len(feature), 2 * feature.shape[1], 2 * feature.shape[2])
            spread[:, ::2, ::2] = feature
            grown = functional.conv2d(
                functional.pad(spread[None], (2, 2, 2, 2)), kernel.flip(2, 3)
            )[..., :-1, :-1]  # full, without the row that belongs to no pixel
            taps = torch.tensor([1.0, 3, 3, 1], dtype=feature.dtype) / 4
            filtered = functional.conv2d(
                functional.pad(grown, (1, 1, 1, 1)).transpose(0, 1),
                torch.outer(taps, taps)[None, None],
            )
            made.append(filtered.transpose(0, 1)[0])
        else:
            padding = kernel.shape[-1] // 2
            made.append(functional.conv2d(feature[None], kernel, padding=padding)[0])
    return torch.stack(made)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulates", [True, False])
def test_a_modulated_convolution_equals_one_with_a_kernel_for_each_image(
    kernel: int, demodulates: bool
) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, kernel, 5, demodulates=demodulates).double()
    features, style = torch.randn(3, 4, 7, 7).double(), torch.randn(3, 5).double()
    wanted = modulated_as_in_the_paper(layer, features, style)
    torch.testing.assert_close(layer(features, style), wanted, rtol=1e-6, atol=1e-8)


def test_an_upsampling_one_spreads_the_pixels_convolves_and_filters() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, 5, upsamples=True).double()
    features, style = torch.randn(2, 4, 5, 5).double(), torch.randn(2, 5).double()
    wanted = modulated_as_in_the_paper(layer, features, style)
    found = layer(features, style)
    assert found.shape == wanted.shape == (2, 6, 10, 10)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)


def test_demodulation_makes_the_output_independent_of_the_styles_strength() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, 5)
    nn.init.zeros_(layer.to_scales.bias)
    features, style = torch.randn(2, 4, 7, 7), torch.randn(2, 5)
    torch.testing.assert_close(
        layer(features, style), layer(features, 3 * style), rtol=1e-4, atol=1e-4
    )


def test_its_first_and_second_gradients_are_right() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(2, 2, 3, 3, upsamples=True).double()
    features = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    style = torch.randn(1, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (features, style))
    assert torch.autograd.gradgradcheck(layer, (features, style), fast_mode=True)


@pytest.mark.parametrize("padding", [1, 2])
def test_the_filter_is_1_3_3_1_along_both_sides(padding: int) -> None:
    images = torch.randn(2, 3, 8, 8).double()
    taps = torch.tensor([1.0, 3, 3, 1]).double() / 8
    plain = functional.conv2d(
        functional.pad(images, (padding,) * 4).flatten(0, 1)[:, None],
        torch.outer(taps, taps)[None, None],
    )
    torch.testing.assert_close(blur(images, padding).flatten(0, 1)[:, None], plain)


def test_a_flat_image_stays_flat_when_the_image_is_doubled() -> None:
    small = torch.full((1, 3, 4, 4), 0.3)
    doubled = functional.interpolate(small, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(doubled, torch.full((1, 3, 8, 8), 0.3))


def test_truncation_pulls_styles_to_their_mean_in_eval_mode_alone() -> None:
    network = generator()
    network.style_mean.copy_(torch.linspace(-1, 1, 8))
    seen: list[Tensor] = []
    network.synthesise = lambda styles, _: seen.append(styles) or styles  # type: ignore[method-assign,func-returns-value]
    style = network.style(latents()["noise"])
    for truncation in (1.0, 0.5, 0.0):
        network.truncation = truncation
        network.eval()(latents())
        wanted = network.style_mean + truncation * (style - network.style_mean)
        torch.testing.assert_close(seen[-1], wanted[:, None].expand(-1, network.layers, -1))
        network.train()(latents())
        torch.testing.assert_close(seen[-1][:, 0], style)


def test_without_truncation_left_all_images_are_one_but_for_their_noise() -> None:
    network = generator().eval()
    network.truncation = 0.0
    given = latents()
    with torch.no_grad():
        images = network(given)
        torch.testing.assert_close(images[0], images[1])
        for layer in network.convolutions:
            layer.noise_strength.fill_(0.5)
        images = network(given)
    assert not torch.allclose(images[0], images[1], atol=1e-3)


def test_each_layers_style_and_the_key_change_the_image() -> None:
    network = generator()
    with torch.no_grad():
        for layer in network.convolutions:
            layer.noise_strength.fill_(0.5)
        styles = torch.randn(1, network.layers, 8)
        before = network.synthesise(styles, torch.tensor([1]))
        assert before.shape == (1, 3, 32, 32)
        for layer in range(network.layers):
            changed = styles.clone()
            changed[:, layer] += 1
            assert not torch.allclose(network.synthesise(changed, torch.tensor([1])), before), layer
        assert not torch.allclose(network.synthesise(styles, torch.tensor([2])), before)


def test_images_of_a_batch_do_not_look_at_each_other() -> None:
    network = generator().eval()
    given = latents()
    with torch.no_grad():
        together = network(given)
        alone = network({name: value[1:2] for name, value in given.items()})
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_fresh_networks_make_images_and_features_of_about_unit_size() -> None:
    torch.manual_seed(0)
    settings = StyleGAN2Settings(image_size=64, width=64, latent_dim=64, mapping_layers=8)
    network, judge = Generator(settings), Discriminator(settings)
    noise = torch.randn(8, 64)
    with torch.no_grad():
        style = network.style(noise)
        images = network({"noise": noise, "key": torch.arange(8)})
        logits = judge(torch.randn(8, 3, 64, 64))
    assert 0.5 < style.std().item() < 2
    assert 0.5 < images.std().item() < 4
    assert logits.abs().max().item() < 10


def as_in_the_paper(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, 0.2) * math.sqrt(2)


def test_a_residual_block_adds_its_two_ways_and_divides_by_the_root_of_two() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, 6).double()
    nn.init.normal_(block.first.bias)
    nn.init.normal_(block.second.bias)
    features = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    main = as_in_the_paper(block.first(features))
    main = as_in_the_paper(block.second(blur(main, 2)))
    skip = functional.conv2d(blur(features, 1), block.skip.weight / 2, stride=2)  # 1 / sqrt 4
    found = block(features)
    assert found.shape == (2, 6, 4, 4)
    torch.testing.assert_close(found, (main + skip) / math.sqrt(2), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("upsamples", [False, True])
def test_a_styled_layer_convolves_adds_noise_and_bias_and_activates(upsamples: bool) -> None:
    torch.manual_seed(0)
    layer = StyledConv2d(4, 6, 5, 3, upsamples=upsamples).double()
    nn.init.normal_(layer.bias)
    nn.init.constant_(layer.noise_strength, 0.7)
    features, style = torch.randn(2, 4, 6, 6).double(), torch.randn(2, 5).double()
    key = torch.tensor([1, 2])
    convolved = modulated_as_in_the_paper(layer.convolution, features, style)
    noise = 0.7 * keyed_normal(key, 3, convolved.shape[-1])
    wanted = as_in_the_paper(convolved + noise + layer.bias[:, None, None])
    torch.testing.assert_close(layer(features, style, key), wanted, rtol=1e-6, atol=1e-7)


def test_the_channel_base_decides_the_channels_of_large_layers() -> None:
    settings = StyleGAN2Settings(image_size=64, width=16, channel_base=256, latent_dim=8)
    channels = [block.first.weight.shape[0] for block in Discriminator(settings).blocks]
    assert channels == [4, 8, 16, 16]  # at 64, 32, 16 and 8 pixels
