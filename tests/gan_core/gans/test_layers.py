import torch
from torch.nn import functional

from gan_core.gans.layers import UpsampleConv2d


def test_upsampling_convolution_equals_upsample_then_convolution() -> None:
    torch.manual_seed(0)
    layer = UpsampleConv2d(5, 7).double()
    small = torch.randn(2, 5, 6, 4, dtype=torch.float64)
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
