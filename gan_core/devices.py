"""What a machine computes with, for planning. Needs torch for a GPU alone."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from gan_core.spec.device import DeviceFacts

if TYPE_CHECKING:
    import torch

_LONGEST_NAME = 150


def may_have_gpu() -> bool:
    """Say whether torch might find a GPU here; False is certain (on Linux)."""
    if platform.system() != "Linux":
        return True
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def cpu_facts(threads: int | None = None) -> DeviceFacts:
    """Return what is known of this machine's CPU.

    Args:
        threads: That steps compute with; null: as many as there are CPUs for this process.
    """
    used = threads or _cpus()
    counted = "1 thread" if used == 1 else f"{used} threads"
    return DeviceFacts(
        kind="cpu",
        name=f"{_cpu_name()[:_LONGEST_NAME]}, {counted}",
        memory_bytes=_memory(),
        threads=used,
    )


def facts_of(device: torch.device, threads: int | None = None) -> DeviceFacts:
    """Return what is known of a device of this machine.

    Args:
        device: A GPU, or the CPU.
        threads: As for ``cpu_facts``.
    """
    if device.type != "cuda":
        return cpu_facts(threads)
    import torch

    properties = torch.cuda.get_device_properties(device)
    return DeviceFacts(
        kind="gpu",
        name=str(properties.name)[:_LONGEST_NAME] or "GPU",
        memory_bytes=int(properties.total_memory),
    )


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "CPU"


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
