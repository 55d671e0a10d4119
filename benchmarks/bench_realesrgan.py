"""Real-ESRGAN ×4 over many images: ours against the ``realesrgan`` package's own loop, in turns.

The package upscales one image a call, in float32 on a CPU and in half precision on a GPU, as its
own script sets it (``--package-float32`` for float32 there, too). Ours takes batches, computes in
bfloat16 where the hardware does, channels last, and turns to 8 bits on the device. Both have the
same weights and the same images, and end in the same uint8 pictures of 224 pixels: from 56 (×4),
and from 112 as the seed study does (×4 to 448, then halved). The package halves nothing: there its
output at 448 is resized as ours is. Turns alternate (A B A B ...).

    uv sync --extra realesrgan
    python benchmarks/bench_realesrgan.py [--device cuda] [--count 64] [--sides 56 112]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from ratios import Ratio, record

from gan_core.spec.errors import GraftError
from gan_core.upscaling import Upscaler, create
from gan_core.upscaling.original import OriginalUpscaler

SIZE = 224


def pictures(count: int, side: int) -> np.ndarray:
    """Blobs and noise; what is on the images does not change what they cost."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    return (0.8 * coarse + 0.2 * rng.integers(0, 256, coarse.shape)).astype(np.uint8)


def timed(upscaler: Upscaler, images: np.ndarray, device: torch.device) -> tuple[float, np.ndarray]:
    """Seconds an image, and the pictures."""
    started = time.perf_counter()
    found = upscaler.upscale(images, size=SIZE)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / len(images), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--count", type=int, default=None, help="images a turn; 1 on a CPU, or 64")
    parser.add_argument("--turns", type=int, default=3, help="turns of each")
    parser.add_argument("--sides", type=int, nargs="+", default=[56, 112])
    parser.add_argument("--package-float32", action="store_true")
    parser.add_argument("--cache-dir", type=Path, default=None)
    parser.add_argument("--ratios", type=Path, default=None, help="append to this file")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    count = arguments.count or (1 if device.type == "cpu" else 64)
    is_half = device.type == "cuda" and not arguments.package_float32
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache_dir or Path(folder)
        ours = create("realesrgan", cache_dir=cache, device=device)
        try:
            package = OriginalUpscaler(cache_dir=cache, device=device, half=is_half)
        except GraftError as error:
            print(f"Real-ESRGAN: not measured. {error.detail} {error.hint}")
            return
    arithmetic = "float16" if is_half else "float32"
    print(
        f"Real-ESRGAN to {SIZE} px, {device}, {torch.get_num_threads()} threads; the package:"
        f" {arithmetic}, one image a call; ours: batches of {ours.micro_batch}"
    )
    for side in arguments.sides:
        images = pictures(count, side)
        contenders = {"package": package, "ours": ours}
        times: dict[str, list[float]] = {name: [] for name in contenders}
        found = {}
        for upscaler in contenders.values():
            upscaler.upscale(images[:1], size=SIZE)  # warm up
        for _ in range(arguments.turns):
            for name, upscaler in contenders.items():
                seconds, found[name] = timed(upscaler, images, device)
                times[name].append(seconds)
        apart = np.abs(found["package"].astype(int) - found["ours"])
        for name, measured in times.items():
            print(
                f"  {side:3} → {SIZE}, {name:7} median {statistics.median(measured):8.4f} s an"
                f" image, fastest {min(measured):8.4f} s"
            )
        ratio = statistics.median(times["package"]) / statistics.median(times["ours"])
        fastest = min(times["package"]) / min(times["ours"])
        print(
            f"  {side:3} → {SIZE}, package / ours: {ratio:.1f}× (medians), {fastest:.1f}×"
            f" (fastest); apart by {apart.mean():.3f} grey levels, {apart.max()} at most",
            flush=True,
        )
        record(
            Ratio(
                f"Real-ESRGAN, {side} → {SIZE} px",
                f"realesrgan's own loop, {arithmetic}",
                device.type,
                "images/s",
                1 / statistics.median(times["ours"]),
                1 / statistics.median(times["package"]),
                3.0,
            ),
            arguments.ratios,
        )


if __name__ == "__main__":
    main()
