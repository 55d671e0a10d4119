"""Images a second: our InfoGAN step against the plain PyTorch script's way, in one run.

    python benchmarks/bench_infogan.py [--batch 64] [--size 112] [--rounds 3] [--device cpu]

The plain way: float32, NCHW, unfused Adam, nearest upsampling and then a convolution, softmax in
the category head, and a DataLoader over float images that are decoded and scaled beforehand (which
flatters it: the script decodes and resizes JPEGs in every epoch). Both train the same networks on
the same images with the same three steps; they take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from ratios import Ratio, record
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gan_core.gans import registry
from gan_core.training.config import TrainConfig
from gan_core.training.run import Run

TARGETS = {"cpu": 3.0, "cuda": 5.0}


class PlainGenerator(nn.Module):
    """The generator as the script has it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = size // 4
        self.project = nn.Linear(74, 128 * self.first**2)
        self.body = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.BatchNorm2d(128, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, padding=1),
            nn.BatchNorm2d(64, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, label: Tensor, code: Tensor) -> Tensor:
        """Images from noise, one-hot label and code."""
        x = self.project(torch.cat((noise, label, code), -1))
        images: Tensor = self.body(x.view(-1, 128, self.first, self.first))
        return images


class PlainDiscriminator(nn.Module):
    """The discriminator as the script has it, softmax included."""

    def __init__(self, size: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64), (64, 128)):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, 2, 1),
                nn.LeakyReLU(0.2, inplace=True),
                nn.Dropout2d(0.25),
            ]
            if inputs != 3:
                blocks.append(nn.BatchNorm2d(outputs, 0.8))
        self.trunk = nn.Sequential(*blocks)
        features = 128 * (size // 16) ** 2
        self.validity = nn.Linear(features, 1)
        self.category = nn.Sequential(nn.Linear(features, 10), nn.Softmax(dim=1))
        self.code = nn.Linear(features, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Validity, category probabilities, code."""
        x = self.trunk(images).flatten(1)
        return self.validity(x), self.category(x), self.code(x)


def plain_way(images: np.ndarray, batch: int, device: torch.device) -> Callable[[], None]:
    size = images.shape[1]
    generator = PlainGenerator(size).to(device)
    discriminator = PlainDiscriminator(size).to(device)
    adversarial, categorical, continuous = nn.MSELoss(), nn.CrossEntropyLoss(), nn.MSELoss()
    adams = [
        torch.optim.Adam(weights, lr=2e-4, betas=(0.5, 0.999))
        for weights in (
            generator.parameters(),
            discriminator.parameters(),
            chain(generator.parameters(), discriminator.parameters()),
        )
    ]
    decoded = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
    loader = DataLoader(TensorDataset(decoded), batch_size=batch, shuffle=True)

    def batches() -> Iterator[Tensor]:
        while True:
            for (real,) in loader:
                yield real

    def latents(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        labels = torch.randint(0, 10, (count,), device=device)
        one_hot = nn.functional.one_hot(labels, 10).float()
        noise = torch.randn(count, 62, device=device)
        return noise, one_hot, torch.rand(count, 2, device=device) * 2 - 1, labels

    source = batches()

    def step() -> None:
        real = next(source).to(device)
        valid = torch.ones(len(real), 1, device=device)
        fake = torch.zeros(len(real), 1, device=device)
        adams[0].zero_grad()
        noise, one_hot, code, _ = latents(len(real))
        made = generator(noise, one_hot, code)
        generator_loss = adversarial(discriminator(made)[0], valid)
        generator_loss.backward()
        adams[0].step()

        adams[1].zero_grad()
        real_loss = adversarial(discriminator(real)[0], valid)
        fake_loss = adversarial(discriminator(made.detach())[0], fake)
        discriminator_loss = (real_loss + fake_loss) / 2
        discriminator_loss.backward()
        adams[1].step()

        adams[2].zero_grad()
        noise, one_hot, code, labels = latents(len(real))
        _, probabilities, read = discriminator(generator(noise, one_hot, code))
        information = categorical(probabilities, labels) + 0.1 * continuous(read, code)
        information.backward()
        adams[2].step()
        # The script prints its losses in every step.
        _ = generator_loss.item(), discriminator_loss.item(), information.item()

    return step


def our_way(
    images: np.ndarray, batch: int, device: torch.device, ema_decay: float | None
) -> Callable[[], None]:
    config = TrainConfig(batch_size=batch, epochs=10**6, ema_decay=ema_decay)
    run = Run(registry.create("infogan", image_size=images.shape[1]), images, config, device)

    def step() -> None:
        run.step()

    return step


def timed(step: Callable[[], None], steps: int, device: torch.device, cpu_time: bool) -> float:
    clock = time.process_time if cpu_time else time.perf_counter
    start = clock()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (clock() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="steps a round; 0: 1 (CPU), 20 (GPU)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ema", type=float, default=None, help="decay of our moving average")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count processor seconds: fair on a busy machine, with --threads 1",
    )
    parser.add_argument("--ratios", type=Path, default=None, help="append to this file")
    wanted = parser.parse_args()
    if wanted.threads:
        torch.set_num_threads(wanted.threads)
    device = torch.device(wanted.device)
    steps = wanted.steps or (20 if device.type == "cuda" else 1)
    shape = (4 * wanted.batch, wanted.size, wanted.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ways = {
        "plain": plain_way(images, wanted.batch, device),
        "ours": our_way(images, wanted.batch, device, wanted.ema),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for step in ways.values():
        timed(step, steps, device, wanted.cpu_time)  # warm up
    for number in range(wanted.rounds):
        for name, step in ways.items():
            seconds[name].append(timed(step, steps, device, wanted.cpu_time))
        print(
            f"round {number + 1}: "
            + ", ".join(f"{name} {values[-1]:.3f} s a step" for name, values in seconds.items()),
            flush=True,
        )
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    found = Ratio(
        f"infogan, {wanted.size} px, batch {wanted.batch}",
        "the plain script",
        str(device),
        "images/s",
        wanted.batch / medians["ours"],
        wanted.batch / medians["plain"],
        TARGETS.get(device.type),
    )
    record(found, wanted.ratios)


if __name__ == "__main__":
    main()
