"""How long steps take, as measured or as is typical."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gan_core.spec import DeviceFacts, Speed, Speeds
from gan_core.spec.speeds import TYPICAL, Workload, generating, learned, training, upscaling

AT = datetime(2026, 11, 25, tzinfo=UTC)
H100 = DeviceFacts(kind="gpu", name="H100")
CPU = DeviceFacts(kind="cpu", name="two cores")
TRAINING = training("fastgan", 112, 8, 1000, {})


def speed(workload: str, seconds: float, units: float = 100, device: str = "H100") -> Speed:
    return Speed(device, workload, seconds, units, AT)


def test_without_a_measurement_two_cpu_cores_are_taken() -> None:
    estimate = Speeds().estimate("gpu", TRAINING)
    assert (estimate.seconds, estimate.source) == (4.0 + 1000 * 0.3, TYPICAL)


def test_a_measurement_on_the_device_of_the_queue_is_taken() -> None:
    speeds = Speeds.of({"gpu": H100}, [speed(TRAINING.name, 0.002)])
    estimate = speeds.estimate("gpu", TRAINING)
    assert estimate.seconds == pytest.approx(6.0)
    assert estimate.source == "measured on H100, 2026-11-25"
    assert speeds.estimate("cpu", TRAINING).source == TYPICAL


def test_until_workers_know_the_interactive_queue_it_is_reckoned_with_the_cpus_device() -> None:
    drawn = "draw infogan 64px"
    before = Speeds.of({"cpu": H100}, [speed(drawn, 0.002)])
    found = before.find("interactive", drawn)
    assert found is not None
    assert found.seconds_per_unit == 0.002
    since = Speeds.of({"cpu": H100, "interactive": CPU}, [speed(drawn, 0.002)])
    assert since.find("interactive", drawn) is None


def test_what_was_measured_on_another_device_tells_nothing() -> None:
    speeds = Speeds.of({"gpu": H100}, [speed(TRAINING.name, 0.002, device="T4")])
    assert speeds.estimate("gpu", TRAINING).source == TYPICAL


def test_a_training_with_another_batch_size_stands_in_and_one_of_another_size_does_not() -> None:
    known = [
        speed("train fastgan 112px batch 16", 0.5, units=10),
        speed("train fastgan 112px batch 4", 0.25, units=90),
        speed("train fastgan 128px batch 8", 7.0),
    ]
    speeds = Speeds.of({"gpu": H100}, known)
    assert speeds.seconds_per_unit("gpu", TRAINING) == 0.25
    other = Workload("upscale lanczos 1px to 2px", 1, 9.0)
    assert speeds.seconds_per_unit("gpu", other) == 9.0


def test_a_training_with_other_settings_never_stands_in() -> None:
    narrow = training("fastgan", 112, 8, 1000, {"width": 16})
    known = [speed(training("fastgan", 112, 4, 1, {"width": 16}).name, 0.01, units=9)]
    speeds = Speeds.of({"gpu": H100}, known)
    assert speeds.seconds_per_unit("gpu", narrow) == 0.01
    assert speeds.seconds_per_unit("gpu", TRAINING) == TRAINING.typical
    other = training("fastgan", 112, 8, 1000, {"width": 32})
    assert speeds.find("gpu", other.name) is None
    plain = Speeds.of({"gpu": H100}, [speed(TRAINING.name, 0.5)])
    assert plain.find("gpu", narrow.name) is None


def test_workloads_are_named_by_all_that_decides_how_long_a_unit_takes() -> None:
    names = [
        training("fastgan", 64, 8, 1, {}).name,
        training("fastgan", 64, 16, 1, {}).name,
        training("fastgan", 64, 8, 1, {"width": 32}).name,
        training("fastgan", 128, 8, 1, {}).name,
        generating("fastgan", 64, 1, {}).name,
        upscaling("lanczos", 64, 224, 1).name,
        upscaling("lanczos", 64, 256, 1).name,
    ]
    assert len(set(names)) == len(names)
    assert training("fastgan", 64, 8, 1, {}).name == training("fastgan", 64, 8, 9, {}).name


def test_a_larger_image_takes_longer_as_its_area_does() -> None:
    assert training("dcgan", 224, 8, 1, {}).typical == 4 * training("dcgan", 112, 8, 1, {}).typical


def test_the_start_of_a_process_is_no_part_of_what_is_learned() -> None:
    assert learned(104.0, 10) == 100.0
    assert learned(2.0, 10) == 0.5
    assert learned(100.0, 0) == 0.0
