"""The original package as an engine."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_core.spec.errors import GraftError
from gan_core.upscaling import create
from gan_core.upscaling.original import OriginalUpscaler

needs_the_package = pytest.mark.skipif(
    importlib.util.find_spec("realesrgan") is None,
    reason="the original realesrgan package is not installed (extra: realesrgan)",
)


@needs_the_package
def test_our_engine_equals_the_original_pixel_by_pixel(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 6, 6, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    original = create("realesrgan-original", cache_dir=tmp_path)
    ours = create("realesrgan", cache_dir=tmp_path, precision="float32")
    a = original.upscale(images, size=96).astype(int)
    b = ours.upscale(images, size=96).astype(int)
    # The same products in float32, summed in another order: a pixel may round the other way.
    assert np.abs(a - b).max() <= 1
    assert (a != b).mean() < 0.001


@needs_the_package
def test_half_precision_is_told_apart_by_the_fingerprint(tmp_path: Path) -> None:
    whole, half = (OriginalUpscaler(cache_dir=tmp_path, half=half) for half in (False, True))
    assert whole.fingerprint == create("realesrgan-original", cache_dir=tmp_path).fingerprint
    assert half.fingerprint != whole.fingerprint


@needs_the_package
def test_the_stand_in_module_is_gone_after_the_import(tmp_path: Path) -> None:
    upscaler = create("realesrgan-original", cache_dir=tmp_path)
    assert (upscaler.name, upscaler.scale) == ("realesrgan-original", 4)
    assert "torchvision.transforms.functional_tensor" not in sys.modules


def test_an_absent_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GraftError) as caught:
        create("realesrgan-original", cache_dir=tmp_path)
    assert caught.value.code == "engine_not_installed"
    assert "graft-gan[realesrgan]" in caught.value.hint
