import logging
from pathlib import Path

import pytest
import torch

from gan_core.spec.errors import GraftError
from gan_core.training import durable
from gan_core.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)


def checkpoint(step: int, config_hash: str = "abc") -> Checkpoint:
    tensors = {
        "weight": torch.full((2, 3), float(step)),
        "average": torch.full((2,), step, dtype=torch.bfloat16),
        "random": torch.arange(5, dtype=torch.uint8),
        "scalar": torch.tensor(1.5, dtype=torch.float64),
    }
    return Checkpoint(config_hash, step, tensors, {"epoch": step, "history": [{"loss": 0.1}]})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint(7)
    save_checkpoint(tmp_path, saved)
    loaded = load_checkpoint(tmp_path, "abc")
    assert loaded is not None
    assert (loaded.step, loaded.progress) == (7, saved.progress)
    assert loaded.tensors.keys() == saved.tensors.keys()
    for name, tensor in saved.tensors.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_the_last_two_are_kept_and_nothing_else_lies_about(tmp_path: Path) -> None:
    for step in (1, 20, 300):
        save_checkpoint(tmp_path, checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-000000000020.safetensors",
        "checkpoint-000000000300.safetensors",
    ]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "abc") is None
    assert load_checkpoint(tmp_path / "never made", "abc") is None


@pytest.mark.parametrize("damage", ["truncated", "empty", "one bit", "one byte of the note"])
def test_a_damaged_newest_one_falls_back_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, checkpoint(2))
    newest = tmp_path / "checkpoint-000000000002.safetensors"
    data = bytearray(newest.read_bytes())
    match damage:
        case "truncated":
            data = data[:-3]
        case "empty":
            data = bytearray()
        case "one bit":
            data[-1] ^= 1
        case _:
            data[data.index(b"0.1")] = ord("9")
    newest.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        loaded = load_checkpoint(tmp_path, "abc")
    assert loaded is not None
    assert loaded.step == 1
    assert "passed over" in caplog.text


def test_nothing_whole_is_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-000000000002.safetensors").write_bytes(b"\xff" * 100)
    assert load_checkpoint(tmp_path, "abc") is None


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1, "another"))
    with pytest.raises(GraftError) as refused:
        load_checkpoint(tmp_path, "abc")
    assert refused.value.code == "checkpoint_mismatch"


def test_a_full_disk_is_an_error_to_act_on_and_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, checkpoint(1))

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", no_space)
    with pytest.raises(GraftError) as refused:
        save_checkpoint(tmp_path, checkpoint(2))
    assert refused.value.code == "checkpoint_not_written"
    assert "No space left on device" in refused.value.detail
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000000001.safetensors"]


def test_a_fused_optimizer_goes_on_as_if_never_interrupted() -> None:
    """With a channels_last weight its moments must lie in memory as the weight does."""
    torch.manual_seed(0)
    start = torch.randn(4, 3, 3, 3)
    gradients = torch.randn(4, 4, 3, 3, 3)

    def trained(interrupted: bool) -> torch.Tensor:
        weight = start.clone().to(memory_format=torch.channels_last).requires_grad_()
        optimizer = torch.optim.Adam([weight], fused=True)
        for number, gradient in enumerate(gradients):
            if interrupted and number == 2:
                saved = {k: v.clone().contiguous() for k, v in optimizer_tensors(optimizer).items()}
                optimizer = torch.optim.Adam([weight], fused=True)
                restore_optimizer(optimizer, saved)
            weight.grad = gradient.to(memory_format=torch.channels_last)
            optimizer.step()
        return weight.detach()

    assert torch.equal(trained(interrupted=True), trained(interrupted=False))
