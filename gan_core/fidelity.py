"""How well real images survive being made small and upscaled again.

An upscaler that was trained on photographs need not be good at these images, and a plain filter may
be better: so each is measured on the data set's own images. PSNR and SSIM (Wang et al. 2004, "Image
quality assessment: from error visibility to structural similarity") are torchmetrics'.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.spec.findings import Interval, UpscalerFidelity
from gan_core.training.fit import fit_to_size
from gan_core.upscaling.base import Upscaler
from gan_core.upscaling.lanczos import LanczosUpscaler

MOST_IMAGES = 200
MOST_PSNR = 100.0
"""dB, of images that are equal: infinity is no number that a table could hold."""
_BLOCK = 8

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]


def likeness(
    found: Images, real: Images, *, device: torch.device | str = "cpu"
) -> tuple[Scores, Scores]:
    """Compare images with what they should be, one by one.

    Args:
        found: uint8 [n, S, S, 3], S ≥ 11.
        real: uint8 [n, S, S, 3].
        device: Where it is computed.

    Returns:
        PSNR in dB, at most 100, and SSIM (Gaussian window of 11 pixels, mean over colours);
        float64 [n] each.

    Raises:
        ValueError: Shapes differ.
    """
    if found.shape != real.shape:
        raise ValueError(f"{found.shape} cannot be compared with {real.shape}")
    if not len(real):
        return np.empty(0), np.empty(0)
    preds, target = _as_tensor(found, device), _as_tensor(real, device)
    psnr = peak_signal_noise_ratio(
        preds, target, data_range=255.0, reduction="none", dim=(1, 2, 3)
    ).clamp(max=MOST_PSNR)
    ssim = structural_similarity_index_measure(preds, target, data_range=255.0, reduction="none")
    # It returns pairs only where maps are asked for.
    scores = cast("Tensor", ssim).reshape(-1)
    return psnr.double().cpu().numpy(), scores.double().cpu().numpy()


def measured(
    upscaler: Upscaler,
    images: Images,
    rows: NDArray[np.int64],
    small: Images,
    upscaled: Images,
    *,
    device: torch.device | str = "cpu",
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> UpscalerFidelity:
    """Measure an upscaler, and the plain filter beside it, on real images.

    Args:
        upscaler: What made ``upscaled`` of ``small``.
        images: uint8 [M, S', S', 3]: real images. Where they are of another side than
            ``upscaled``, they are brought to it first.
        rows: int64 [N], N ≥ 1: those of ``images`` that were made small.
        small: uint8 [N, s, s, 3]: as they were made small.
        upscaled: uint8 [N, S, S, 3], S ≥ 11: as they were upscaled again.
        device: Where it is computed.
        on_progress: Told after each block.
        should_stop: Asked before each block.

    Returns:
        Mean and standard deviation over the images, at most 200 of them, spread evenly; of a single
        one no deviation.

    Raises:
        ValueError: There is no row, or not as many images.
        Stopped: ``should_stop()`` said so.
    """
    if not len(rows) or not len(rows) == len(small) == len(upscaled):
        raise ValueError(
            f"{len(rows)} rows, {len(small)} small and {len(upscaled)} upscaled images do not fit"
        )
    count, size, plain = min(len(rows), MOST_IMAGES), upscaled.shape[1], LanczosUpscaler()
    spread = np.arange(count) * len(rows) // count
    found: list[tuple[Scores, Scores, Scores, Scores]] = []
    for start in range(0, count, _BLOCK):
        if should_stop():
            raise Stopped
        some = spread[start : start + _BLOCK]
        real = fit_to_size(images[rows[some]], size)
        by_filter = plain.upscale(small[some], size=size)
        found.append(
            (
                *likeness(upscaled[some], real, device=device),
                *likeness(by_filter, real, device=device),
            )
        )
        done = min(start + _BLOCK, count)
        on_progress(Progress(done / count, f"measuring {upscaler.name}, image {done}/{count}"))
    psnr, ssim, psnr_plain, ssim_plain = (np.concatenate(of) for of in zip(*found, strict=True))
    return UpscalerFidelity(
        engine=upscaler.name,
        size_from=small.shape[1],
        size_to=size,
        n=count,
        psnr=_over_images(psnr),
        ssim=_over_images(ssim),
        psnr_lanczos=_over_images(psnr_plain),
        ssim_lanczos=_over_images(ssim_plain),
    )


def _over_images(scores: Scores) -> Interval:
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else None
    return Interval(mean=float(scores.mean()), sd=sd)


def _as_tensor(images: Images, device: torch.device | str) -> Tensor:
    # A copy, for the images may be a read-only map of a file.
    return torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2).float()
