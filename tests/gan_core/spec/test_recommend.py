"""What is recommended for a real count on a device, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gan_core.spec import DeviceFacts, Speed, Speeds
from gan_core.spec.job import GanSpec
from gan_core.spec.recommend import (
    CPU_SECONDS_A_TRAINING,
    FEW_REAL_IMAGES,
    RULES,
    Recommendation,
    as_gans,
    reasons,
    recommend,
)
from gan_core.spec.speeds import training

CPU = DeviceFacts(kind="cpu", name="two cores", threads=2)
GPU = DeviceFacts(kind="gpu", name="H100", memory_bytes=80 * 2**30)


def found(count: int, device: DeviceFacts | None, **more: object) -> Recommendation:
    return recommend(count, count, other_images=1440, data_size=224, device=device, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", [CPU, GPU, None], ids=["cpu", "gpu", "unknown"])
@pytest.mark.parametrize("count", [2, 10, 30, 49, 50, 100, 500, 5000])
def test_every_count_has_a_recommendation_with_reasons(
    count: int, device: DeviceFacts | None
) -> None:
    one = found(count, device)
    assert one.reasons
    assert all(reason.endswith(".") and len(reason) < 400 for reason in one.reasons)
    assert (one.gan is None) == (count < FEW_REAL_IMAGES)
    if one.gan is not None:
        assert one.epochs >= 1
        assert 1 <= one.batch_size <= count
        GanSpec.model_validate(as_gans([one], {})[0])


def test_a_gpu_shows_as_many_images_as_the_papers_and_a_cpu_as_many_as_it_can_in_its_time() -> None:
    on_gpu, on_cpu = found(100, GPU), found(100, CPU)
    assert on_gpu.images_shown == 400_000
    assert on_gpu.epochs == 4000
    assert on_cpu.images_shown == 100_000
    assert "30 minutes" in on_cpu.reasons[-1]
    assert "two cores" in on_cpu.reasons[-1]


@pytest.mark.parametrize(("seconds", "shown"), [(0.001, 400_000), (0.017, 100_000), (9.0, 2000)])
def test_the_length_on_a_cpu_follows_from_what_was_measured_on_it(
    seconds: float, shown: int
) -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    workload = training("fastgan", 64, 8, 1, {"width": 16}).name
    speed = Speed(CPU.name, workload, seconds, 100, at)
    one = found(100, CPU, speeds=Speeds.of({"gpu": CPU}, [speed]))
    assert one.images_shown == shown
    assert shown * seconds <= CPU_SECONDS_A_TRAINING or shown == 2000


def test_a_gpu_with_little_memory_takes_smaller_batches() -> None:
    little = GPU.model_copy(update={"memory_bytes": 4 * 2**30})
    assert found(100, little).batch_size < found(100, GPU).batch_size


def test_no_image_is_made_larger_than_the_data_set_has_them() -> None:
    one = recommend(100, 100, other_images=10, data_size=96, device=GPU)
    assert one.image_size == 64


def test_with_many_images_of_other_classes_the_gan_learns_on_them_first() -> None:
    one = found(100, GPU)
    assert one.pretrain == "other-classes"
    assert one.pretrain_epochs == round(one.images_shown / 1440)
    assert any("1440 images of the other classes" in reason for reason in one.reasons)
    alone = recommend(100, 100, other_images=5, data_size=224, device=GPU)
    assert alone.pretrain == "none"


def test_gans_that_are_alike_are_one_with_a_schedule_row_a_count() -> None:
    hundred = found(100, GPU)
    gans = as_gans([hundred, replace(hundred, asked="all", epochs=7)], {"snapshots": 8})
    (gan,) = gans
    assert gan["real_counts"] == [100, "all"]
    spec = GanSpec.model_validate(gan)
    assert (spec.schedule_for(100), spec.schedule_for(900)) == ((8, 4000), (8, 7))
    assert spec.snapshots == 8


def test_a_reason_that_holds_for_several_counts_is_told_once() -> None:
    told = reasons([found(10, GPU), found(30, GPU), found(100, GPU)])
    assert told[0].startswith("Real counts 10, 30: no GAN")
    assert told[1].startswith("Real count 100: FastGAN at 128 pixels")


def test_the_rules_of_each_device_begin_at_two_and_rise() -> None:
    for kind in ("cpu", "gpu"):
        begins = [rule.from_count for rule in RULES if rule.device == kind]
        assert begins[0] == 2
        assert begins == sorted(set(begins))
