"""What an upscaler makes of real images that were small."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core import fidelity
from gan_core.fidelity import likeness, measured
from gan_core.progress import Progress, Stopped
from gan_core.training.fit import fit_to_size
from gan_core.upscaling.base import Images, Upscaler
from gan_core.upscaling.lanczos import LanczosUpscaler


class Repeating(Upscaler):
    """Enlarges by copying pixels."""

    name = "repeating"
    scale = 1
    fingerprint = "r"
    micro_batch = 4

    def upscale_batch(self, images: Images, *, size: int) -> Images:
        factor = size // images.shape[1]
        return images.repeat(factor, axis=1).repeat(factor, axis=2)


def smooth_images(count: int, side: int = 48) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(40, 216, (count, 6, 6, 3), dtype=np.uint8)
    return LanczosUpscaler().upscale(coarse, size=side)


def test_psnr_is_that_of_its_definition() -> None:
    real = smooth_images(2).clip(0, 240)
    found = real.copy()
    found[0] += 10
    psnr, ssim = likeness(found, real)
    assert psnr[0] == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    assert ssim[0] < 1
    assert psnr[1] == 100.0
    assert ssim[1] == pytest.approx(1.0, abs=1e-6)


def test_each_image_is_judged_by_itself() -> None:
    real = smooth_images(5)
    noise = np.random.default_rng(1).integers(0, 8, real.shape, dtype=np.uint8)
    found = real + noise * np.arange(5, dtype=np.uint8)[:, None, None, None]
    together = np.stack(likeness(found, real))
    alone = np.concatenate([likeness(found[i : i + 1], real[i : i + 1]) for i in range(5)], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert (np.diff(together[0]) < 0).all()
    assert (np.diff(together[1]) < 0).all()


def test_images_that_were_never_made_small_are_wholly_kept() -> None:
    images = smooth_images(3)
    found = measured(LanczosUpscaler(), images, np.arange(3), images, images)
    assert (found.n, found.size_from, found.size_to) == (3, 48, 48)
    assert (found.psnr.mean, found.psnr.sd) == (100.0, 0.0)
    assert found.ssim.mean == pytest.approx(1.0, abs=1e-6)
    assert found.psnr_lanczos == found.psnr


def test_an_upscaler_stands_beside_the_plain_filter_on_the_rows_that_were_made_small() -> None:
    images, rows = smooth_images(6), np.array([1, 3, 4])
    small = fit_to_size(images[rows], 24)
    upscaler = Repeating()
    large = upscaler.upscale(small, size=48)
    found = measured(upscaler, images, rows, small, large)
    assert found.engine == "repeating"
    assert found.n == 3
    psnr, ssim = likeness(large, images[rows])
    assert found.psnr.mean == pytest.approx(psnr.mean())
    assert found.psnr.sd == pytest.approx(psnr.std(ddof=1))
    assert found.ssim.mean == pytest.approx(ssim.mean())
    psnr, _ = likeness(LanczosUpscaler().upscale(small, size=48), images[rows])
    assert found.psnr_lanczos.mean == pytest.approx(psnr.mean())
    # These were drawn by that filter.
    assert found.psnr_lanczos.mean > found.psnr.mean + 3
    assert found.ssim_lanczos.mean > found.ssim.mean
    found.model_validate_json(found.model_dump_json())


def test_a_single_image_has_no_deviation() -> None:
    images = smooth_images(1)
    assert measured(LanczosUpscaler(), images, np.arange(1), images, images).psnr.sd is None


def test_of_many_images_some_are_measured_that_are_spread_evenly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = smooth_images(40)
    # Only every other one is kept by the "upscaler".
    upscaled = images.copy()
    upscaled[1::2] = 255 - upscaled[1::2]
    monkeypatch.setattr(fidelity, "MOST_IMAGES", 20)
    told: list[Progress] = []
    found = measured(
        LanczosUpscaler(), images, np.arange(40), images, upscaled, on_progress=told.append
    )
    assert (found.n, found.psnr.mean) == (20, 100.0)
    assert [round(progress.fraction, 2) for progress in told] == [0.4, 0.8, 1.0]
    with pytest.raises(Stopped):
        measured(
            LanczosUpscaler(), images, np.arange(40), images, upscaled, should_stop=lambda: True
        )


def test_images_that_do_not_fit_each_other_are_refused() -> None:
    images = smooth_images(2)
    with pytest.raises(ValueError, match="compared"):
        likeness(images, images[:, :40])
    with pytest.raises(ValueError, match="do not fit"):
        measured(LanczosUpscaler(), images, np.arange(2), images[:1], images)
    with pytest.raises(ValueError, match="do not fit"):
        measured(LanczosUpscaler(), images, np.arange(0), images[:0], images[:0])
