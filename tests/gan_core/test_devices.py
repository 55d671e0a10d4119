"""What is known of a machine without computing anything on it."""

from __future__ import annotations

import subprocess
import sys

import torch

from gan_core.devices import cpu_facts, facts_of
from gan_core.spec import DeviceFacts


def test_a_cpu_is_known_by_its_name_and_threads() -> None:
    facts = cpu_facts(3)
    assert (facts.kind, facts.threads) == ("cpu", 3)
    assert facts.name.endswith(", 3 threads")
    assert cpu_facts(1).name.endswith(", 1 thread")
    assert facts.memory_bytes is None or facts.memory_bytes > 2**28


def test_a_torch_device_of_the_cpu_tells_the_same() -> None:
    assert facts_of(torch.device("cpu"), 2) == cpu_facts(2)


def test_it_needs_no_torch_for_a_cpu() -> None:
    code = "import gan_core.devices as d, sys; d.cpu_facts(); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_gpu_is_better_than_a_cpu_and_more_memory_than_less() -> None:
    cpu = DeviceFacts(kind="cpu", name="c", memory_bytes=2**50, threads=500)
    small = DeviceFacts(kind="gpu", name="s", memory_bytes=2**32)
    large = DeviceFacts(kind="gpu", name="l", memory_bytes=2**36)
    assert small.is_better_than(cpu)
    assert large.is_better_than(small)
    assert not cpu.is_better_than(small)
    assert not small.is_better_than(small)
