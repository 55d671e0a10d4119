"""What a worker takes of its machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from store.settings import Settings
from worker.usage import gpu_memory, resident_bytes, usage_of


class FakeNvml:
    """Two GPUs, as NVML shows them: by the order of the bus, whatever CUDA is to see."""

    class NVMLError(Exception):
        pass

    uuids = ("GPU-aaaa-1", "GPU-bbbb-2")

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.open = 0

    def nvmlInit(self) -> None:
        if not self.is_there:
            raise self.NVMLError
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index >= len(self.uuids):
            raise self.NVMLError
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return self.uuids[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=handle + 1, total=80)


def with_nvml(monkeypatch: pytest.MonkeyPatch, fake: FakeNvml) -> FakeNvml:
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.mark.parametrize(
    ("visible", "used"),
    [(None, 1), ("0", 1), ("1", 2), ("1,0", 2), ("GPU-bbbb", 2), ("", None), ("7", None)],
)
def test_the_gpu_is_the_first_that_cuda_would_show(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, used: int | None
) -> None:
    fake = with_nvml(monkeypatch, FakeNvml())
    found = gpu_memory(visible)
    assert found.get("gpu_memory_used_bytes") == used
    assert found.get("gpu_memory_total_bytes") == (None if used is None else 80)
    assert fake.open == 0


def test_without_nvml_nothing_is_said_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with_nvml(monkeypatch, FakeNvml(is_there=False))
    assert gpu_memory(None) == {}


def test_a_worker_that_computes_on_the_cpu_asks_for_no_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_nvml(monkeypatch, FakeNvml())
    on_cpu = usage_of(Settings(data_dir=tmp_path, device="cpu"), {})
    assert set(on_cpu) == {"resident_bytes", "free_bytes"}
    on_any = usage_of(Settings(data_dir=tmp_path), {"CUDA_VISIBLE_DEVICES": "1"})
    assert on_any["gpu_memory_used_bytes"] == 2


def test_memory_of_a_child_counts_as_its_parents() -> None:
    alone = resident_bytes(os.getpid())
    code = "x = bytearray(b'1') * (60 * 2**20); print(len(x), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        together = resident_bytes(os.getpid())
        child.communicate(b"\n")
    assert alone is not None
    assert together is not None
    assert together - alone > 55 * 2**20


def test_where_there_is_no_proc_nothing_is_said_of_memory(tmp_path: Path) -> None:
    assert resident_bytes(1, proc=tmp_path) is None


def test_cuda_is_never_touched() -> None:
    code = "import sys, worker.usage as u; u.gpu_memory(None); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
