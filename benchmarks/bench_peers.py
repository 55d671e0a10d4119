"""Images a second: our FastGAN and StyleGAN2 against those of two packages, in one run.

    python benchmarks/bench_peers.py [--data ZIP] [--size 64] [--batch 4] [--device cpu] ...

Against `lightweight-gan` and `stylegan2-pytorch` (peers.py says how they are run here): the same
images, size and batch, and as many trained parameters within a tenth: ``width`` of ours is set so,
and our StyleGAN2 has as many channels at the images' own size. Each side trains by its own rules:
losses, augmentation, penalties as often as it takes them, moving average. The packages' precision
is float32; ours is bfloat16 where the hardware computes in it, and --float32 adds a line with
float32 on both sides.

A number of parameters does not say where they lie, and a layer's cost grows with its side: with 512
channels at most and the rest of the parameters in the large layers (channel_base 7552, 118 channels
at 64 pixels; their generator has 32 there, their discriminator 64) our StyleGAN2 was no faster than
theirs on a CPU, 0.97 times. So read its ratio as one for networks shaped alike.

They take turns step by step, over whole cycles of their penalties. Decoded images lie in memory on
both sides; what the packages' own data sets and loaders cost them is told in a line of its own.
Without --data the images are phantoms, drawn by a computer.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_upscaling import read_images
from peers import Peer, lightweight_gan, stylegan2_pytorch
from PIL import Image
from ratios import Ratio, record
from torch import Tensor

from gan_core.gans import registry
from gan_core.phantoms import KINDS, draw_phantom
from gan_core.training.config import TrainConfig
from gan_core.training.precision import Precision
from gan_core.training.run import Run

TARGET = 1.3
COUNT = 64
STORED = 224
PARTNERS = {"fastgan": ("lightweight-gan", 4, 1), "stylegan2": ("stylegan2-pytorch", 32, 16)}
"""Package, and after how many steps the penalties come around: the package's, ours."""


def parameter_count(name: str, settings: dict[str, Any]) -> int:
    with torch.device("meta"):
        networks = registry.create(name, **settings).networks().values()
    return sum(weight.numel() for network in networks for weight in network.parameters())


def matched(name: str, size: int, wanted: int) -> dict[str, Any]:
    """Settings of ours with about ``wanted`` trained parameters."""

    def settings(value: int) -> dict[str, Any]:
        if name == "fastgan":
            return {"image_size": size, "width": value}
        # 64 channels at the images' own size, as their discriminator has.
        return {"image_size": size, "width": value, "latent_dim": 512, "channel_base": 64 * size}

    low, high = (2, 512) if name == "fastgan" else (2, 1024)
    while high - low > 1:
        middle = (low + high) // 2
        if parameter_count(name, settings(middle)) <= wanted:
            low = middle
        else:
            high = middle
    return min(
        (settings(low), settings(high)),
        key=lambda found: abs(parameter_count(name, found) - wanted),
    )


