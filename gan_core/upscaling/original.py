"""The original ``realesrgan`` package as a second engine, with the same ×4plus weights.

An extra (``graft-gan[realesrgan]``): the package is of 2022 and brings forty others along. It is
here so that anyone can check that the engine ``realesrgan`` computes what the original computes.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_core.spec.errors import GraftError
from gan_core.upscaling.base import Images, Upscaler
from gan_core.upscaling.realesrgan import to_size
from gan_core.upscaling.weights import fingerprint, load_bundled

_GONE = "torchvision.transforms.functional_tensor"


class OriginalUpscaler(Upscaler):
    """``RealESRGANer`` of the original package: one image at a time, in float32 unless asked.

    Its 8-bit output at ×4 is resized to the size asked for as ``NetUpscaler`` does.
    """

    name = "realesrgan-original"
    scale = 4
    micro_batch = 1

    def __init__(
        self, *, cache_dir: Path, device: torch.device | str = "cpu", half: bool = False
    ) -> None:
        """Import the package and load the weights.

        Args:
            cache_dir: As ``load_bundled``.
            device: Where it runs.
            half: Compute in float16, as the package's own script does on a GPU.

        Raises:
            GraftError: ``engine_not_installed``, ``weights_missing``, ``weights_unrecognised``.
        """
        realesrgan, architectures = _import_original()
        state = {name: value.float() for name, value in load_bundled("x4plus", cache_dir).items()}
        self.device = torch.device(device)
        net = architectures.RRDBNet(
            num_in_ch=3, num_out_ch=3, num_feat=64, num_block=23, num_grow_ch=32, scale=4
        )
        # The package takes weights from a file alone.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.pth"
            torch.save({"params": state}, path)
            self._enhancer = realesrgan.RealESRGANer(
                scale=4, model_path=str(path), model=net, pre_pad=0, half=half, device=self.device
            )
        described = f"{self.name} 0.3.0 {fingerprint(state)} {self.device.type}"
        if half:
            described += " float16"
        self.fingerprint = hashlib.sha256(described.encode()).hexdigest()

    @torch.inference_mode()
    def upscale_batch(self, images: Images, *, size: int) -> Images:
        """Upscale one image; see ``Upscaler.upscale_batch``."""
        # The package speaks OpenCV's BGR.
        enlarged, _ = self._enhancer.enhance(np.ascontiguousarray(images[0, :, :, ::-1]))
        pictures = torch.from_numpy(np.ascontiguousarray(enlarged[None, :, :, ::-1]))
        return to_size(pictures.permute(0, 3, 1, 2).float() / 255, size).numpy()


def _import_original() -> tuple[Any, Any]:
    if importlib.util.find_spec("realesrgan") is None:
        raise GraftError(
            "engine_not_installed",
            "The original realesrgan package is not installed.",
            "pip install 'graft-gan[realesrgan]', or choose the engine realesrgan.",
        )
    with _functional_tensor(), warnings.catch_warnings():
        # A package of 2022 on libraries of today: what is deprecated there is not ours to mend.
        warnings.simplefilter("ignore")
        return (
            importlib.import_module("realesrgan"),
            importlib.import_module("basicsr.archs.rrdbnet_arch"),
        )


@contextmanager
def _functional_tensor() -> Iterator[None]:
    """Give back, while importing, the one function of a module that torchvision 0.17 removed."""
    if importlib.util.find_spec(_GONE) is not None:
        yield
        return
    from torchvision.transforms.functional import rgb_to_grayscale

    stand_in = types.ModuleType(_GONE)
    stand_in.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_GONE] = stand_in
    try:
        yield
    finally:
        del sys.modules[_GONE]
