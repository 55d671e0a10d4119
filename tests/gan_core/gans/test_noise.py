import pytest
import torch

from gan_core.gans.noise import keyed_normal, random_keys


def keys(count: int) -> torch.Tensor:
    return random_keys(count, torch.Generator().manual_seed(0))


def test_noise_is_standard_normal() -> None:
    noise = keyed_normal(keys(16), 3, 64).double()
    assert noise.shape == (16, 1, 64, 64)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(1, abs=0.01)
    assert (noise**3).mean().item() == pytest.approx(0, abs=0.03)
    assert (noise**4).mean().item() == pytest.approx(3, abs=0.1)
    # Kolmogorov's distance to the normal distribution: 1.95 / sqrt n would be 1 in 1000.
    ordered = noise.flatten().sort().values
    wanted = torch.special.ndtr(ordered)
    seen = torch.arange(1, len(ordered) + 1) / len(ordered)
    assert (seen - wanted).abs().max().item() < 1.95 / len(ordered) ** 0.5


def test_pixels_layers_and_images_are_uncorrelated_even_for_neighbouring_keys() -> None:
    near = torch.arange(4)
    maps = torch.cat([keyed_normal(near, layer, 64).flatten(1) for layer in (0, 1)])
    correlations = maps.corrcoef() - torch.eye(8)
    assert correlations.abs().max().item() < 5 / 64
    image = keyed_normal(near[:1], 0, 256)[0, 0]
    for shifted, kept in (
        (image[1:], image[:-1]),
        (image[:, 1:], image[:, :-1]),
        (image[128:], image[:128]),
    ):
        assert (shifted * kept).mean().item() == pytest.approx(0, abs=0.02)


def test_both_halves_of_a_key_count() -> None:
    maps = keyed_normal(torch.tensor([5, 5 + 2**40, 6]), 0, 8)
    assert maps.flatten(1).unique(dim=0).shape[0] == 3


def test_an_images_noise_does_not_depend_on_the_batch() -> None:
    together = keyed_normal(keys(5), 2, 16)
    alone = keyed_normal(keys(5)[3:4], 2, 16)
    assert torch.equal(together[3:4], alone)


def test_the_noise_of_a_key_stays_what_it_is() -> None:
    """Released models make the same images only as long as this holds."""
    values = keyed_normal(torch.tensor([12345]), 1, 2).flatten()
    torch.testing.assert_close(
        values, torch.tensor([1.524305, -0.119565, -1.444130, -1.401233]), rtol=0, atol=1e-5
    )
