"""What a worker takes of its machine: memory of its processes, memory of its GPU, room on disks.

The GPU is asked through NVML (NVIDIA's management library), which needs no CUDA context: CUDA must
not be touched in the Celery parent, which forks.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.room import free_by_place
from store.settings import Settings

_PROC = Path("/proc")


def usage_of(settings: Settings, environment: Mapping[str, str]) -> dict[str, int]:
    """Return ``WorkerSeen.usage``; what cannot be told is left out.

    Args:
        settings: The worker's.
        environment: Whose ``CUDA_VISIBLE_DEVICES`` says which GPU is the worker's.
    """
    found: dict[str, int] = {}
    if (resident := resident_bytes(os.getpid())) is not None:
        found["resident_bytes"] = resident
    if free := free_by_place(settings):
        found["free_bytes"] = min(free.values())
    if settings.device != "cpu":
        found |= gpu_memory(environment.get("CUDA_VISIBLE_DEVICES"))
    return found


def resident_bytes(pid: int, proc: Path = _PROC) -> int | None:
    """Return the resident memory of a process and all its descendants; null: not on Linux.

    Pages that several of them share are counted for each.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    children: dict[int, list[int]] = defaultdict(list)
    resident: dict[int, int] = {}
    for entry in proc.glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            pages = int((entry / "statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):  # it has ended while we looked
            continue
        # The name, in brackets, may hold anything; the parent is the second field after it.
        children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
        resident[int(entry.name)] = pages * page
    if pid not in resident:
        return None
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += resident[one]
        waiting += children[one]
    return total


def gpu_memory(visible: str | None) -> dict[str, int]:
    """Return the memory of the first GPU that CUDA would show; empty without NVML or a GPU.

    Args:
        visible: ``CUDA_VISIBLE_DEVICES``; null: all are.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    # Begun and ended each time: nothing of it may be open when the Celery parent forks.
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(_handle(pynvml, visible))
        return {
            "gpu_memory_used_bytes": int(memory.used),
            "gpu_memory_total_bytes": int(memory.total),
        }
    except (pynvml.NVMLError, ValueError):
        return {}
    finally:
        pynvml.nvmlShutdown()


def _handle(pynvml: Any, visible: str | None) -> Any:
    """Return NVML's handle of a GPU. CUDA names them by number, or by (the start of) a UUID."""
    first = "0" if visible is None else visible.split(",")[0].strip()
    if not first.startswith(("GPU-", "MIG-")):
        return pynvml.nvmlDeviceGetHandleByIndex(int(first))
    if first.startswith("MIG-"):
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    for index in range(pynvml.nvmlDeviceGetCount()):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        if pynvml.nvmlDeviceGetUUID(handle).startswith(first):
            return handle
    raise ValueError(first)
