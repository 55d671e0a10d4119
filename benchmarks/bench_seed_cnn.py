"""Seconds a training step of the seed CNN takes: ours against the plain script, turn by turn.

The plain script is what one writes first: float32, NCHW, an Adam that is not fused, a DataLoader
over images that are decoded and scaled already, one training after the other. Ours trains one at a
time and ``--together`` side by side (seeds and arms of an evaluation). All start from such weights
and see images of the same size. Turns alternate (A B A B ...), so that what else the machine does
meets all alike; the ratio is of the medians, and the fastest steps are shown beside them. A step of
K side by side counts as K.

    python benchmarks/bench_seed_cnn.py --batch 8 --device cpu --together 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from ratios import Ratio, record
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.seed_cnn_order import SeedCnnConfig, SeedCnnRun
from gan_core.classifiers.seed_cnn_training import SeedCnnTraining, measure_images

Step = Callable[[], None]


def plain_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(24),
        nn.Flatten(),
        nn.Linear(256, 2),
    )


def plain_step(images: np.ndarray, labels: np.ndarray, batch: int, device: torch.device) -> Step:
    decoded = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
    loader = DataLoader(
        TensorDataset(decoded, torch.from_numpy(labels)), batch, shuffle=True, drop_last=True
    )
    net = plain_network().to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)

    def forever() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    stream = forever()

    def step() -> None:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x.to(device)), y.to(device))
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def our_step(
    images: np.ndarray, labels: np.ndarray, batch: int, device: torch.device, together: int
) -> Step:
    """A step of each of some trainings, which draw other images from one set."""
    every = np.arange(len(labels))
    runs = [
        SeedCnnRun(every, labels, labels >= 0, SeedCnnConfig(batch_size=batch, seed=seed))
        for seed in range(together)
    ]
    on_device = DeviceImages(images, device)
    training = SeedCnnTraining(on_device, runs)
    started = time.perf_counter()
    moments = measure_images(on_device, every)
    once = (waited(device) - started) / len(labels)
    print(f"  ours, {together} at once: first, once an image {once * 1e3:.2f} ms")
    rng = np.random.default_rng(0)

    def step() -> None:
        chosen = [rng.choice(every, batch, replace=False) for _ in runs]
        training.train_batch(chosen, moments)
        waited(device)

    return step


def waited(device: torch.device) -> float:
    """The time when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(step: Step, steps: int) -> list[float]:
    times = []
    for _ in range(steps):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--together", type=int, default=None, help="5 on a CPU, 20 on a GPU")
    parser.add_argument("--turns", type=int, default=6, help="turns of each")
    parser.add_argument("--steps", type=int, default=5, help="steps a turn")
    parser.add_argument("--ratios", type=Path, default=None, help="append to this file")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    rng = np.random.default_rng(0)
    count = max(64, 4 * arguments.batch)
    # Smooth blobs and noise; what is on the images does not change what a step costs.
    coarse = rng.integers(0, 256, (count, 14, 14, 3))
    images = coarse.repeat(16, 1).repeat(16, 2).astype(np.float64)
    images = (0.8 * images + 0.2 * rng.integers(0, 256, images.shape)).astype(np.uint8)
    labels = rng.permutation(np.arange(count) % 2)

    print(f"seed CNN, batch {arguments.batch}, {device}, {torch.get_num_threads()} threads")
    contenders = {"plain": plain_step(images, labels, arguments.batch, device)}
    at_once = {"plain": 1}
    for together in sorted({1, arguments.together or (5 if device.type == "cpu" else 20)}):
        name = f"ours × {together}"
        contenders[name] = our_step(images, labels, arguments.batch, device, together)
        at_once[name] = together
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for step in contenders.values():
        seconds(step, 2)
    for _ in range(arguments.turns):
        for name, step in contenders.items():
            times[name] += [s / at_once[name] for s in seconds(step, arguments.steps)]
    for name, measured in times.items():
        print(
            f"  {name:9} median {statistics.median(measured) * 1e3:7.2f} ms a step,"
            f" fastest {min(measured) * 1e3:7.2f} ms"
        )
    for name in list(times)[1:]:
        ratio = statistics.median(times["plain"]) / statistics.median(times[name])
        fastest = min(times["plain"]) / min(times[name])
        print(f"  plain / {name}: {ratio:.1f}× (medians), {fastest:.1f}× (fastest steps)")
        # On a GPU the promise is for many at once.
        target = {1: 3.0 if device.type == "cpu" else None}.get(
            at_once[name], 15.0 if device.type == "cuda" else None
        )
        record(
            Ratio(
                f"seed CNN, batch {arguments.batch}, {at_once[name]} at once",
                "the plain loop",
                device.type,
                "steps/s",
                1 / statistics.median(times[name]),
                1 / statistics.median(times["plain"]),
                target,
            ),
            arguments.ratios,
        )


if __name__ == "__main__":
    main()
