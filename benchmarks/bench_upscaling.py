"""How near each upscaler comes to real images: shrunk, enlarged, compared with themselves.

Run: python benchmarks/bench_upscaling.py DATA [--count 40] [--engines lanczos,realesrgan]
DATA is a zip or a folder of images. Prints a Markdown table: PSNR in dB and SSIM (Wang et al. 2004)
against the real images, mean over images ± standard deviation, and the median seconds an image.
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchmetrics.functional.image import structural_similarity_index_measure

from gan_core.progress import Progress
from gan_core.upscaling import ENGINES, create

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
SIZE = 224


def read_images(data: Path, count: int, seed: int) -> np.ndarray:
    """Draw real images: uint8 [count, 224, 224, 3]."""

    def chosen(names: list[str]) -> list[str]:
        images = sorted(name for name in names if name.lower().endswith(SUFFIXES))
        return random.Random(seed).sample(images, min(count, len(images)))  # noqa: S311 - no secret

    def files() -> Iterator[bytes]:
        if data.is_dir():
            for name in chosen([str(path) for path in data.rglob("*")]):
                yield Path(name).read_bytes()
            return
        with zipfile.ZipFile(data) as archive:
            for name in chosen(archive.namelist()):
                yield archive.read(name)

    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in files()]
    return np.stack([np.asarray(resized(picture, SIZE)) for picture in pictures])


def resized(picture: Image.Image, side: int) -> Image.Image:
    if picture.size == (side, side):
        return picture
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def psnr(found: np.ndarray, real: np.ndarray) -> np.ndarray:
    error = (found.astype(np.float64) - real) ** 2
    return 10 * np.log10(255**2 / np.maximum(error.mean(axis=(1, 2, 3)), 1e-10))


def ssim(found: np.ndarray, real: np.ndarray) -> np.ndarray:
    def tensor(images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255

    scores = structural_similarity_index_measure(
        tensor(found), tensor(real), data_range=1.0, reduction="none"
    )
    return np.asarray(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", default=",".join(ENGINES[:-1]))
    parser.add_argument("--cache-dir", type=Path, default=None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save", type=Path, default=None, help="folder for pictures side by side")
    arguments = parser.parse_args()
    real = read_images(arguments.data, arguments.count, arguments.seed)
    print(f"{len(real)} images, seed {arguments.seed}, {arguments.device}, "
          f"{torch.get_num_threads()} threads\n")  # fmt: skip
    print("| from → to | engine | PSNR dB | SSIM | s an image |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache_dir or Path(folder)
        for side in (112, 56):
            small = np.stack([np.asarray(resized(Image.fromarray(image), side)) for image in real])
            shown = [small.repeat(SIZE // side, axis=1).repeat(SIZE // side, axis=2)]
            for engine in arguments.engines.split(","):
                upscaler = create(engine, cache_dir=cache, device=arguments.device)
                upscaler.upscale(small[:1], size=SIZE)  # warm up
                ticks = [time.perf_counter()]

                def tick(_: Progress, ticks: list[float] = ticks) -> None:
                    ticks.append(time.perf_counter())

                found = upscaler.upscale(small, size=SIZE, on_progress=tick)
                seconds = np.median(np.diff(ticks)) / min(upscaler.micro_batch, len(small))
                p, s = psnr(found, real), ssim(found, real)
                print(
                    f"| {side} → {SIZE} | {engine} | {p.mean():.2f} ± {p.std():.2f} "
                    f"| {s.mean():.4f} ± {s.std():.4f} | {seconds:.4f} |",
                    flush=True,
                )
                shown.append(found)
            if arguments.save:
                arguments.save.mkdir(parents=True, exist_ok=True)
                rows = [
                    np.concatenate([*(kind[i] for kind in shown), real[i]], 1) for i in range(4)
                ]
                Image.fromarray(np.concatenate(rows)).save(arguments.save / f"from-{side}.png")


if __name__ == "__main__":
    main()
