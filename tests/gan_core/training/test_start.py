"""Trainings that begin from trained networks, and what stays frozen in them; every kind of GAN."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans import registry
from gan_core.gans.base import Gan
from gan_core.gans.checks import SIZES
from gan_core.progress import Stopped
from gan_core.spec.errors import GraftError
from gan_core.spec.gan_settings import discriminator_blocks
from gan_core.training.config import training_identity
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.run import Run
from gan_core.training.start import Start
from gan_core.training.tensorfile import pack

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "latent_dim": 8},
    "fastgan": {"width": 3, "latent_dim": 8},
    "infogan": {"latent_dim": 8},
    "pggan": {"width": 8, "latent_dim": 8},
    "stylegan2": {"width": 8, "latent_dim": 8, "mapping_layers": 2, "augment": "ada"},
}
CPU = torch.device("cpu")


def small(name: str, **settings: Any) -> Gan:
    return registry.create(name, **{"image_size": 32, **SMALL[name], **settings})


def pictures(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def config(**more: Any) -> TrainConfig:
    given = {"batch_size": 2, "epochs": 2, "ema_decay": 0.9, "snapshots": 1, "sample_count": 2}
    return TrainConfig(**{**given, **more})


@pytest.fixture(scope="module")
def starts() -> dict[str, Start]:
    made = {}
    for name in SMALL:
        gan = small(name)
        result = train(gan, pictures(1), config(epochs=1), data_digest="d")
        made[name] = Start.of(gan, result.model.weights)
    return made


def go_on(name: str, start: Start | None, settings: TrainConfig, **more: Any) -> TrainResult:
    return train(small(name), pictures(), settings, data_digest="d", begins=start, **more)


def state_of(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_every_kind_is_tried_here() -> None:
    assert tuple(sorted(SMALL)) == registry.names()


@pytest.mark.parametrize("name", SMALL)
def test_a_training_begins_with_all_networks_and_the_moving_average_as_they_were(
    name: str, starts: dict[str, Start]
) -> None:
    gan = small(name)
    run = Run(gan, pictures(), config(), CPU, begins=starts[name])
    for network_name, network in gan.networks().items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, starts[name].tensors[f"{network_name}.{key}"]), key
    assert run.average is not None
    for key, value in run.average.weights().items():
        assert torch.equal(value, starts[name].tensors[f"generator.{key}"]), key
    assert all(not optimizer.state for optimizer in gan.optimizers.values())


def test_what_is_passed_on_is_the_average_and_not_the_generator_itself() -> None:
    gan = small("dcgan")
    result = train(gan, pictures(1), config(), data_digest="d")
    start = Start.of(gan, result.model.weights)
    key = "body.0.weight"
    assert torch.equal(start.tensors[f"generator.{key}"], result.model.weights[key])
    assert not torch.equal(start.tensors[f"generator.{key}"], gan.generator.state_dict()[key])
    for name, value in gan.networks()["discriminator"].state_dict().items():
        assert torch.equal(start.tensors[f"discriminator.{name}"], value)


@pytest.mark.parametrize("freeze_d", [0, 2])
@pytest.mark.parametrize("name", SMALL)
def test_one_that_began_from_trained_networks_resumes_bit_for_bit(
    name: str, freeze_d: int, starts: dict[str, Start], tmp_path: Path
) -> None:
    settings = config(freeze_d=freeze_d)
    undisturbed = go_on(name, starts[name], settings)
    asked = iter(range(100))
    with pytest.raises(Stopped):
        go_on(
            name,
            starts[name],
            settings,
            checkpoint_dir=tmp_path,
            should_stop=lambda: next(asked) == 4,
        )
    torch.manual_seed(9)
    resumed = go_on(name, starts[name], settings, checkpoint_dir=tmp_path)
    assert resumed.model.to_bytes() == undisturbed.model.to_bytes()
    assert resumed.history == undisturbed.history
    assert undisturbed.model.to_bytes() != go_on(name, None, config()).model.to_bytes()


def test_another_start_is_another_training(starts: dict[str, Start]) -> None:
    tensors = starts["dcgan"].tensors
    other = Start("dcgan", {name: value + 1 for name, value in tensors.items()})
    identities = {
        training_identity(small("dcgan"), pictures(), settings, CPU, begins=start)
        for start in (None, starts["dcgan"], other)
        for settings in (config(), config(freeze_d=1))
    }
    assert len(identities) == 6


def test_a_checkpoint_of_another_start_is_refused(starts: dict[str, Start], tmp_path: Path) -> None:
    go_on("dcgan", starts["dcgan"], config(checkpoint_seconds=0), checkpoint_dir=tmp_path)
    with pytest.raises(GraftError) as refused:
        go_on("dcgan", None, config(), checkpoint_dir=tmp_path)
    assert refused.value.code == "checkpoint_mismatch"


@pytest.mark.parametrize("name", SMALL)
def test_frozen_blocks_keep_every_bit_while_the_others_and_the_generator_learn(
    name: str, starts: dict[str, Start]
) -> None:
    gan = small(name)
    run = Run(gan, pictures(), config(freeze_d=2), CPU, begins=starts[name])
    blocks = gan.discriminator_blocks()
    before = [state_of(block) for block in blocks]
    generator = state_of(gan.generator)
    head = {
        key: value.clone()
        for network_name, network in gan.networks().items()
        if network_name in ("discriminator", "critic")
        for key, value in network.named_parameters()
    }
    while run.epoch < 2:
        run.step()
    for number, (block, kept) in enumerate(zip(blocks, before, strict=True)):
        now = block.state_dict()
        is_same = all(torch.equal(now[key], value) for key, value in kept.items())
        assert is_same == (number < 2), number
    assert any(not torch.equal(head[key], value) for key, value in _discriminator(gan))
    for key, weight in gan.generator.named_parameters():
        if "to_image" not in key:  # PGGAN has one for every size, and draws with the last
            assert not torch.equal(weight, generator[key]), key


def _discriminator(gan: Gan) -> list[tuple[str, Tensor]]:
    networks = gan.networks()
    return list(networks["critic" if "critic" in networks else "discriminator"].named_parameters())


@pytest.mark.parametrize("name", SMALL)
def test_a_training_with_nothing_frozen_frees_what_was(name: str, starts: dict[str, Start]) -> None:
    gan = small(name)
    Run(gan, pictures(), config(freeze_d=2), CPU, begins=starts[name])
    Run(gan, pictures(), config(), CPU, begins=starts[name])
    for network in gan.networks().values():
        assert all(weight.requires_grad for weight in network.parameters())
        assert all(module.training for module in network.modules())


@pytest.mark.parametrize("size", [*SIZES, 48])
@pytest.mark.parametrize("name", SMALL)
def test_there_are_as_many_blocks_as_the_spec_says_and_no_more_can_be_frozen(
    name: str, size: int
) -> None:
    if size not in SIZES and name != "infogan":
        pytest.skip("InfoGAN alone has this size")
    narrow = {} if name == "infogan" else {"width": 2}
    gan = small(name, image_size=size, **narrow)
    count = len(gan.discriminator_blocks())
    assert count == discriminator_blocks(name, size)
    gan.freeze_discriminator(count)
    assert any(weight.requires_grad for _, weight in _discriminator(gan))  # the head
    with pytest.raises(GraftError) as refused:
        gan.freeze_discriminator(count + 1)
    assert refused.value.code == "freeze_d_out_of_range"


def test_blocks_are_counted_from_the_image() -> None:
    for name in SMALL:
        first = small(name).discriminator_blocks()[0]
        kernels = [weight for weight in first.parameters() if weight.dim() == 4]
        assert kernels[0].shape[1] == 3, name


def test_a_pggan_that_was_trained_stays_grown(starts: dict[str, Start]) -> None:
    gan = small("pggan")
    run = Run(gan, pictures(), config(), CPU, begins=starts["pggan"])
    run.step()
    assert run.fraction < 0.5
    assert gan.generator.fraction == 1.0
    Run(gan, pictures(), config(), CPU).step()
    assert gan.generator.fraction == 0.0


def test_networks_of_another_kind_or_size_are_refused(starts: dict[str, Start]) -> None:
    for start, gan in (
        (starts["fastgan"], small("dcgan")),
        (starts["dcgan"], small("dcgan", width=8)),
    ):
        with pytest.raises(GraftError) as refused:
            Run(gan, pictures(), config(), CPU, begins=start)
        assert refused.value.code == "start_does_not_fit"


def test_it_survives_its_file_and_nothing_else_is_read(
    starts: dict[str, Start], tmp_path: Path
) -> None:
    path = tmp_path / "networks.safetensors"
    start = starts["stylegan2"]
    start.save(path)
    again = Start.load(path)
    assert (again.gan, again.digest) == ("stylegan2", start.digest)
    for bad in (b"\x80\x04pickle", path.read_bytes()[:-1], pack({}, {"generator": 1})):
        path.write_bytes(bad)
        with pytest.raises(GraftError) as refused:
            Start.load(path)
        assert refused.value.code == "start_unreadable"
