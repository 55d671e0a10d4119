import pytest
import torch
from torch import nn
from torch.nn import functional

from gan_core.gans.layers import GatedLinearUnit, ProjectionConv2d, UpsampleConv2d


@pytest.mark.parametrize("channels", [5, 12, 13])
def test_upsampling_convolution_equals_upsample_then_convolution(channels: int) -> None:
    """In one pass with 5 channels of 6 x 4 pixels, in two with 12 and 13."""
    torch.manual_seed(0)
    layer = UpsampleConv2d(channels, 7).double()
    small = torch.randn(2, channels, 6, 4, dtype=torch.float64)
    plain = functional.conv2d(
        functional.interpolate(small, scale_factor=2, mode="nearest"),
        layer.weight,
        layer.bias,
        padding=1,
    )
    torch.testing.assert_close(layer(small), plain, rtol=1e-12, atol=1e-12)


def test_its_gradients_are_those_of_the_plain_layers() -> None:
    torch.manual_seed(0)
    layer = UpsampleConv2d(3, 4).double()
    small = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    to_outside = torch.randn(2, 4, 10, 10, dtype=torch.float64)
    wanted = (small, layer.weight, layer.bias)
    ours = torch.autograd.grad((layer(small) * to_outside).sum(), wanted)
    plain = functional.conv2d(
        functional.interpolate(small, scale_factor=2), layer.weight, layer.bias, padding=1
    )
    theirs = torch.autograd.grad((plain * to_outside).sum(), wanted)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "in_one_pass"), [(11, True), (12, False)])
def test_few_pixels_with_many_channels_are_upsampled_first(
    channels: int, in_one_pass: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    convolve = functional.conv_transpose2d
    monkeypatch.setattr(
        functional, "conv_transpose2d", lambda *args, **kw: seen.append(1) or convolve(*args, **kw)
    )
    for count in (1, 64):
        UpsampleConv2d(channels, 2, bias=False)(torch.randn(count, channels, 6, 4))
    assert len(seen) == (2 if in_one_pass else 0)


def test_a_projection_equals_the_transposed_convolution_and_so_do_its_gradients() -> None:
    torch.manual_seed(0)
    layer = ProjectionConv2d(5, 6, 4).double()
    pixels = torch.randn(3, 5, 1, 1, dtype=torch.float64, requires_grad=True)
    plain = functional.conv_transpose2d(pixels, layer.weight)
    found = layer(pixels)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)
    to_outside = torch.randn_like(plain)
    ours = torch.autograd.grad((found * to_outside).sum(), (pixels, layer.weight))
    theirs = torch.autograd.grad((plain * to_outside).sum(), (pixels, layer.weight))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_gated_linear_unit_is_pytorchs_but_keeps_the_memory_format_of_its_gradient() -> None:
    features = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    features = features.contiguous(memory_format=torch.channels_last).requires_grad_()
    found, plain = GatedLinearUnit()(features), nn.GLU(1)(features)
    torch.testing.assert_close(found, plain)
    (ours,) = torch.autograd.grad(found.square().sum(), features, retain_graph=True)
    (theirs,) = torch.autograd.grad(plain.square().sum(), features)
    torch.testing.assert_close(ours, theirs)
    assert ours.is_contiguous(memory_format=torch.channels_last)
