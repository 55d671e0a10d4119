import numpy as np
import pytest
import torch
from torch import nn

from gan_core.classifiers import pooled_convolution
from gan_core.classifiers.pooled_convolution import conv_max_pool, patch_rows, weight_rows
from gan_core.classifiers.seed_cnn_network import (
    PatchMoments,
    SeedCnn,
    fast_logits,
    patch_moments,
    scaled,
    stacked,
)


def plain_network() -> nn.Sequential:
    """The study's network, written down once more without anything of ours."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(24),
        nn.Flatten(),
        nn.Linear(256, 2),
    )


def images_with_flat_areas(count: int, seed: int = 0) -> torch.Tensor:
    """Blobs, noise, and black corners in which many outputs of a convolution are equal."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 14, 14, 3)).repeat(16, 1).repeat(16, 2)
    images = 0.8 * coarse + 0.2 * rng.integers(0, 256, coarse.shape)
    images[:, :70, :70] = 0
    images[:, 200:, 100:] = 255
    return torch.from_numpy(images.astype(np.uint8))


def twins(seed: int = 0) -> tuple[nn.Sequential, SeedCnn]:
    """The plain network and ours, in float64, with equal weights; half of the gammas negative."""
    torch.manual_seed(seed)
    plain, ours = plain_network().double(), SeedCnn().double()
    with torch.no_grad():
        plain[1].weight.normal_()
        plain[1].bias.normal_(0.0, 0.3)
    assert (plain[1].weight < 0).any()
    ours.load_state_dict(
        dict(zip(ours.state_dict(), plain.state_dict().values(), strict=True)), strict=True
    )
    return plain, ours


def logits_of(
    net: SeedCnn, images: torch.Tensor, dtype: torch.dtype, moments: PatchMoments | None
) -> torch.Tensor:
    """The fast way for one network alone, its running statistics moved."""
    stack = stacked([net])
    if moments is not None:
        moments = PatchMoments(moments.mean[None], moments.second[None])
    logits = fast_logits(stack, images[None], dtype, moments)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            buffer.copy_(stack[name][0])
    return logits[0]


def as_plain_input(images: torch.Tensor) -> torch.Tensor:
    return (images.double() / 127.5 - 1).permute(0, 3, 1, 2)


def test_the_network_has_the_study_s_39362_parameters() -> None:
    assert sum(p.numel() for p in SeedCnn().parameters()) == 39_362


def test_a_patch_row_is_the_neighbourhood_of_its_pixel() -> None:
    image = torch.arange(5 * 6 * 2.0).view(5, 6, 2)
    table = patch_rows(image, torch.empty(3 * 4, 18))
    assert torch.equal(table[2 * 4 + 1], image[2:5, 1:4].reshape(-1))


