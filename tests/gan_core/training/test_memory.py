"""Training in less memory: exact but for rounding, bounded, and told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.gans import registry
from gan_core.gans.infogan import InfoGAN, InfoGANSettings
from gan_core.spec.errors import GraftError
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.memory import (
    PLAIN,
    MemoryPlan,
    accumulate,
    applied,
    memory_plans,
    micro_batches,
)

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


def two_steps(plan: MemoryPlan) -> InfoGAN:
    torch.manual_seed(0)
    gan = InfoGAN(InfoGANSettings(image_size=32))
    gan.initialise()
    gan.prepare_training(CPU, torch.float32)
    real = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    random = torch.Generator().manual_seed(2)
    for _ in range(2):
        with applied(plan, gan.networks()):
            gan.step(real, random, 0.0)
    return gan


@pytest.mark.parametrize(
    "plan", [MemoryPlan(recompute=True), MemoryPlan(recompute=True, offload=True)]
)
def test_recomputing_gives_the_weights_and_statistics_of_the_plain_step(plan: MemoryPlan) -> None:
    plain, lean = two_steps(PLAIN), two_steps(plan)
    for name, network in plain.networks().items():
        found = lean.networks()[name].state_dict()
        for key, value in network.state_dict().items():
            # The running statistics and their counter too: a second pass leaves no second trace.
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6, msg=f"{name} {key}")


def test_recomputing_keeps_less() -> None:
    def kept(plan: MemoryPlan) -> int:
        torch.manual_seed(0)
        gan = InfoGAN(InfoGANSettings(image_size=32))
        gan.prepare_training(CPU, torch.float32)
        latents = gan.random_latents(4, torch.Generator().manual_seed(0))
        held = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal held
            if not (tensor.is_leaf and tensor.requires_grad):
                held += tensor.nbytes
            return tensor

        hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
        with hooks, applied(plan, gan.networks()):
            gan.discriminator(gan.generator(latents))
        return held

    assert kept(MemoryPlan(recompute=True)) < kept(PLAIN) / 5


def test_the_networks_are_as_before_when_a_plan_has_been_applied() -> None:
    gan = InfoGAN(InfoGANSettings(image_size=32))
    with applied(MemoryPlan(recompute=True), gan.networks()):
        assert "forward" in vars(gan.generator)
    assert "forward" not in vars(gan.generator)
    assert all(weight.requires_grad for weight in gan.discriminator.parameters())


def test_gradients_of_micro_batches_add_up_to_those_of_the_batch() -> None:
    weight = torch.ones(3, requires_grad=True)
    rows = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))

    def loss_of(part: slice) -> torch.Tensor:
        return (rows[part] @ weight).square().mean()

    found = {}
    for parts in (1, 2, 3, 8):
        weight.grad = None
        loss = accumulate(loss_of, 7, parts)
        assert weight.grad is not None
        found[parts] = (loss, weight.grad)
    for parts in (2, 3, 8):
        torch.testing.assert_close(found[parts], found[1])


def test_plans_halve_the_batch_down_to_one_image_or_recompute() -> None:
    free = memory_plans(couples_images=False, batch_size=6, device=CPU)
    assert [plan.parts for plan in free] == [1, 2, 4, 8]
    assert [part.stop - part.start for part in micro_batches(6, 4)] == [2, 2, 2]
    assert [part.stop - part.start for part in micro_batches(6, 8)] == [1] * 6
    coupled = memory_plans(couples_images=True, batch_size=6, device=CPU)
    assert coupled == [PLAIN, MemoryPlan(recompute=True)]
    on_gpu = memory_plans(couples_images=True, batch_size=6, device=torch.device("cuda"))
    assert on_gpu[-1] == MemoryPlan(recompute=True, offload=True)
    assert InfoGAN.couples_images


def config(**more: Any) -> TrainConfig:
    return TrainConfig(
        **{"batch_size": 4, "epochs": 6, "snapshots": 1, "sample_count": 2, "precision": "float32"}
        | more
    )


def run(**more: Any) -> TrainResult:
    return train(registry.create("tiny"), IMAGES, config(), **more)


def limit(monkeypatch: pytest.MonkeyPatch, kind: type, most: int) -> list[int]:
    """Let a step run out of memory in its third step and after, where a batch is above ``most``."""
    step = kind.step
    tried: list[int] = []

    def limited(self: Any, real: torch.Tensor, *given: Any) -> Any:
        tried.append(self.memory.parts)
        if len(tried) >= 3 and len(real) // self.memory.parts > most:
            torch.nn.init.zeros_(next(self.generator.parameters()))  # half a step is done
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(self, real, *given)

    monkeypatch.setattr(kind, "step", limited)
    return tried


def test_a_training_that_runs_out_of_memory_goes_on_in_smaller_parts_and_says_so(
    tmp_path: Path, tiny_gan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run()
    tried = limit(monkeypatch, tiny_gan, most=1)
    lean = run(checkpoint_dir=tmp_path)
    assert set(tried) == {1, 2, 4}
    assert len(lean.notices) == 2
    assert lean.notices[0].startswith("In epoch 3 memory ran out")
    assert "each batch in 4 parts" in lean.notices[1]
    for name, value in plain.model.weights.items():
        torch.testing.assert_close(lean.model.weights[name], value, rtol=1e-4, atol=1e-5)


def test_when_no_plan_is_left_it_says_what_to_do(
    tiny_gan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, tiny_gan, most=0)
    with pytest.raises(GraftError) as refused:
        run()
    assert refused.value.code == "out_of_memory"
    assert "batch size" in refused.value.hint


def test_other_failures_are_not_taken_for_a_lack_of_memory(
    tiny_gan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(tiny_gan, "step", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run()
