"""What a profile fills in, and what wins over it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from gan_core.spec import (
    PROFILES,
    DatasetFacts,
    DeviceFacts,
    GraftError,
    JobSpec,
    Speeds,
    StudySpec,
    plan_study,
    resolve,
)
from gan_core.spec.job import GanName

STUDY = {"benign": 1440, "malignant": 1197}
FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={name: {"train": count, "test": 300} for name, count in STUDY.items()},
)


def resolved(fields: dict[str, Any], counts: dict[str, int] = STUDY) -> StudySpec:
    """Return the study that these fields ask for, filled in."""
    return resolve(StudySpec.model_validate(fields), counts)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_resolves_to_a_spec_that_is_complete(profile: str) -> None:
    spec = resolved({"profile": profile})
    assert spec.rare_class == "malignant"
    assert spec.gans
    for gan in spec.gans:
        for count in (2, 10, 50, 250, 1197):
            batch_size, epochs = gan.schedule_for(count)
            assert batch_size >= 1
            assert epochs >= 1


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_resolved_spec_resolves_to_itself(profile: str) -> None:
    once = resolved({"profile": profile})
    assert resolve(once, STUDY) == once
    assert resolve(StudySpec.model_validate(once.model_dump(mode="json")), STUDY) == once


@pytest.mark.parametrize(
    ("real_count", "batch_size", "epochs"),
    [
        (10, 8, 1000),
        (50, 16, 1500),
        (100, 64, 2000),
        (200, 128, 3000),
        (250, 128, 3000),
        (300, 128, 3000),
        (500, 128, 3500),
        (1197, 128, 3500),
    ],
)
def test_the_seed_profile_trains_as_long_as_the_study_did(
    real_count: int, batch_size: int, epochs: int
) -> None:
    (gan,) = resolved({"profile": "seed"}).gans
    assert gan.schedule_for(real_count) == (batch_size, epochs)


def test_the_seed_profile_has_the_studys_settings_number_for_number() -> None:
    spec = resolved({"profile": "seed"})
    (gan,) = spec.gans
    assert (gan.name, gan.image_size, gan.ema_decay) == ("infogan", 112, None)
    assert spec.real_counts == [10, 50, 100, 200, 250, 300, 500, "all"]
    assert spec.balance_to == "full-class"
    assert (spec.upscale.engine, spec.upscale.size) == ("realesrgan", 224)
    assert (spec.benchmark.seed_cnn.epochs, spec.benchmark.seed_cnn.batch_size) == (30, 8)


def test_the_best_profile_asks_for_enough_runs_to_carry_a_claim() -> None:
    bench = resolved({"profile": "best"}).benchmark
    assert len(bench.subsets) * len(bench.seeds) >= 5


def test_a_field_given_by_hand_wins_and_its_neighbours_stay_the_profiles() -> None:
    spec = resolved({"profile": "quick", "upscale": {"engine": "lanczos"}})
    assert spec.upscale.engine == "lanczos"
    assert spec.upscale.size == PROFILES["quick"]["upscale"]["size"]
    assert spec.balance_to == PROFILES["quick"]["balance_to"]


def test_a_field_given_its_default_by_hand_still_wins_over_the_profile() -> None:
    # 112 is the default of the field, 48 the value of the profile: what is written counts.
    spec = resolved({"profile": "quick", "gans": [{"name": "infogan", "image_size": 112}]})
    assert spec.gans[0].image_size == 112
    assert resolved({"profile": "quick", "gans": [{"name": "infogan"}]}).gans[0].image_size == 48


def test_a_gan_given_by_hand_keeps_the_profiles_schedule() -> None:
    spec = resolved({"profile": "seed", "gans": [{"name": "infogan", "epochs": 2}]})
    assert spec.gans[0].schedule_for(10) == (8, 2)
    emptied = resolved({"profile": "seed", "gans": [{"name": "infogan", "schedule": []}]})
    assert emptied.gans[0].schedule_for(10) == (8, 1000)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", get_args(GanName))
def test_every_profile_knows_how_to_train_every_gan(profile: str, name: str) -> None:
    (gan,) = resolved({"profile": profile, "gans": [{"name": name}]}).gans
    for real_count in (10, 50, 100, 200, 500, 1197):
        batch_size, epochs = gan.schedule_for(real_count)
        assert batch_size >= 8
        assert epochs >= 5


def test_the_seed_profile_has_the_siblings_sizes_for_its_pggan() -> None:
    (gan,) = resolved({"profile": "seed", "gans": [{"name": "pggan"}]}).gans
    assert (gan.image_size, gan.ema_decay) == (256, None)
    assert gan.schedule_for(100) == (32, 2000)


CPU = Speeds.of({"gpu": DeviceFacts(kind="cpu", name="two cores", threads=2)}, [])
GPU = Speeds.of({"gpu": DeviceFacts(kind="gpu", name="H100", memory_bytes=80 * 2**30)}, [])


def best(fields: dict[str, Any], speeds: Speeds | None) -> StudySpec:
    spec = StudySpec.model_validate({"profile": "best", **fields})
    return resolve(spec, STUDY, data_size=224, speeds=speeds)


@pytest.mark.parametrize("speeds", [CPU, GPU, None], ids=["cpu", "gpu", "unknown"])
def test_the_best_profile_trains_no_gan_on_few_images_and_says_why(speeds: Speeds | None) -> None:
    spec = best({}, speeds)
    assert spec.real_counts == [10, 50, 100, 200, 500, "all"]
    chosen = {count: gan.name for gan in spec.gans for count in gan.real_counts or []}
    assert set(chosen) == {50, 100, 200, 500, "all"}
    assert spec.chosen_because[0].startswith("Real count 10: no GAN: ")
    told = " ".join(spec.chosen_because)
    assert all(str(count) in told for count in spec.real_counts)
    assert plan_study(spec, FACTS).advice[: len(spec.chosen_because)] == spec.chosen_because


def test_the_best_profile_chooses_by_real_count_and_device() -> None:
    on_gpu = {c: g for g in best({}, GPU).gans for c in g.real_counts or []}
    assert (on_gpu[50].name, on_gpu[50].image_size) == ("fastgan", 128)
    assert (on_gpu[500].name, on_gpu[500].schedule_for(500)) == ("stylegan2", (16, 800))
    on_cpu = {c: g for g in best({}, CPU).gans for c in g.real_counts or []}
    assert {gan.name for gan in on_cpu.values()} == {"fastgan"}
    assert on_cpu[50].image_size < on_gpu[50].image_size
    assert on_cpu[500].schedule_for(500)[1] < on_gpu[500].schedule_for(500)[1]
    # Those alike are one entry.
    assert len(best({}, CPU).gans) == 1


def test_what_the_best_profile_chose_resolves_to_itself_on_another_device() -> None:
    chosen = best({}, GPU)
    again = StudySpec.model_validate(chosen.model_dump(mode="json"))
    assert resolve(again, STUDY, data_size=224, speeds=CPU) == chosen


def test_gans_given_by_hand_are_trained_whatever_the_best_profile_would_choose() -> None:
    spec = best({"real_counts": [10, 200], "gans": [{"name": "fastgan"}]}, CPU)
    (asked,) = spec.gans
    assert (asked.image_size, asked.schedule_for(100)) == (128, (8, 4000))
    assert asked.is_for(10)
    assert spec.chosen_because == []
    assert best({"gans": []}, GPU).gans == []


def test_where_no_gan_is_advised_the_arms_without_one_still_run() -> None:
    spec = best({"real_counts": [10, 30]}, GPU)
    assert spec.gans == []
    kinds = {step.kind for step in plan_study(spec, FACTS).steps}
    assert "evaluate" in kinds
    assert "train" not in kinds


def test_a_gan_for_a_real_count_that_the_job_does_not_have_is_refused() -> None:
    with pytest.raises(GraftError) as caught:
        resolved({"real_counts": [50], "gans": [{"name": "infogan", "real_counts": [100]}]})
    assert caught.value.code == "unknown_real_count"
    assert "50" in caught.value.hint


def test_a_gan_for_a_number_that_is_all_there_are_is_for_all() -> None:
    few = {"benign": 500, "malignant": 100}
    gan = {"name": "infogan", "real_counts": [100]}
    spec = resolved({"real_counts": [10, 100, "all"], "gans": [gan]}, few)
    assert spec.gans[0].real_counts == ["all"]


def test_no_gan_can_be_asked_for() -> None:
    assert resolved({"gans": []}).gans == []


def test_the_rare_class_is_the_smallest_unless_it_is_named() -> None:
    assert resolved({}).rare_class == "malignant"
    assert resolved({"rare_class": "benign"}).rare_class == "benign"
    assert resolved({}, {"b": 60, "a": 60, "c": 70}).rare_class == "a"


def test_an_unknown_class_is_refused_with_the_classes_there_are() -> None:
    with pytest.raises(GraftError) as caught:
        resolved({"rare_class": "melanoma"})
    assert caught.value.code == "unknown_class"
    assert "benign, malignant" in caught.value.hint


def test_a_real_count_above_what_there_is_is_refused_with_the_number_there_is() -> None:
    with pytest.raises(GraftError) as caught:
        resolved({"real_counts": [50, 5000]})
    assert caught.value.code == "real_count_too_large"
    assert "1197" in caught.value.hint


def test_the_profiles_own_real_counts_are_cut_to_what_there_is() -> None:
    assert resolved({"profile": "seed"}, {"benign": 500, "malignant": 120}).real_counts == [
        10,
        50,
        100,
        "all",
    ]
    assert resolved({"profile": "quick"}, {"benign": 90, "malignant": 20}).real_counts == ["all"]


def test_a_job_stays_a_job_with_its_dataset() -> None:
    job = resolve(JobSpec(dataset_id="ds_1"), STUDY)
    assert isinstance(job, JobSpec)
    assert job.dataset_id == "ds_1"


def test_resolving_changes_no_profile() -> None:
    before = repr(PROFILES)
    resolved({"profile": "quick", "gans": [{"name": "infogan", "schedule": []}]})
    assert repr(PROFILES) == before


def test_a_real_count_that_is_all_there_are_is_not_run_twice() -> None:
    few = {"benign": 500, "malignant": 100}
    assert resolved({"real_counts": [10, 100, "all"]}, few).real_counts == [10, "all"]
    assert resolved({"profile": "seed"}, few).real_counts == [10, 50, "all"]
    assert resolved({"real_counts": [10, 100]}, few).real_counts == [10, 100]


def test_the_same_gan_for_all_and_for_the_number_that_is_all_is_refused_in_words() -> None:
    gans = [{"name": "fastgan", "real_counts": counts} for counts in ([1197], ["all"])]
    with pytest.raises(GraftError, match="fastgan was asked for twice") as caught:
        resolved({"real_counts": ["all"], "gans": gans})
    assert caught.value.code == "gan_twice"
    assert "1197" in caught.value.detail


def test_what_does_not_fit_the_profiles_values_is_refused_in_words() -> None:
    # Its own size, 112, has four blocks; that of the profile has three.
    gan = {"name": "dcgan", "pretrain": "other-classes", "freeze_d": 4}
    with pytest.raises(GraftError, match="has 3 blocks at 32 pixels") as caught:
        resolved({"profile": "quick", "gans": [gan]})
    assert caught.value.code == "does_not_fit"
    assert resolved({"profile": "quick", "gans": [gan | {"image_size": 112}]})


def keys(settings: dict[str, Any], name: str = "dcgan", **fields: Any) -> dict[str, str]:
    gan = {"name": name, "settings": settings} | fields
    spec = resolved({"real_counts": [50], "gans": [gan], "balance_to": 60})
    return {step.name: step.key for step in plan_study(spec, FACTS).steps}


@pytest.mark.parametrize("pretrain", ["none", "all-classes"])
@pytest.mark.parametrize(
    "same",
    [
        {"gamma_end": 40},
        {"gamma_end": 40.0},
        {"width": 64},
        {"betas": [0.5, 0.999], "loss": "non-saturating"},
    ],
)
def test_a_setting_that_holds_anyway_changes_no_key(same: dict[str, Any], pretrain: str) -> None:
    assert keys(same, pretrain=pretrain) == keys({}, pretrain=pretrain)


def test_a_number_has_one_key_however_it_is_written() -> None:
    assert keys({"gamma_end": 20}) == keys({"gamma_end": 20.0}) != keys({})
    assert keys({"betas": [0, 0.9]}) == keys({"betas": [0.0, 0.9]})


def test_a_kinds_default_given_by_hand_wins_over_the_profiles_setting() -> None:
    spec = resolved({"gans": [{"name": "fastgan", "settings": {"width": 64}}]})
    assert resolve(spec, STUDY) == spec
    assert spec.gans[0].settings == {"width": 64}
    assert spec.gans[0].own_settings() == {}
