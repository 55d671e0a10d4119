import torch
from torch import nn

from gan_core.gans.dcgan import DCGAN, DCGANSettings
from gan_core.gans.layers import ProjectionConv2d


def shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for name, weight in network.named_parameters() if weight.ndim == 4]


def test_with_the_papers_width_the_generator_is_that_of_figure_1() -> None:
    with torch.device("meta"):
        gan = DCGAN(DCGANSettings(width=128))
    assert shapes(gan.generator) == [
        (100, 1024, 4, 4),
        (1024, 512, 4, 4),
        (512, 256, 4, 4),
        (256, 128, 4, 4),
        (128, 3, 4, 4),
    ]
    assert shapes(gan.discriminator) == [
        (128, 3, 4, 4),
        (256, 128, 4, 4),
        (512, 256, 4, 4),
        (1024, 512, 4, 4),
        (1, 1024, 4, 4),
    ]


def test_the_guidelines_are_kept() -> None:
    """Section 3: BatchNorm in both but at the ends; ReLU and tanh here, leaky ReLU there."""
    gan = DCGAN(DCGANSettings(width=4))
    assert [type(layer) for layer in gan.generator.body] == [
        *[ProjectionConv2d, nn.BatchNorm2d, nn.ReLU],
        *[nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU] * 3,
        nn.ConvTranspose2d,
        nn.Tanh,
    ]
    assert [type(layer) for layer in gan.discriminator.body] == [
        *[nn.Conv2d, nn.LeakyReLU],
        *[nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU] * 3,
        nn.Conv2d,
    ]


def test_larger_images_take_more_doublings_or_start_from_seven_pixels() -> None:
    with torch.device("meta"):
        large = DCGAN(DCGANSettings(image_size=256, width=16))
        seven = DCGAN(DCGANSettings(image_size=112, width=16))
    assert [shape[1] for shape in shapes(large.generator)] == [128, 128, 128, 64, 32, 16, 3]
    assert shapes(seven.generator)[0] == (100, 128, 7, 7)
    assert shapes(seven.discriminator)[-1] == (1, 128, 7, 7)


def test_noise_is_uniform_and_weights_start_as_normals_of_spread_002() -> None:
    torch.manual_seed(0)
    gan = DCGAN(DCGANSettings(width=16))
    noise = gan.random_latents(200, torch.Generator().manual_seed(0))["noise"]
    assert noise.shape == (200, 100)
    assert -1 <= noise.min() < -0.99
    assert 0.99 < noise.max() < 1
    weight = gan.generator.body[0].weight
    assert abs(weight.std().item() - 0.02) < 5e-4
    assert abs(gan.generator.body[1].weight.mean().item() - 1) < 0.01
