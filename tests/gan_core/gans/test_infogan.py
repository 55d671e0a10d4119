import math

import pytest
import torch
from torch import nn

from gan_core.gans.infogan import (
    InfoGAN,
    InfoGANSettings,
    discriminator_objective,
    information_objective,
    squared_distance,
)
from gan_core.gans.layers import UpsampleConv2d
from gan_core.spec.errors import GraftError


def described(layer: nn.Module) -> tuple[object, ...]:
    match layer:
        case UpsampleConv2d():
            return ("upsample+conv", *layer.weight.shape)
        case nn.Conv2d():
            return ("conv", *layer.weight.shape, layer.stride[0], layer.padding[0])
        case nn.BatchNorm2d():
            return ("norm", layer.num_features, layer.eps)
        case nn.LeakyReLU():
            return ("leaky", layer.negative_slope)
        case nn.Dropout2d():
            return ("dropout", layer.p)
        case _:
            return (type(layer).__name__.lower(),)


def prepared(**settings: object) -> InfoGAN:
    gan = InfoGAN(InfoGANSettings(**{"image_size": 32, **settings}))  # type: ignore[arg-type]
    gan.prepare_training(torch.device("cpu"), torch.float32)
    return gan


def test_the_generator_has_the_studys_layers() -> None:
    generator = InfoGAN().generator
    assert generator.project.weight.shape == (128 * 28 * 28, 62 + 10 + 2)
    assert [described(layer) for layer in generator.body] == [
        ("norm", 128, 1e-5),
        ("upsample+conv", 128, 128, 3, 3),
        ("norm", 128, 0.8),
        ("leaky", 0.2),
        ("upsample+conv", 64, 128, 3, 3),
        ("norm", 64, 0.8),
        ("leaky", 0.2),
        ("conv", 3, 64, 3, 3, 1, 1),
        ("tanh",),
    ]
    # 74·100352 + 100352; 256; 128·128·9 + 128; 256; 64·128·9 + 64; 128; 3·64·9 + 3
    expected = 7_526_400 + 256 + 147_584 + 256 + 73_792 + 128 + 1_731
    assert sum(weight.numel() for weight in generator.parameters()) == expected


def test_the_discriminator_has_the_studys_layers() -> None:
    discriminator = InfoGAN().discriminator
    expected: list[tuple[object, ...]] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64), (64, 128)):
        expected += [("conv", outputs, inputs, 3, 3, 2, 1), ("leaky", 0.2), ("dropout", 0.25)]
        if inputs != 3:
            expected.append(("norm", outputs, 0.8))
    assert [described(layer) for layer in discriminator.trunk] == expected
    heads = (discriminator.validity, discriminator.category, discriminator.codes)
    assert [head.weight.shape for head in heads] == [(1, 6272), (10, 6272), (2, 6272)]
    # 448; 4640 + 64; 18496 + 128; 73856 + 256; 6272·13 + 13
    total = 448 + 4_704 + 18_624 + 74_112 + 81_549
    assert sum(weight.numel() for weight in discriminator.parameters()) == total


