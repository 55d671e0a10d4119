"""The engines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError
from gan_core.upscaling import ENGINES, Upscaler, create
from gan_core.upscaling.realesrgan import NetUpscaler
from gan_core.upscaling.weights import load_bundled


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def drawn(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Smooth blobs on a gradient, uint8 [count, side, side, 3]."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    images = np.empty((count, side, side, 3))
    for index in range(count):
        row, column, radius = random.uniform([0.3, 0.3, 0.15], [0.7, 0.7, 0.3])
        blob = 1 / (1 + np.exp((np.hypot(rows - row, columns - column) - radius) * 40))
        skin = np.stack([0.9 - 0.1 * rows, 0.7 - 0.1 * columns, 0.65 + 0 * rows], axis=-1)
        images[index] = skin * (1 - 0.6 * blob[..., None])
    return (images * 255).round().astype(np.uint8)


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    box = Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(i).resize((side, side), box)) for i in images])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


LIGHT = ("lanczos", "realesr-compact-x2", "realesr-compact-x4")


@pytest.mark.parametrize("engine", [*LIGHT, "realesrgan"])
def test_an_upscaled_picture_is_the_same_picture_larger(engine: str, cache: Path) -> None:
    original = drawn(2, 64)
    small = shrunk(original, 32)
    upscaler = create(engine, cache_dir=cache)
    large = upscaler.upscale(small, size=64)
    assert large.shape == (2, 64, 64, 3)
    assert large.dtype == np.uint8
    # The nets sharpen edges that are soft in the drawing, so they lie under a plain filter here;
    # anything turned, shifted or mixed up scores less all the same.
    right = psnr(large, original)
    assert right > 25
    assert right > psnr(np.roll(large, 1, axis=1), original)
    assert right > psnr(large[:, ::-1], original) + 8
    assert right > psnr(large[..., ::-1], original) + 8
    assert right > psnr(large[::-1], original) + 8


@pytest.mark.parametrize(
    ("engine", "scale"), [("lanczos", 1), ("realesr-compact-x2", 2), ("realesr-compact-x4", 4)]
)
@pytest.mark.parametrize("size", [32, 50, 64, 130])
def test_any_size_can_be_asked_for(engine: str, scale: int, size: int, cache: Path) -> None:
    upscaler = create(engine, cache_dir=cache)
    assert upscaler.scale == scale
    assert upscaler.name == engine
    assert upscaler.upscale(drawn(1, 16), size=size).shape == (1, size, size, 3)


@pytest.mark.parametrize("engine", LIGHT)
def test_an_image_comes_out_the_same_in_any_batch_and_place(engine: str, cache: Path) -> None:
    upscaler = create(engine, cache_dir=cache)
    assert_places_do_not_matter(upscaler, drawn(21, 24), 48)


def test_an_image_comes_out_the_same_in_larger_batches_too(cache: Path) -> None:
    upscaler = create("realesr-compact-x4", cache_dir=cache)
    upscaler.micro_batch = 4  # what a GPU does, at a smaller number
    assert_places_do_not_matter(upscaler, drawn(9, 24), 96)


def test_realesrgan_gives_the_same_image_in_any_batch_and_place(cache: Path) -> None:
    assert_places_do_not_matter(create("realesrgan", cache_dir=cache), drawn(3, 16), 32)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("engine", [*LIGHT, "realesrgan"])
def test_a_gpu_gives_the_same_image_in_any_batch_and_place(engine: str, cache: Path) -> None:
    upscaler = create(engine, cache_dir=cache, device="cuda")
    assert_places_do_not_matter(upscaler, drawn(21, 56), 224)


def assert_places_do_not_matter(upscaler: Upscaler, images: np.ndarray, size: int) -> None:
    together = upscaler.upscale(images, size=size)
    order = np.random.default_rng(1).permutation(len(images))
    assert np.array_equal(upscaler.upscale(images[order], size=size), together[order])
    assert np.array_equal(upscaler.upscale(images[2:3], size=size), together[2:3])


def test_reduced_precision_stays_near_float32(cache: Path) -> None:
    images = drawn(2, 32)
    exact = create("realesr-compact-x4", cache_dir=cache, precision="float32")
    reduced = create("realesr-compact-x4", cache_dir=cache, precision="bfloat16")
    difference = np.abs(
        exact.upscale(images, size=128).astype(int) - reduced.upscale(images, size=128)
    )
    assert 0 < difference.max() <= 8
    assert difference.mean() < 0.5
    assert exact.fingerprint != reduced.fingerprint


def test_tiles_leave_no_seam(cache: Path) -> None:
    state = load_bundled("compact", cache)
    whole = NetUpscaler("whole", state, precision="float32")
    tiled = NetUpscaler("tiled", state, precision="float32", tile=100)
    images = drawn(1, 150)
    a = whole.upscale(images, size=600).astype(int)
    b = tiled.upscale(images, size=600).astype(int)
    # 32 pixels of context are more than the compact net's 18 convolutions see.
    assert np.abs(a - b).max() <= 1
    assert (a != b).mean() < 0.001


@pytest.mark.slow
def test_tiles_of_the_large_net_leave_no_seam(cache: Path) -> None:
    state = load_bundled("x4plus", cache)
    whole = NetUpscaler("whole", state)
    tiled = NetUpscaler("tiled", state, tile=80)
    images = drawn(1, 96)
    a = whole.upscale(images, size=384).astype(int)
    b = tiled.upscale(images, size=384).astype(int)
    assert np.abs(a - b).mean() < 0.5
    assert np.abs(a - b).max() <= 8
    # The tiles meet at column 48: the step across it is no larger than without tiles.
    step_whole = np.abs(a[0, :, 192] - a[0, :, 191]).mean()
    step_tiled = np.abs(b[0, :, 192] - b[0, :, 191]).mean()
    assert step_tiled <= step_whole + 0.5


def test_no_images_give_no_images(cache: Path) -> None:
    upscaler = create("lanczos", cache_dir=cache)
    assert upscaler.upscale(np.empty((0, 8, 8, 3), np.uint8), size=16).shape == (0, 16, 16, 3)


@pytest.mark.parametrize(
    ("images", "size"),
    [
        (np.zeros((1, 8, 8, 3), np.float32), 16),
        (np.zeros((1, 8, 8, 4), np.uint8), 16),
        (np.zeros((8, 8, 3), np.uint8), 16),
        (np.zeros((1, 8, 9, 3), np.uint8), 16),
        (np.zeros((1, 8, 8, 3), np.uint8), 0),
    ],
)
def test_what_is_no_set_of_square_colour_images_is_refused(
    images: np.ndarray, size: int, cache: Path
) -> None:
    with pytest.raises(ValueError, match="must be"):
        create("lanczos", cache_dir=cache).upscale(images, size=size)


def test_progress_is_told_and_a_stop_is_heard(cache: Path) -> None:
    told: list[Progress] = []
    upscaler = create("realesr-compact-x4", cache_dir=cache)
    with pytest.raises(Stopped):
        upscaler.upscale(
            drawn(4, 8), size=16, on_progress=told.append, should_stop=lambda: len(told) == 2
        )
    assert told == [
        Progress(0.25, "realesr-compact-x4, image 1/4"),
        Progress(0.5, "realesr-compact-x4, image 2/4"),
    ]


def test_an_unknown_engine_is_refused_with_those_that_exist(cache: Path) -> None:
    with pytest.raises(GraftError) as caught:
        create("waifu2x", cache_dir=cache)
    assert caught.value.code == "unknown_upscaler"
    assert all(engine in caught.value.hint for engine in ENGINES)


def test_fingerprints_tell_engines_apart(cache: Path) -> None:
    prints = [create(engine, cache_dir=cache).fingerprint for engine in LIGHT]
    again = [create(engine, cache_dir=cache).fingerprint for engine in LIGHT]
    assert prints == again
    assert len(set(prints)) == len(LIGHT)


def test_lanczos_needs_no_net(cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gan_core.upscaling import create; "
        "create('lanczos', cache_dir=Path('nowhere')); "
        "sys.exit('torch' in sys.modules or 'spandrel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
