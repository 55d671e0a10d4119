import math

import pytest
import torch
from torch import nn

from gan_core.gans.equalised import (
    EqualisedConv2d,
    EqualisedLinear,
    pixel_norm,
    with_batch_deviation,
)


@pytest.mark.parametrize(("inputs", "side"), [(3, 8), (48, 2)])
def test_an_equalised_convolution_is_the_plain_one_with_a_scaled_weight(
    inputs: int, side: int
) -> None:
    """Gradients, too: where the weight is scaled, and where the fewer features are."""
    torch.manual_seed(0)
    layer = EqualisedConv2d(inputs, 50, 3, gain=math.sqrt(2), stride=2).double()
    nn.init.normal_(layer.bias)
    images = torch.randn(2, inputs, side, side, dtype=torch.float64, requires_grad=True)
    plain = nn.functional.conv2d(
        images, layer.weight * math.sqrt(2 / (9 * inputs)), layer.bias, stride=2, padding=1
    )
    found = layer(images)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-12)
    ours = torch.autograd.grad(found.square().sum(), (images, layer.weight))
    theirs = torch.autograd.grad(plain.square().sum(), (images, layer.weight))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_an_equalised_linear_layer_is_the_plain_one_with_a_scaled_weight() -> None:
    torch.manual_seed(0)
    layer = EqualisedLinear(6, 5, gain=2.0, first_bias=0.5, rate=0.1).double()
    rows = torch.randn(3, 6, dtype=torch.float64)
    plain = nn.functional.linear(rows, layer.weight * (0.2 / math.sqrt(6)), layer.bias * 0.1)
    torch.testing.assert_close(layer(rows), plain, rtol=1e-12, atol=1e-12)


def test_equalised_layers_keep_the_variance_of_normal_inputs() -> None:
    torch.manual_seed(0)
    images = torch.randn(8, 64, 16, 16)
    inside = EqualisedConv2d(64, 64, 3)(images)[..., 1:-1, 1:-1]
    assert inside.var().item() == pytest.approx(1, rel=0.1)
    rows = EqualisedLinear(256, 256, rate=0.01)(torch.randn(512, 256))
    assert rows.var().item() == pytest.approx(1, rel=0.1)


def test_a_layer_with_a_lower_rate_starts_alike_and_learns_that_much_less() -> None:
    outputs = []
    for rate in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualisedLinear(4, 2, rate=rate, first_bias=1.0)
        row = torch.ones(1, 4)
        before = layer(row)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.add_(1e-3)  # what a step of Adam does, whatever the gradient's size
        outputs.append((before, layer(row) - before))
    torch.testing.assert_close(outputs[0][0], outputs[1][0])
    torch.testing.assert_close(outputs[1][1], outputs[0][1] * 0.01, rtol=1e-2, atol=1e-6)


def test_pixel_norm_leaves_a_root_mean_square_of_one() -> None:
    features = torch.tensor([[3.0, 0.5], [4.0, 0.5]]).view(1, 2, 1, 2)
    normal = pixel_norm(features)
    wanted = torch.tensor([[3 / 12.5**0.5, 1], [4 / 12.5**0.5, 1]]).view(1, 2, 1, 2)
    torch.testing.assert_close(normal, wanted, rtol=1e-5, atol=1e-5)


def test_the_batch_deviation_equals_a_value_worked_by_hand() -> None:
    features = torch.zeros(4, 2, 1, 1)
    features[:, 0, 0, 0] = torch.tensor([0.0, 1, 2, 5])
    # The population's deviation of 0, 1, 2, 5 is sqrt 3.5; the other channel's is 0.
    appended = with_batch_deviation(features)
    assert appended.shape == (4, 3, 1, 1)
    assert torch.equal(appended[:, :2], features)
    assert appended[:, 2].flatten().tolist() == pytest.approx([3.5**0.5 / 2] * 4, abs=1e-3)


def test_groups_are_apart_and_a_batch_that_does_not_divide_is_taken_whole() -> None:
    features = torch.zeros(8, 1, 1, 1)
    features[::2] = 4.0  # image 0, 2, 4, 6 form one group of the two, all alike
    assert with_batch_deviation(features, 4)[:, 1].max().item() == pytest.approx(0, abs=1e-3)
    odd = with_batch_deviation(features[:7], 4)[:, 1].flatten()
    assert odd.unique().numel() == 1
    assert odd[0].item() == pytest.approx(4 * (4 / 7 * 3 / 7) ** 0.5, abs=1e-3)


def test_one_image_alone_has_no_deviation_and_a_finite_gradient() -> None:
    features = torch.randn(1, 2, 2, 2, requires_grad=True)
    with_batch_deviation(features, 4).sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
