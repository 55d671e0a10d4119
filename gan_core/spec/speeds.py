"""How long steps take: as measured on the device at hand, else as is typical of two CPU cores.

A step's time is reckoned from its workload, the name of what it does over and over
(``train fastgan 64px batch 8``), and how many units of it there are (images shown to the GAN). An
estimate is never part of a step's key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gan_core.spec.device import DeviceFacts
from gan_core.spec.gan_settings import GAN_SETTINGS
from gan_core.spec.job import GanName, UpscaleEngine

TYPICAL = "typical of two CPU cores"
"""Where an estimate comes from when nothing was measured."""

SETTINGS_MARK = " settings "
"""Stands in the name of a workload whose GAN has other settings than its own."""

# Seconds measured on two CPU cores with bf16 (docs/results.md says how).
START_SECONDS = 4.0
SECONDS_PER_FEATURE = 0.02
SECONDS_PER_CNN_IMAGE = 0.011
SECONDS_PER_FINETUNE_IMAGE = 0.03
SECONDS_PER_PROBE = 0.05
_SECONDS_PER_TRAINED_IMAGE_112: dict[GanName, float] = {
    "infogan": 0.05,
    "dcgan": 0.02,
    "fastgan": 0.3,
    "pggan": 0.5,
    "stylegan2": 1.0,
}
_SECONDS_PER_GENERATED_IMAGE_112 = 0.02
_SECONDS_PER_UPSCALED_IMAGE_112: dict[UpscaleEngine, float] = {
    "lanczos": 0.002,
    "realesrgan": 1.35,
    "realesr-compact-x2": 0.1,
    "realesr-compact-x4": 0.12,
    "realesrgan-original": 12.0,
}


@dataclass(frozen=True)
class Workload:
    """What a step spends its time with.

    Attributes:
        name: The same for all steps whose units take as long on one device; at most 200 letters.
        units: How many there are.
        typical: Seconds a unit on two CPU cores.
    """

    name: str
    units: float
    typical: float


def training(
    gan: GanName, image_size: int, batch_size: int, images: float, settings: Mapping[str, Any]
) -> Workload:
    """Return the workload of a training that shows so many images to a GAN."""
    name = f"train {gan} {image_size}px batch {batch_size}{_mark(settings)}"
    typical = _SECONDS_PER_TRAINED_IMAGE_112[gan] * _area(image_size) * _breadth(gan, settings)
    return Workload(name, images, typical)


def generating(gan: GanName, image_size: int, images: int, settings: Mapping[str, Any]) -> Workload:
    """Return the workload of making images."""
    name = f"generate {gan} {image_size}px{_mark(settings)}"
    return Workload(name, images, _SECONDS_PER_GENERATED_IMAGE_112 * _area(image_size))


def upscaling(engine: UpscaleEngine, from_size: int, to_size: int, images: int) -> Workload:
    """Return the workload of upscaling images of one size to another."""
    typical = _SECONDS_PER_UPSCALED_IMAGE_112[engine] * _area(from_size)
    return Workload(f"upscale {engine} {from_size}px to {to_size}px", images, typical)


def _area(image_size: int) -> float:
    return (image_size / 112) ** 2


def _breadth(gan: GanName, settings: Mapping[str, Any]) -> float:
    """How many times as long a GAN of another width takes; measured of FastGAN (16 for 64)."""
    if "width" not in settings:
        return 1.0
    return float((settings["width"] / GAN_SETTINGS[gan]["width"].default) ** 1.5)


def _mark(settings: Mapping[str, Any]) -> str:
    """Return a short name for settings other than a GAN's own; nothing for none."""
    if not settings:
        return ""
    canonical = json.dumps(settings, sort_keys=True, default=str)
    return f"{SETTINGS_MARK}{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Speed:
    """What was measured of one workload on one device.

    Attributes:
        device: Its name.
        workload: Its name.
        seconds_per_unit: Above 0.
        units: From how many units that is known.
        measured_at: When.
    """

    device: str
    workload: str
    seconds_per_unit: float
    units: float
    measured_at: datetime


@dataclass(frozen=True)
class Estimate:
    """How long a step takes.

    Attributes:
        seconds: With the start of its process.
        source: Where that comes from, for a person: ``TYPICAL``, or "measured on …".
        speed: What it was reckoned with; null where nothing was measured.
    """

    seconds: float
    source: str = TYPICAL
    speed: Speed | None = None


@dataclass(frozen=True)
class Speeds:
    """What was measured on the devices at hand.

    Attributes:
        devices: By queue, the device whose workers would carry out its steps.
        measured: By (device, workload).
    """

    devices: Mapping[str, DeviceFacts] = field(default_factory=dict)
    measured: Mapping[tuple[str, str], Speed] = field(default_factory=dict)

    @classmethod
    def of(cls, devices: Mapping[str, DeviceFacts], measured: Iterable[Speed]) -> Speeds:
        """Return the speeds of some devices."""
        return cls(devices, {(speed.device, speed.workload): speed for speed in measured})

    def device(self) -> DeviceFacts | None:
        """Return the device on which GANs would be trained; null: not known."""
        return self.devices.get("gpu")

    def find(self, queue: str, workload: str) -> Speed | None:
        """Return what is known of a workload on the device of a queue.

        A training with the same settings that was measured at another batch size tells more of
        this one than two CPU cores do; of several the one that rests on most images is taken.
        Other settings tell nothing: a network of a quarter of the width is ten times as fast.
        """
        device = self._device_of(queue)
        if device is None:
            return None
        exact = self.measured.get((device.name, workload))
        if exact is not None:
            return exact
        alike = [
            speed
            for (name, other), speed in self.measured.items()
            if name == device.name and _are_alike(workload, other)
        ]
        return max(alike, key=lambda speed: speed.units, default=None)

    def _device_of(self, queue: str) -> DeviceFacts | None:
        # Workers of the release before say nothing of this queue, and will be followed by others.
        before = "cpu" if queue == "interactive" else queue
        return self.devices.get(queue) or self.devices.get(before)

    def seconds_per_unit(self, queue: str, workload: Workload) -> float:
        """Return the seconds that a unit takes: measured, else typical."""
        speed = self.find(queue, workload.name)
        return workload.typical if speed is None else speed.seconds_per_unit

    def estimate(self, queue: str, workload: Workload) -> Estimate:
        """Return how long a workload takes on the device of a queue."""
        speed = self.find(queue, workload.name)
        if speed is None:
            return Estimate(START_SECONDS + workload.units * workload.typical)
        seconds = START_SECONDS + workload.units * speed.seconds_per_unit
        return Estimate(seconds, measured_on(speed), speed)


def _are_alike(workload: str, other: str) -> bool:
    """Say whether two workloads are trainings that differ in their batch sizes alone."""
    stem, is_training, rest = workload.partition(" batch ")
    other_stem, _, other_rest = other.partition(" batch ")
    _, _, mark = rest.partition(" ")
    _, _, other_mark = other_rest.partition(" ")
    return bool(is_training) and (stem, mark) == (other_stem, other_mark)


def measured_on(speed: Speed) -> str:
    """Return where an estimate comes from that was reckoned with a speed."""
    return f"measured on {speed.device}, {speed.measured_at.date().isoformat()}"


def learned(seconds: float, units: float) -> float:
    """Return the seconds of a finished step that went into its units.

    Args:
        seconds: From its start to its end.
        units: Of its workload.

    The start of its process is taken off, and never more than three quarters: a step that was
    quicker than a start usually is tells at least that its units were.
    """
    if units <= 0:
        return 0.0
    return max(seconds - START_SECONDS, seconds / 4)
