"""What a result was computed with, for the report and the manifest."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from gan_core import __version__

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


def describe_device() -> dict[str, str]:
    """Return the device, its precision and the number of CPU threads. Imports torch."""
    import torch

    described = {"threads": str(torch.get_num_threads())}
    described["cpu"] = torch.backends.cpu.get_cpu_capability()
    if torch.cuda.is_available():
        described["gpu"] = torch.cuda.get_device_name()
        described["cuda"] = str(torch.version.cuda)
    return described
