"""Bringing a GAN's images to their final size.

Engines:
    ``lanczos``: a plain filter.
    ``realesrgan``: Real-ESRGAN ×4plus (RRDBNet), or a person's own weights.
    ``realesr-compact-x4``: realesr-animevideov3, a small fast net trained on drawn video.
    ``realesr-compact-x2``: the same net, its output halved, as its publishers make their ×2.
    ``realesrgan-original``: the original package, when installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gan_core.spec.errors import GraftError
from gan_core.upscaling.base import Upscaler, upscale_set

if TYPE_CHECKING:
    import torch

    from gan_core.training.precision import Precision

ENGINES = (
    "lanczos",
    "realesr-compact-x2",
    "realesr-compact-x4",
    "realesrgan",
    "realesrgan-original",
)

__all__ = ["ENGINES", "Upscaler", "create", "upscale_set"]


def create(
    engine: str,
    *,
    cache_dir: Path,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    precision: Precision = "auto",
) -> Upscaler:
    """Make an upscaler.

    Args:
        engine: One of ``ENGINES``.
        cache_dir: Where converted weights are kept (33 MB for ``realesrgan``); made if absent.
        weights: A person's own Real-ESRGAN file (.pth or .safetensors), for ``realesrgan`` alone.
        device: Where a net runs.
        precision: Arithmetic of a net: "auto" takes bfloat16 where the hardware computes in it
            natively. ``realesrgan-original`` always runs in float32.

    Returns:
        The upscaler, ready to run.

    Raises:
        GraftError: ``unknown_upscaler``, ``weights_missing``, ``weights_unrecognised`` or
            ``engine_not_installed``.
        OSError: The cache directory cannot be written.
    """
    if engine not in ENGINES:
        raise GraftError(
            "unknown_upscaler",
            "There is no upscaler of that name.",
            f"Choose one of: {', '.join(ENGINES)}.",
        )
    if engine == "lanczos":
        from gan_core.upscaling.lanczos import LanczosUpscaler

        return LanczosUpscaler()
    if engine == "realesrgan-original":
        from gan_core.upscaling.original import OriginalUpscaler

        return OriginalUpscaler(cache_dir=cache_dir, device=device)
    from gan_core.upscaling.realesrgan import create_net

    return create_net(
        engine, cache_dir=cache_dir, weights=weights, device=device, precision=precision
    )
