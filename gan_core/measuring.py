"""How long a training takes on a device: a few of its real steps, timed.

The steps are those of ``training.run``, with the precision, the moving average and the memory
format of a training; the images are noise, which takes as long as any.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import Any, Literal

import numpy as np
import torch

from gan_core.devices import facts_of
from gan_core.gans.registry import create
from gan_core.out_of_memory import free_memory, is_out_of_memory
from gan_core.progress import ShouldStop, Stopped, never_stop
from gan_core.spec.job import GanName
from gan_core.spec.profiles import profile_trainings
from gan_core.spec.speeds import training
from gan_core.training.config import TrainConfig
from gan_core.training.randomness import borrowed_randomness
from gan_core.training.run import Run

SECONDS_A_KIND = 10.0
_WARM_UP_STEPS = 3
_WARM_UP_SHARE = 0.3
# Lazy penalties come every 16 steps at the most (StyleGAN2's R1).
_CYCLE = 16
# Spreads any number of steps evenly over a training: some grow on the way (PGGAN).
_GOLDEN = 0.6180339887498949
# A step that takes longer than this is measured with fewer images.
_LONGEST_STEP = 2.0


@dataclass(frozen=True)
class Measurement:
    """How long a workload took.

    Attributes:
        workload: Its name, as in ``gan_core.spec.speeds``.
        seconds: That the units took.
        units: Images shown.
        steps: How many steps were timed; fewer than three tell little.
    """

    workload: str
    seconds: float
    units: float
    steps: int

    @property
    def seconds_per_unit(self) -> float:
        """Seconds an image."""
        return self.seconds / self.units


def measure_training(
    gan_name: GanName,
    *,
    image_size: int,
    batch_size: int,
    device: torch.device,
    settings: Mapping[str, Any] | None = None,
    seconds: float = SECONDS_A_KIND,
    should_stop: ShouldStop = never_stop,
) -> Measurement:
    """Time steps of a training on a device.

    After a warm-up, cycles of 16 steps are timed until the time is up, and the median cycle is
    taken; where not one fits in, the mean of the steps that do (at least one).

    Args:
        gan_name: Which GAN.
        image_size: Pixels.
        batch_size: Images a step, at least 1.
        device: Where.
        settings: Other than the GAN's own.
        seconds: How long it may take, but for a step that takes longer itself.
        should_stop: Asked before each step.

    Raises:
        Stopped: ``should_stop`` said so.
        GraftError: As ``registry.create``.
        RuntimeError: Among others when the device's memory does not suffice.
    """
    given = dict(settings or {})
    count = max(2, batch_size)
    images = np.random.default_rng(0).integers(
        0, 256, (count, image_size, image_size, 3), dtype=np.uint8
    )
    # So many epochs that no point of the history is due.
    config = TrainConfig(batch_size=count, epochs=10**9, ema_decay=0.999)
    began = time.perf_counter()
    times: list[float] = []
    with borrowed_randomness(device, 0):
        gan = create(gan_name, image_size=image_size, **given)
        run = Run(gan, images, config, device)
        number = 0
        while number < _WARM_UP_STEPS and (
            not number or time.perf_counter() - began < _WARM_UP_SHARE * seconds
        ):
            _step(run, number, should_stop)
            number += 1
        _wait_for(device)
        while not times or time.perf_counter() - began < seconds:
            # Waiting after each step would keep a GPU from running ahead of what launches it.
            block = _CYCLE if device.type == "cuda" else 1
            start = time.perf_counter()
            for _ in range(block):
                _step(run, number, should_stop)
                number += 1
            _wait_for(device)
            times += [(time.perf_counter() - start) / block] * block
    a_step = _typical_step(times)
    workload = training(gan_name, image_size, batch_size, 0, given)
    return Measurement(workload.name, a_step * len(times), float(count * len(times)), len(times))


def _step(run: Run, number: int, should_stop: ShouldStop) -> None:
    if should_stop():
        raise Stopped
    run.steps = int(number * _GOLDEN % 1 * 1e9)
    run.step()


def _typical_step(times: list[float]) -> float:
    cycles = [
        fmean(times[start : start + _CYCLE]) for start in range(0, len(times) - _CYCLE + 1, _CYCLE)
    ]
    return median(cycles) if cycles else fmean(times)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Task:
    """One training to be measured; ``settings`` are those that are not the GAN's own."""

    gan: GanName
    image_size: int
    batch_size: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def workload(self) -> str:
        """The name of its workload."""
        return training(self.gan, self.image_size, self.batch_size, 0, self.settings).name


def tasks_of(device: torch.device) -> list[Task]:
    """Return what the profiles train, as it can be measured on a device in seconds."""
    kind: Literal["cpu", "gpu"] = "gpu" if device.type == "cuda" else "cpu"
    tasks = []
    for gan, image_size, batch_size, settings in profile_trainings(kind):
        fitting = batch_size
        if kind == "cpu":
            typical = training(gan, image_size, batch_size, 1, settings).typical
            fitting = max(2, min(batch_size, int(_LONGEST_STEP / typical)))
        tasks.append(Task(gan, image_size, fitting, settings))
    return list({task.workload: task for task in tasks}.values())


def measure_tasks(
    tasks: list[Task],
    device: torch.device,
    *,
    seconds: float = SECONDS_A_KIND,
    should_stop: ShouldStop = never_stop,
) -> Iterator[Measurement]:
    """Measure one training after the other; one that does not fit into memory is left out.

    Raises:
        Stopped: ``should_stop`` said so.
    """
    for task in tasks:
        try:
            yield measure_training(
                task.gan,
                image_size=task.image_size,
                batch_size=task.batch_size,
                device=device,
                settings=task.settings,
                seconds=seconds,
                should_stop=should_stop,
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        free_memory()


def described(measured: list[Measurement], device: torch.device) -> dict[str, Any]:
    """Return measurements as JSON values, with the device that they were made on."""
    return {
        "device": facts_of(device).model_dump(mode="json"),
        "speeds": [{**asdict(one), "seconds_per_unit": one.seconds_per_unit} for one in measured],
    }