def in_turns(
    steps: dict[str, Callable[[], object]],
    cycles: dict[str, int],
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Median over rounds of the mean seconds a step, over whole cycles."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        spent = dict.fromkeys(steps, 0.0)
        for number in range(max(cycles.values())):
            for name, step in steps.items():
                if number >= cycles[name]:
                    continue
                start = clock()
                step()
                spent[name] += clock() - start
        for name, seconds in spent.items():
            found[name].append(seconds / cycles[name])
    return {name: statistics.median(values) for name, values in found.items()}


def our_step(
    name: str,
    settings: dict[str, Any],
    images: np.ndarray,
    batch: int,
    device: torch.device,
    *,
    precision: Precision,
) -> Callable[[], object]:
    config = TrainConfig(batch_size=batch, epochs=10**6, precision=precision, ema_decay=0.999)
    return Run(registry.create(name, **settings), images, config, device).step


def compare(name: str, images: np.ndarray, folder: Path, arguments: argparse.Namespace) -> None:
    device, batch = torch.device(arguments.device), arguments.batch
    package, their_cycle, our_cycle = PARTNERS[name]

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            return time.perf_counter()
        # Processor seconds of one thread: what else the machine does counts less.
        return time.process_time() if arguments.threads == 1 else time.perf_counter()

    def peer(**options: Any) -> Peer:
        made = lightweight_gan if name == "fastgan" else stylegan2_pytorch
        return made(images, batch, folder / "peer", device, **options)

    theirs = peer()
    settings = matched(name, images.shape[1], theirs.parameters)
    ours = parameter_count(name, settings)
    print(
        f"\n{name} {settings}: {ours:,} trained parameters; {package} "
        f"{version(package)}: {theirs.parameters:,} ({ours / theirs.parameters:.2f} times as many)",
        flush=True,
    )
    precisions: list[Precision] = ["auto", *(["float32"] if arguments.float32 else [])]
    steps: dict[str, Callable[[], object]] = {
        precision: our_step(name, settings, images, batch, device, precision=precision)
        for precision in precisions
    }
    steps["theirs"] = theirs.step
    if name == "fastgan":
        steps["theirs, without attention"] = peer(attention=False).step
        if device.type == "cuda":  # its mixed precision is for CUDA alone
            steps["theirs, amp"] = peer(amp=True).step
    cycles = {kind: their_cycle if "theirs" in kind else our_cycle for kind in steps}
    if device.type == "cuda":  # short, and kernels are chosen anew when shapes are new
        cycles = dict.fromkeys(steps, 32)
    for step in steps.values():
        step()  # warm up
    seconds = in_turns(steps, cycles, arguments.rounds, clock)
    seconds["loading"] = seconds_a_batch(theirs.loader_of(folder / "images"), clock)

    def tell(what: str, ours: str, other: str, their_seconds: float, target: float | None) -> None:
        label = f"{name}{what}, {images.shape[1]} px, batch {batch}"
        if ours == "auto" and device.type == "cpu":
            label += ", bfloat16"
        if name == "stylegan2":
            label += ", channels shaped like theirs"
        against = f"{package} {version(package)}{other}, float32"
        found = Ratio(
            label,
            against,
            str(device),
            "images/s",
            batch / seconds[ours],
            batch / their_seconds,
            target,
        )
        record(found, arguments.ratios)

    tell("", "auto", "", seconds["theirs"], TARGET)
    if "float32" in seconds:
        tell(" in float32", "float32", "", seconds["theirs"], None)
    tell("", "auto", ", its loader counted", seconds["theirs"] + seconds["loading"], None)
    for kind in ("without attention", "amp"):
        if f"theirs, {kind}" in seconds:
            tell("", "auto", f", {kind}", seconds[f"theirs, {kind}"], TARGET)


def seconds_a_batch(loader: Iterator[Tensor], clock: Callable[[], float]) -> float:
    """What a loader takes for a batch."""
    next(loader)
    start = clock()
    for _ in range(8):
        next(loader)
    return (clock() - start) / 8


def pictures(data: Path | None) -> np.ndarray:
    """Real images if there are any, uint8 [64, 224, 224, 3]."""
    if data is not None:
        return read_images(data, COUNT, seed=0)
    kinds = itertools.islice(itertools.cycle(KINDS), COUNT)
    return np.stack([draw_phantom(kind, seed=seed) for seed, kind in enumerate(kinds)])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=None, help="a zip or folder of images")
    parser.add_argument("--gans", default=",".join(PARTNERS))
    parser.add_argument("--size", type=int, default=64, help="64, 128 or 256")
    parser.add_argument("--batch", type=int, default=4, help="the packages' own default is 4")
    parser.add_argument("--rounds", type=int, default=0, help="0: 1 (CPU), 5 (GPU)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="measure ours in float32, too")
    parser.add_argument("--ratios", type=Path, default=None, help="append to this file")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    arguments.rounds = arguments.rounds or (5 if arguments.device.startswith("cuda") else 1)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    stored = pictures(arguments.data)
    side = arguments.size
    small = np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in stored])
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        (folder / "images").mkdir()
        for number, image in enumerate(stored):
            Image.fromarray(image).save(folder / "images" / f"{number}.jpg", quality=95)
        for name in arguments.gans.split(","):
            compare(name, small, folder, arguments)


if __name__ == "__main__":
    main()