def test_forward_statistics_and_gradients_equal_the_plain_network_in_float64() -> None:
    plain, ours = twins()
    images, labels = images_with_flat_areas(2), torch.tensor([0, 1])
    expected = plain(as_plain_input(images))
    got = logits_of(ours, images, torch.float64, patch_moments(images, torch.float64))
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)
    nn.functional.cross_entropy(expected, labels).backward()
    nn.functional.cross_entropy(got, labels).backward()
    for (name, q), p in zip(ours.named_parameters(), plain.parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        torch.testing.assert_close(q.grad, p.grad, rtol=1e-9, atol=1e-12, msg=name)
    for (name, q), p in zip(ours.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(q, p, rtol=1e-10, atol=1e-12, msg=name)


def test_several_adam_steps_end_at_the_plain_network_s_weights_and_scores() -> None:
    plain, ours = twins(1)
    images, labels = images_with_flat_areas(4, seed=1), torch.tensor([0, 1, 1, 0])
    moments = patch_moments(images, torch.float64)
    theirs = torch.optim.Adam(plain.parameters(), lr=1e-3, weight_decay=1e-4)
    mine = torch.optim.Adam(ours.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
    for rows in (torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([1, 2])):
        theirs.zero_grad()
        nn.functional.cross_entropy(plain(as_plain_input(images[rows])), labels[rows]).backward()
        theirs.step()
        mine.zero_grad()
        logits = logits_of(ours, images[rows], torch.float64, moments[rows])
        nn.functional.cross_entropy(logits, labels[rows]).backward()
        mine.step()
    for (name, q), p in zip(ours.state_dict().items(), plain.state_dict().values(), strict=True):
        if name == "conv1.bias":
            # In training its gradient is exactly 0; the plain network's is rounding, which Adam
            # then divides by its own size.
            torch.testing.assert_close(q, p, rtol=0, atol=1e-6, msg=name)
        else:
            torch.testing.assert_close(q, p, rtol=1e-7, atol=1e-8, msg=name)
    plain.eval()
    ours.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            logits_of(ours, images[:1], torch.float64, None),
            plain(as_plain_input(images[:1])),
            rtol=1e-4,
            atol=1e-4,
        )


def test_evaluation_mode_equals_the_layer_by_layer_forward() -> None:
    _, ours = twins(2)
    ours.eval()
    with torch.no_grad():
        assert ours.norm.running_mean is not None
        ours.norm.running_mean.normal_()
    images = images_with_flat_areas(2, seed=2)
    with torch.no_grad():
        torch.testing.assert_close(
            logits_of(ours, images, torch.float64, None), ours(as_plain_input(images))
        )


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_equal_outputs_share_out_their_gradient_as_torch_does(pool: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(-1, 2, (2, 10, 10, 4)).double().requires_grad_()
    weight = torch.randint(-1, 2, (5, 4, 3, 3)).double().requires_grad_()
    outputs = nn.functional.conv2d(x.permute(0, 3, 1, 2), weight)
    expected = nn.functional.max_pool2d(outputs, pool).permute(0, 2, 3, 1)
    got = conv_max_pool(x[None], weight_rows(weight)[None], pool)[0]
    torch.testing.assert_close(got, expected)
    direction = torch.randn_like(got)
    expected_grads = torch.autograd.grad(expected, (x, weight), direction)
    for mine, theirs in zip(
        torch.autograd.grad(got, (x, weight), direction), expected_grads, strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_bfloat16_gradients_point_where_float64_ones_do() -> None:
    _, exact = twins(3)
    rough = SeedCnn()
    rough.load_state_dict(exact.state_dict())
    images, labels = images_with_flat_areas(4, seed=3), torch.tensor([0, 1, 0, 1])
    grads = []
    for net, dtype in ((exact, torch.float64), (rough, torch.bfloat16)):
        logits = logits_of(net, images, dtype, patch_moments(images))
        nn.functional.cross_entropy(logits, labels).backward()
        grads.append(
            torch.cat([p.grad.flatten().double() for p in net.parameters() if p.grad is not None])
        )
    assert torch.cosine_similarity(grads[0], grads[1], dim=0) > 0.99


def test_float32_patch_moments_lose_nothing_that_matters() -> None:
    images = images_with_flat_areas(1)
    exact, quick = patch_moments(images, torch.float64), patch_moments(images)
    assert isinstance(quick, PatchMoments)
    torch.testing.assert_close(quick.second, exact.second, rtol=1e-6, atol=1e-7)
    padded = nn.functional.pad(scaled(images, torch.float64), (0, 0, 1, 1, 1, 1))
    patches = patch_rows(padded[0], torch.empty(224 * 224, 27, dtype=torch.float64))
    torch.testing.assert_close(exact.mean[0], patches.mean(0))
    torch.testing.assert_close(exact.second[0], patches.T @ patches / len(patches))


def test_networks_side_by_side_give_what_each_gives_alone_in_float64() -> None:
    nets = [twins(seed)[1] for seed in (4, 5, 6)]
    alone = [twins(seed)[1] for seed in (4, 5, 6)]
    images = images_with_flat_areas(5, seed=4)
    rows = torch.tensor([[0, 1, 2], [2, 4, 0], [3, 0, 0]])
    # The third has a batch of one: two places of its table are only filled up.
    shares = torch.tensor([[1 / 3] * 3, [1 / 3] * 3, [1.0, 0.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    moments = patch_moments(images, torch.float64)
    stack = stacked(nets)
    logits = fast_logits(stack, images[rows], torch.float64, moments[rows], shares)
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    (losses.view(3, 3) * shares).sum().backward()
    for place, (net, single) in enumerate(zip(nets, alone, strict=True)):
        count = int((shares[place] > 0).sum())
        chosen = rows[place, :count]
        expected = single(as_plain_input(images[chosen]))
        torch.testing.assert_close(logits[place, :count], expected, rtol=1e-10, atol=1e-12)
        nn.functional.cross_entropy(expected, labels[place, :count]).backward()
        for (name, q), p in zip(net.named_parameters(), single.parameters(), strict=True):
            torch.testing.assert_close(q.grad, p.grad, rtol=1e-9, atol=1e-12, msg=name)
        for name, buffer in single.named_buffers():
            torch.testing.assert_close(stack[name][place], buffer, rtol=1e-10, atol=1e-12)


def test_chunks_as_a_gpu_takes_them_give_what_a_cpu_s_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 10, 10, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 5, 36, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(3, 5, dtype=torch.float64)
    found = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        take = pooled_convolution._chunks
        monkeypatch.setattr(pooled_convolution, "_PAIRS_AT_ONCE", 4)
        monkeypatch.setattr(
            pooled_convolution, "_chunks", lambda k, n, _, d=device, take=take: take(k, n, d)
        )
        pooled = conv_max_pool(x, weight, 4, shift)
        found.append((pooled, *torch.autograd.grad(pooled.square().sum(), (x, weight))))
        with torch.no_grad():
            torch.testing.assert_close(conv_max_pool(x, weight, 4, shift), pooled)
        monkeypatch.undo()
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)
