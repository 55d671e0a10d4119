"""Drawn and real images are compared by features that were made in the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_core.features import FeatureExtractor
from gan_core.screening.features import drawn_features
from gan_core.steps.features import small_first
from gan_core.upscaling.lanczos import LanczosUpscaler


def test_an_image_as_drawn_has_the_features_of_a_real_one_at_the_gans_size(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    extractor = FeatureExtractor()
    drawn = drawn_features(tmp_path / "drawn.npy", images, "drawn", extractor)
    prepare = small_first(32, LanczosUpscaler())
    real = extractor.extract_into(tmp_path / "real.npy", images, "real", prepare=prepare)
    np.testing.assert_array_equal(drawn, real)


def test_other_images_in_the_same_place_are_looked_at_anew(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    extractor = FeatureExtractor()
    before = np.array(drawn_features(tmp_path / "drawn.npy", images[:2], "some", extractor))
    after = drawn_features(tmp_path / "drawn.npy", images[2:], "others", extractor)
    assert not np.array_equal(before, after)
