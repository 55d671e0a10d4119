import pytest
import torch
from torch import Tensor

from gan_core.gans.fastgan import FastGAN, FastGANSettings, SkipExcitation, crop


def made(**settings: int) -> FastGAN:
    torch.manual_seed(0)
    return FastGAN(FastGANSettings(**{"width": 4, "latent_dim": 8, **settings}))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("size", "excited"),
    [(32, []), (64, ["4"]), (112, ["4"]), (128, ["4", "5"]), (256, ["4", "5", "6"])],
)
def test_layers_are_excited_by_those_of_a_sixteenth_of_their_side(
    size: int, excited: list[str]
) -> None:
    gan = made(image_size=size)
    assert list(gan.generator.excitations) == excited


def test_the_excitation_gates_whole_channels_between_0_and_1() -> None:
    gate = SkipExcitation(5, 7)(torch.randn(2, 5, 8, 8) * 10)
    assert gate.shape == (2, 7, 1, 1)
    assert gate.min() > 0
    assert gate.max() < 1


def test_a_closed_gate_lets_nothing_through() -> None:
    gan = made()
    gan.generator.eval()
    with torch.no_grad():
        gan.generator.excitations["4"].body[3].bias.fill_(-100)
        gan.generator.excitations["4"].body[3].weight.zero_()
        images = gan.generator(gan.latents_for([1, 2]))
    assert torch.equal(images[0], images[1])


def test_noise_enters_with_a_strength_of_its_own() -> None:
    gan = made()
    gan.generator.eval()
    latents = gan.latents_for([1])
    other = {**latents, "key": latents["key"] + 1}
    with torch.no_grad():
        assert torch.equal(gan.generator(latents), gan.generator(other))
        for block in gan.generator.blocks:
            if block.noise_layer is not None:
                block.noise_strength.fill_(0.5)
        assert not torch.equal(gan.generator(latents), gan.generator(other))


@pytest.mark.parametrize(("size", "grid", "small"), [(64, 5, 8), (112, 4, 7), (256, 5, 8)])
def test_the_discriminator_judges_patches(size: int, grid: int, small: int) -> None:
    gan = made(image_size=size, width=2)
    images = torch.randn(2, 3, size, size)
    assert gan.discriminator(images).shape == (2, 1, grid, grid)
    larger, smaller = gan.discriminator.features(images)
    assert (larger.shape[-1], smaller.shape[-1]) == (2 * small, small)


@pytest.mark.parametrize(
    ("size", "whole", "part"), [(32, 32, 16), (64, 64, 32), (112, 112, 56), (256, 128, 128)]
)
def test_reconstructions_are_of_the_image_and_of_a_quarter(
    size: int, whole: int, part: int
) -> None:
    gan = made(image_size=size, width=2)
    images = torch.randn(2, 3, size, size)
    _, pairs = gan.discriminator.judge_and_rebuild(images, seeded())
    (rebuilt, original), (rebuilt_part, original_part) = pairs
    assert torch.equal(original, images)
    assert rebuilt.shape == (2, 3, whole, whole)
    assert original_part.shape == (2, 3, size // 2, size // 2)
    assert rebuilt_part.shape == (2, 3, part, part)


def test_the_quarter_of_the_features_is_that_of_the_image() -> None:
    """The discriminator sees an image whose value is its row; the crop starts where it should."""
    gan = made(width=2)
    rows = torch.arange(64.0)[:, None].expand(64, 64)
    images = rows.expand(40, 3, 64, 64)
    cells = torch.arange(16.0)[:, None].expand(16, 16)
    gan.discriminator.features = lambda _: (  # type: ignore[method-assign]
        cells.expand(40, 8, 16, 16),
        torch.zeros(40, gan.discriminator.judge[0].in_channels, 8, 8),
    )
    seen: list[Tensor] = []

    def remember(_: object, inputs: tuple[Tensor]) -> None:
        seen.append(inputs[0])

    gan.discriminator.decode_part.register_forward_pre_hook(remember)
    _, pairs = gan.discriminator.judge_and_rebuild(images, seeded())
    from_cells, from_rows = seen[0][:, 0, 0, 0], pairs[1][1][:, 0, 0, 0]
    assert torch.equal(from_cells * 4, from_rows)
    assert from_cells.min() == 0
    assert from_cells.max() == 8


def test_a_crop_is_a_slice_of_each_image() -> None:
    images = torch.randn(2, 3, 6, 6)
    cut = crop(images, torch.tensor([[0, 3], [2, 1]]), 3)
    assert torch.equal(cut[0], images[0, :, 0:3, 2:5])
    assert torch.equal(cut[1], images[1, :, 3:6, 1:4])


def test_the_reconstruction_loss_equals_a_value_worked_by_hand() -> None:
    gan = made()
    images = torch.full((2, 3, 64, 64), 0.5)
    gan.discriminator.judge_and_rebuild = lambda *_: (  # type: ignore[method-assign]
        torch.zeros(2, 1),
        [(torch.zeros(2, 3, 32, 32), images), (torch.ones(2, 3, 32, 32), images)],
    )
    _, losses = gan.judge_real(images, seeded())
    assert losses["reconstruction"].item() == pytest.approx(0.5 + 0.5)


def test_the_decoders_learn_to_rebuild_the_images_they_are_shown() -> None:
    torch.manual_seed(0)
    settings = FastGANSettings(32, width=4, latent_dim=8, augment="none", learning_rate=5e-3)
    gan = FastGAN(settings)
    gan.prepare_training(torch.device("cpu"), torch.float32)
    colours = torch.tensor([[0.8, -0.5, 0.1], [-0.7, 0.6, -0.2]])
    real = colours[:, :, None, None].expand(2, 3, 32, 32).contiguous()
    losses = [gan.step(real, seeded(n), 0.0)["reconstruction"].item() for n in range(30)]
    assert losses[-1] < 0.6 * losses[0]
