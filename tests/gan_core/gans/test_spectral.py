import pytest
import torch

from gan_core.gans.spectral import SpectralConv2d


def layer() -> SpectralConv2d:
    torch.manual_seed(0)
    return SpectralConv2d(3, 6, 3, padding=1)


def test_the_iteration_finds_the_largest_singular_value() -> None:
    convolution = layer()
    for _ in range(60):
        found = convolution.largest_singular_value().item()
    exact = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item()
    assert found == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize(("channels", "side"), [(3, 8), (40, 2)])
def test_what_it_computes_is_the_plain_convolution_divided_by_it(channels: int, side: int) -> None:
    """And its gradients are: where the weight is divided, and where the fewer features are."""
    torch.manual_seed(0)
    convolution = SpectralConv2d(channels, 40, 3, padding=1).double().eval()
    images = torch.randn(2, channels, side, side, dtype=torch.float64, requires_grad=True)
    plain = torch.nn.functional.conv2d(
        images, convolution.weight / convolution.largest_singular_value(), convolution.bias, 1, 1
    )
    found = convolution(images)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-12)
    ours = torch.autograd.grad(found.square().sum(), (images, convolution.weight))
    theirs = torch.autograd.grad(plain.square().sum(), (images, convolution.weight))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_the_vector_moves_in_train_mode_alone_and_is_in_the_state() -> None:
    convolution, images = layer(), torch.randn(1, 3, 8, 8)
    before = convolution.left.clone()
    convolution.eval()(images)
    assert torch.equal(convolution.left, before)
    convolution.train()(images)
    assert not torch.equal(convolution.left, before)
    assert torch.equal(convolution.state_dict()["left"], convolution.left)


def test_its_gradient_is_that_of_the_divided_weight() -> None:
    """The singular value takes part: along the weight itself nothing can be gained."""
    convolution = layer()
    for _ in range(60):
        convolution.largest_singular_value()
    convolution(torch.randn(2, 3, 8, 8)).square().sum().backward()
    assert convolution.weight.grad is not None
    along = (convolution.weight.grad * convolution.weight).sum()
    assert abs(along.item()) < 1e-3 * convolution.weight.grad.norm().item()


def test_two_passes_before_one_backward_are_possible() -> None:
    convolution, images = layer(), torch.randn(1, 3, 8, 8)
    (convolution(images) + convolution(images)).sum().backward()
    assert convolution.weight.grad is not None
