"""What a result was computed with, for the report and the manifest."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from gan_core import __version__

if TYPE_CHECKING:
    import torch

_LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "scikit-learn", "spandrel", "timm")


def describe_environment() -> dict[str, str]:
    """Return versions of the code, Python and the libraries that pixels and figures depend on."""
    described = {
        "graft": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    for name in _LIBRARIES:
        try:
            described[name] = version(name)
        except PackageNotFoundError:
            continue
    return described


def describe_device(device: torch.device) -> dict[str, str]:
    """Return what decides how a device rounds: its "name", and threads or version. Needs torch."""
    import torch

    if device.type == "cuda":
        return {"name": torch.cuda.get_device_name(device), "cuda": str(torch.version.cuda)}
    capability = torch.backends.cpu.get_cpu_capability()
    return {"name": f"CPU ({capability})", "threads": str(torch.get_num_threads())}