@pytest.mark.parametrize("size", [32, 48, 112])
def test_images_and_heads_have_their_shapes_at_any_allowed_size(size: int) -> None:
    gan = InfoGAN(InfoGANSettings(image_size=size))
    latents = gan.random_latents(3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = gan.generator(latents)
        validity, logits, codes = gan.discriminator(images)
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1
    assert (validity.shape, logits.shape, codes.shape) == ((3, 1), (3, 10), (3, 2))
    assert gan.discriminator.trunk(images).shape[2:] == (size // 16, size // 16)


def test_weights_start_as_normals_of_spread_002() -> None:
    torch.manual_seed(0)
    gan = InfoGAN()
    for weight in (gan.generator.project.weight, gan.generator.body[1].weight):
        assert weight.mean().item() == pytest.approx(0, abs=2e-4)
        assert weight.std().item() == pytest.approx(0.02, rel=0.01)
    scales = gan.generator.body[0].weight
    assert scales.mean().item() == pytest.approx(1, abs=0.01)
    assert scales.std().item() == pytest.approx(0.02, rel=0.3)


def test_latents_have_the_papers_distributions() -> None:
    latents = InfoGAN(InfoGANSettings(image_size=32)).random_latents(
        4000, torch.Generator().manual_seed(1)
    )
    assert latents["noise"].shape == (4000, 62)
    assert latents["noise"].mean().item() == pytest.approx(0, abs=0.01)
    assert latents["noise"].std().item() == pytest.approx(1, abs=0.01)
    assert latents["category"].bincount(minlength=10).min() > 330
    assert latents["category"].max() == 9
    codes = latents["codes"]
    assert codes.shape == (4000, 2)
    assert codes.abs().max() <= 1
    assert codes.std().item() == pytest.approx(math.sqrt(1 / 3), abs=0.02)


def test_each_part_of_the_latent_changes_the_image() -> None:
    gan = InfoGAN(InfoGANSettings(image_size=32))
    gan.generator.eval()
    latents = gan.latents_for([5])
    changes = {
        "noise": latents["noise"] + 1,
        "category": (latents["category"] + 1) % 10,
        "codes": -latents["codes"],
    }
    with torch.no_grad():
        before = gan.generator(latents)
        for name, value in changes.items():
            assert not torch.equal(gan.generator({**latents, name: value}), before), name


def test_adversarial_losses_equal_values_worked_by_hand() -> None:
    real, fake = torch.tensor([[1.0], [0.5]]), torch.tensor([[0.0], [2.0]])
    assert squared_distance(fake, 1.0).item() == pytest.approx((1 + 1) / 2)
    assert discriminator_objective(real, fake).item() == pytest.approx((0.25 / 2 + 4 / 2) / 2)


def test_the_information_loss_equals_a_value_worked_by_hand() -> None:
    settings = InfoGANSettings(categories=2)
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    latents = {
        "category": torch.tensor([0, 1]),
        "codes": torch.tensor([[0.5, 0.0], [0.0, -1.0]]),
    }
    codes = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    # cross-entropy: -(ln 3/4 + ln 1/2) / 2; squared error: (.25 + 4) / 4
    expected = -(math.log(0.75) + math.log(0.5)) / 2 + 0.1 * 4.25 / 4
    loss = information_objective(logits, codes, latents, settings)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_certain_right_logits_cost_nothing() -> None:
    """A softmax before the cross-entropy would leave a loss of at least 1.46 for ten categories."""
    logits = torch.zeros(1, 10)
    logits[0, 3] = 50
    latents = {"category": torch.tensor([3]), "codes": torch.zeros(1, 2)}
    loss = information_objective(logits, torch.zeros(1, 2), latents, InfoGANSettings())
    assert loss.item() < 1e-6


def test_one_step_equals_the_three_steps_written_out_with_plain_layers() -> None:
    """Generator, discriminator, information; upsampling and losses as PyTorch has them."""
    ours, theirs = prepared(), prepared()
    theirs.generator.load_state_dict(ours.generator.state_dict())
    theirs.discriminator.load_state_dict(ours.discriminator.state_dict())
    for gan in (ours, theirs):
        for layer in gan.discriminator.trunk:
            if isinstance(layer, nn.Dropout2d):
                layer.p = 0.0
    real = torch.rand(4, 3, 32, 32) * 2 - 1
    # Descent without Adam's division, which would blow up the rounding of small gradients.
    weights = [list(theirs.generator.parameters()), list(theirs.discriminator.parameters())]
    steps = [torch.optim.SGD(group, 0.1) for group in (*weights, weights[0] + weights[1])]
    our_weights = [list(ours.generator.parameters()), list(ours.discriminator.parameters())]
    ours.optimizers = {
        "generator": torch.optim.SGD(our_weights[0], 0.1),
        "discriminator": torch.optim.SGD(our_weights[1], 0.1),
        "information": torch.optim.SGD(our_weights[0] + our_weights[1], 0.1),
    }

    def make(latent: dict[str, torch.Tensor]) -> torch.Tensor:
        one_hot = nn.functional.one_hot(latent["category"], 10).float()
        x = theirs.generator.project(torch.cat([latent["noise"], one_hot, latent["codes"]], 1))
        x = x.view(-1, 128, 8, 8)
        for layer in theirs.generator.body:
            if isinstance(layer, UpsampleConv2d):
                x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
                x = nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)
            else:
                x = layer(x)
        return x

    def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    random = torch.Generator().manual_seed(7)
    latents = [theirs.random_latents(4, random), theirs.random_latents(4, random)]
    mse, cross_entropy = nn.MSELoss(), nn.CrossEntropyLoss()
    valid, fake = torch.ones(4, 1), torch.zeros(4, 1)
    images = make(latents[0])
    generator_loss = mse(theirs.discriminator(images)[0], valid)
    descend(steps[0], generator_loss)
    discriminator_loss = (
        mse(theirs.discriminator(real)[0], valid)
        + mse(theirs.discriminator(images.detach())[0], fake)
    ) / 2
    descend(steps[1], discriminator_loss)
    _, logits, codes = theirs.discriminator(make(latents[1]))
    information_loss = cross_entropy(logits, latents[1]["category"]) + 0.1 * mse(
        codes, latents[1]["codes"]
    )
    descend(steps[2], information_loss)

    losses = ours.step(real, torch.Generator().manual_seed(7), 0.0)
    assert losses["generator"].item() == pytest.approx(generator_loss.item(), rel=1e-4)
    assert losses["discriminator"].item() == pytest.approx(discriminator_loss.item(), rel=1e-4)
    assert losses["information"].item() == pytest.approx(information_loss.item(), rel=1e-4)
    for name, network in ours.networks().items():
        for key, value in theirs.networks()[name].state_dict().items():
            torch.testing.assert_close(
                network.state_dict()[key], value, rtol=1e-3, atol=2e-5, msg=f"{name}.{key}"
            )


def test_three_adams_train_generator_discriminator_and_both() -> None:
    gan = prepared()
    generator, discriminator = (
        sum(weight.numel() for weight in network.parameters())
        for network in gan.networks().values()
    )
    expected = {
        "generator": generator,
        "discriminator": discriminator,
        "information": generator + discriminator,
    }
    for name, optimizer in gan.optimizers.items():
        assert isinstance(optimizer, torch.optim.Adam)
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (2e-4, (0.5, 0.999))
        assert sum(weight.numel() for weight in group["params"]) == expected[name]


def test_the_generators_step_leaves_the_discriminators_weights_alone() -> None:
    gan = prepared()
    before = gan.discriminator.category.weight.clone()
    gan.optimizers["discriminator"].step = lambda: None  # type: ignore[method-assign,assign]
    gan.optimizers["information"].step = lambda: None  # type: ignore[method-assign,assign]
    gan.step(torch.zeros(2, 3, 32, 32), torch.Generator().manual_seed(0), 0.0)
    assert torch.equal(gan.discriminator.category.weight, before)
    assert all(weight.requires_grad for weight in gan.discriminator.parameters())


def test_a_sweep_walks_one_code_for_each_category_with_the_same_noise() -> None:
    latents = InfoGAN(InfoGANSettings(image_size=32)).sweep_latents(seed=3, code=1, steps=5)
    assert latents["noise"].shape == (50, 62)
    assert (latents["noise"] == latents["noise"][0]).all()
    assert latents["category"].reshape(10, 5)[:, 0].tolist() == list(range(10))
    assert latents["codes"][:5, 1].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert (latents["codes"][:, 0] == 0).all()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"image_size": 100}, "image_size_out_of_range"),
        ({"image_size": 16}, "image_size_out_of_range"),
        ({"image_size": 272}, "image_size_out_of_range"),
        ({"image_size": True}, "image_size_out_of_range"),
        ({"categories": 1}, "setting_out_of_range"),
        ({"codes": 0}, "setting_out_of_range"),
        ({"codes": 1.5}, "setting_out_of_range"),
        ({"learning_rate": 0}, "setting_out_of_range"),
        ({"learning_rate": math.nan}, "setting_out_of_range"),
        ({"betas": (0.5, 1.0)}, "setting_out_of_range"),
        ({"betas": 0.5}, "setting_out_of_range"),
        ({"lambda_code": -1}, "setting_out_of_range"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], code: str) -> None:
    with pytest.raises(GraftError) as refused:
        InfoGANSettings(**settings)  # type: ignore[arg-type]
    assert refused.value.code == code
