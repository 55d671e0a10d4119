"""Timing real training steps."""

from __future__ import annotations

import time

import pytest
import torch

from gan_core.gans.infogan import InfoGAN
from gan_core.measuring import (
    Measurement,
    Task,
    _typical_step,
    described,
    measure_tasks,
    measure_training,
    tasks_of,
)
from gan_core.progress import Stopped
from gan_core.spec import DatasetFacts, StudySpec, plan_study, resolve

CPU = torch.device("cpu")


def tiny(seconds: float) -> Measurement:
    return measure_training("infogan", image_size=32, batch_size=2, device=CPU, seconds=seconds)


def test_a_training_takes_a_time_that_is_plausible_and_not_much_longer_to_measure() -> None:
    tiny(0.0)  # what torch does once in a process is no part of it
    began = time.perf_counter()
    measured = tiny(0.3)
    took = time.perf_counter() - began
    assert measured.workload == "train infogan 32px batch 2"
    assert measured.units == 2 * measured.steps
    assert 0 < measured.seconds_per_unit < took
    assert measured.seconds <= took
    assert took < 30


def test_even_without_any_time_one_step_is_timed() -> None:
    assert tiny(0.0).steps == 1


def test_steps_are_spread_over_the_whole_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    original = InfoGAN.step

    def step(self: InfoGAN, real: torch.Tensor, random: torch.Generator, fraction: float) -> object:
        seen.append(fraction)
        return original(self, real, random, fraction)

    monkeypatch.setattr(InfoGAN, "step", step)
    tiny(0.3)
    assert seen[0] == 0.0
    assert seen[1] == pytest.approx(0.618, abs=1e-3)


def test_rare_steps_that_are_dear_weigh_as_often_as_they_come() -> None:
    cycle = [17.0] + [1.0] * 15
    assert _typical_step(cycle * 3) == 2.0
    # Too few for a cycle.
    assert _typical_step([1.0, 2.0]) == 1.5


def test_it_stops_when_asked_to() -> None:
    with pytest.raises(Stopped):
        measure_training(
            "infogan", image_size=32, batch_size=2, device=CPU, should_stop=lambda: True
        )


def test_measuring_leaves_the_callers_randomness_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tiny(0.0)
    assert torch.equal(torch.rand(3), expected)


def test_what_does_not_fit_into_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(InfoGAN, "step", step)
    tasks = [Task("infogan", 32, 2), Task("dcgan", 32, 2)]
    found = list(measure_tasks(tasks, CPU, seconds=0.0))
    assert [one.workload for one in found] == ["train dcgan 32px batch 2"]


def test_the_measurements_are_described_with_their_device() -> None:
    told = described([Measurement("train x", 2.0, 8.0, 4)], CPU)
    assert told["device"]["kind"] == "cpu"
    assert told["speeds"][0]["seconds_per_unit"] == 0.25


def test_every_gan_of_the_profiles_is_measured_with_batches_that_a_cpu_can_do_in_seconds() -> None:
    tasks = tasks_of(CPU)
    assert {task.gan for task in tasks} == {"infogan", "dcgan", "pggan", "fastgan", "stylegan2"}
    assert Task("infogan", 48, 8) in tasks
    assert all(task.batch_size >= 2 for task in tasks)
    assert len(tasks) == len({task.workload for task in tasks})


def test_what_a_profile_trains_is_measured_with_the_settings_it_has_there() -> None:
    spec = resolve(StudySpec(profile="quick"), {"a": 500, "b": 400})
    facts = DatasetFacts(
        digest="d", image_size=64, classes={"a": {"train": 500}, "b": {"train": 400}}
    )
    asked = {step.workload for step in plan_study(spec, facts).steps if step.kind == "train"}
    assert asked <= {task.workload for task in tasks_of(CPU)}
    (measured,) = measure_tasks([Task("fastgan", 32, 2, {"width": 8})], CPU, seconds=0.0)
    assert measured.workload == Task("fastgan", 32, 2, {"width": 8}).workload
