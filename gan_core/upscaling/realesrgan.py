"""Real-ESRGAN and its compact relatives (Wang et al. 2021, arXiv:2107.10833), run by spandrel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_core.training.precision import Precision, compute_dtype
from gan_core.upscaling.base import Images, Upscaler
from gan_core.upscaling.tiling import run_tiled
from gan_core.upscaling.weights import BundledNet, build_net, fingerprint, load_bundled, load_file

# Side of a tile and its context, in input pixels: GAN images (up to 256) go in one piece.
TILE = 256
OVERLAP = 32

# Part of the fingerprint: raise when a change to the code below can change a pixel.
_VERSION = 1


class NetUpscaler(Upscaler):
    """A super-resolution net, then an antialiased bicubic resize to the size asked for.

    The resize works on the net's float output, so that pixels are rounded to 8 bits once; nothing
    is resized when the net's output has the size already.
    """

    def __init__(
        self,
        name: str,
        state: dict[str, Tensor],
        *,
        halve: bool = False,
        device: torch.device | str = "cpu",
        precision: Precision = "auto",
        tile: int = TILE,
    ) -> None:
        """Build the net.

        Args:
            name: The engine's name.
            state: Weights of an RRDBNet or SRVGGNetCompact, by name.
            halve: Shrink the net's output to a half by bicubic interpolation first.
            device: Where it runs.
            precision: "auto" takes bfloat16 where the hardware computes in it natively.
            tile: Side in pixels above which an input is cut into tiles; a multiple of 4.

        Raises:
            GraftError: ``weights_unrecognised``.
        """
        found = build_net(state)
        self.name = name
        self.device = torch.device(device)
        self.dtype = compute_dtype(precision, self.device)
        self._halve = halve
        self._net_scale = int(found.scale)
        self.scale = self._net_scale // 2 if halve else self._net_scale
        # Two cores are kept busy by one image: larger batches measured no faster (1.3 s an image of
        # 112×112 at 1, 2 and 4 for ×4plus), and one needs no padding. A GPU needs more to be full.
        self.micro_batch = 1 if self.device.type == "cpu" else 8
        self._tile = tile
        self._net: Callable[[Tensor], Tensor] = _prepare(found.model, self.device, self.dtype)
        described = (
            f"{name} {_VERSION} {fingerprint(state)} {self.dtype} {halve} {tile} {OVERLAP} "
            f"{self.micro_batch} {self.device.type}"
        )
        self.fingerprint = hashlib.sha256(described.encode()).hexdigest()

    @torch.inference_mode()
    def upscale_batch(self, images: Images, *, size: int) -> Images:
        """Upscale one batch; see ``Upscaler.upscale_batch``."""
        count = len(images)
        if count < self.micro_batch:
            # The shape of a batch chooses the kernels, and those the last bits.
            filling = np.repeat(images[-1:], self.micro_batch - count, axis=0)
            images = np.concatenate([images, filling])
        pixels = torch.from_numpy(np.array(images)).to(self.device)
        x = pixels.permute(0, 3, 1, 2).float() / 255  # [N,3,h,w] that is channels_last already
        y = run_tiled(self._net, x, scale=self._net_scale, tile=self._tile, overlap=OVERLAP)
        if self._halve:
            y = F.interpolate(y, scale_factor=0.5, mode="bicubic")
        return to_size(y.clamp(0, 1), size)[:count].cpu().numpy()


def to_size(pictures: Tensor, size: int) -> Tensor:
    """Resize float [n, 3, h, w] in [0, 1] to uint8 [n, size, size, 3], antialiased bicubic."""
    if tuple(pictures.shape[2:]) != (size, size):
        pictures = F.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _prepare(net: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Move a net to its device, channels_last; in bfloat16 but for its first and last convolution.

    bfloat16 holds 8 bits: a pixel that enters or leaves in it is off by up to half a level before
    anything is computed. In float32 those two convolutions cost next to nothing.
    """
    net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if dtype == torch.float32:
        return net
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    first, last = convolutions[0], convolutions[-1]
    net.to(dtype)
    first.float().register_forward_hook(lambda _module, _args, out: out.to(dtype))
    last.float().register_forward_pre_hook(lambda _module, args: (args[0].float(),))
    return net


_BUNDLED: dict[str, tuple[BundledNet, bool]] = {
    "realesrgan": ("x4plus", False),
    "realesr-compact-x2": ("compact", True),
    "realesr-compact-x4": ("compact", False),
}


def create_net(
    engine: str,
    *,
    cache_dir: Path,
    weights: Path | None,
    device: torch.device | str,
    precision: Precision,
) -> NetUpscaler:
    """Make one of the net engines; arguments and errors as ``gan_core.upscaling.create``."""
    net, halve = _BUNDLED[engine]
    options: dict[str, Any] = {"halve": halve, "device": device, "precision": precision}
    if weights is not None and engine == "realesrgan":
        return NetUpscaler(engine, load_file(weights), **options)
    return NetUpscaler(engine, load_bundled(net, cache_dir), **options)
