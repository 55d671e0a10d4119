import numpy as np
import pytest
import torch
from torch import nn

from gan_core.gans.infogan import InfoGAN, InfoGANSettings
from gan_core.training.ema import MovingAverage, sampling_weights


def test_the_average_warms_up_and_then_follows_its_decay() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = MovingAverage(layer, 0.15)
    expected = 0.0
    for number, value in enumerate((1.0, 2.0, 3.0)):
        nn.init.constant_(layer.weight, value)
        average.update()
        decay = min(0.15, (1 + number) / (10 + number))  # .1, .15, .15
        expected = decay * expected + (1 - decay) * value
    assert average.weights()["weight"].item() == pytest.approx(expected)


def test_sampling_statistics_are_those_of_the_weights_that_sample() -> None:
    torch.manual_seed(0)
    gan = InfoGAN(InfoGANSettings(image_size=32))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    average = MovingAverage(gan.generator, 0.9)
    with torch.no_grad():
        for weight in gan.generator.parameters():
            weight.mul_(3)
    raw, averaged = sampling_weights(gan, None), sampling_weights(gan, average)
    assert torch.equal(averaged["project.weight"] * 3, raw["project.weight"])
    # Three times the weights, nine times the variance.
    ratio = raw["body.0.running_var"] / averaged["body.0.running_var"]
    assert ratio.allclose(torch.tensor(9.0), rtol=1e-3)
    # The variance of the first layer is known: |row of weights|^2 over noise, category and codes.
    weight = averaged["project.weight"].reshape(128, 64, 74)
    variance = weight[..., :62].square().sum(2) + weight[..., 72:].square().sum(2) / 3
    variance = variance + weight[..., 62:72].var(2, unbiased=False)
    means = averaged["project.bias"].reshape(128, 64) + weight[..., 62:72].mean(2)
    expected = variance.mean(1) + means.var(1, unbiased=False)
    assert (averaged["body.0.running_var"] / expected - 1).abs().mean() < 0.03


def test_taking_weights_to_sample_with_disturbs_nothing_and_repeats_exactly() -> None:
    gan = InfoGAN(InfoGANSettings(image_size=32))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    before = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    state = torch.get_rng_state()
    one, other = sampling_weights(gan, None), sampling_weights(gan, None)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert all(torch.equal(gan.generator.state_dict()[name], before[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), state)
    assert gan.generator.training


def test_eval_mode_images_look_like_train_mode_images() -> None:
    torch.manual_seed(0)
    gan = InfoGAN(InfoGANSettings(image_size=32))
    gan.prepare_training(torch.device("cpu"), torch.float32)
    with torch.no_grad():
        gan.generator.body[7].weight.mul_(20)
        latents = gan.random_latents(64, torch.Generator().manual_seed(2))
        weights = sampling_weights(gan, None)
        trained = gan.generator(latents).numpy()
        gan.generator.load_state_dict(weights)
        gan.generator.eval()
        evaluated = gan.generator(latents).numpy()
    assert trained.std() > 0.1
    assert np.abs(trained - evaluated).mean() < 0.1 * trained.std()
