"""What a spec accepts, what it refuses, and with which words."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from gan_core.spec import BenchmarkSpec, GanSpec, GraftError, JobSpec, StudySpec
from gan_core.spec.job import ScheduleRow


def refusal(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the first complaint about a study with these fields."""
    with pytest.raises(ValidationError) as caught:
        StudySpec.model_validate(fields)
    return dict(caught.value.errors()[0])


def test_a_job_needs_a_dataset_and_nothing_else() -> None:
    spec = JobSpec.model_validate({"dataset_id": "ds_1"})
    assert spec.profile == "quick"
    assert spec.rare_class is None
    with pytest.raises(ValidationError, match="dataset_id"):
        JobSpec.model_validate({})


def test_the_spec_of_the_design_is_accepted() -> None:
    spec = JobSpec.model_validate(
        {
            "dataset_id": "ds_1",
            "profile": "seed",
            "rare_class": "malignant",
            "real_counts": [10, 50, 100, 200, 500, "all"],
            "gans": [{"name": "infogan"}],
            "balance_to": "majority",
            "upscale": {"engine": "realesrgan", "size": 224},
            "benchmark": {
                "classifiers": ["seed-cnn", "probe"],
                "arms": "default",
                "seeds": [0, 1, 2, 3, 4],
            },
            "screen": {"near_copies": True},
            "output": {"format": "png", "size": 224},
        }
    )
    assert spec.real_counts[-1] == "all"
    assert spec.benchmark.base_arms()[:3] == ["real-only", "class-weights", "oversample"]
    assert spec.benchmark.base_arms()[-1] == "upscale-control"


@pytest.mark.parametrize(
    "fields",
    [
        {"relcounts": [50]},
        {"upscale": {"engin": "lanczos"}},
        {"gans": [{"name": "infogan", "epoch": 3}]},
    ],
)
def test_a_mistyped_field_is_refused_and_never_ignored(fields: dict[str, Any]) -> None:
    assert refusal(fields)["type"] == "extra_forbidden"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"gans": [{"name": "biggan"}]}, ("gans", 0, "name")),
        ({"profile": "fast"}, ("profile",)),
        ({"upscale": {"engine": "bicubic"}}, ("upscale", "engine")),
        ({"benchmark": {"classifiers": ["resnet"]}}, ("benchmark", "classifiers", 0)),
    ],
)
def test_an_unknown_name_is_refused_and_says_where(
    fields: dict[str, Any], where: tuple[str | int, ...]
) -> None:
    complaint = refusal(fields)
    assert complaint["loc"] == where
    assert complaint["type"] == "literal_error"


@pytest.mark.parametrize(
    "fields",
    [
        {"gans": [{"name": "infogan", "image_size": 8}]},
        {"gans": [{"name": "infogan", "image_size": 100}]},
        {"gans": [{"name": "infogan", "image_size": 272}]},
        {"gans": [{"name": "fastgan", "image_size": 48}]},
        {"gans": [{"name": "stylegan2", "image_size": 96}]},
        {"upscale": {"size": 16}},
        {"upscale": {"size": 4096}},
        {"output": {"size": 1}},
        {"real_counts": [1]},
        {"real_counts": []},
        {"real_counts": [50, 50]},
        {"gans": [{"name": "infogan"}, {"name": "infogan"}]},
        {"benchmark": {"seeds": []}},
        {"benchmark": {"seeds": [0, 0]}},
        {"benchmark": {"seeds": [-1]}},
        {"benchmark": {"subsets": [2**31]}},
        {"balance_to": 1},
        {"screen": {"near_copy_rms": -1}},
        {"gans": [{"name": "infogan", "ema_decay": 1.0}]},
    ],
)
def test_a_value_out_of_range_or_given_twice_is_refused(fields: dict[str, Any]) -> None:
    assert refusal(fields)["type"] != "extra_forbidden"


def test_arms_without_a_gan_can_be_chosen_one_by_one() -> None:
    assert BenchmarkSpec(arms=["oversample"]).base_arms() == ["oversample"]
    assert BenchmarkSpec(arms=[]).base_arms() == []


def test_the_schedule_takes_the_first_row_that_reaches_the_real_count() -> None:
    gan = GanSpec(
        name="infogan",
        schedule=[
            ScheduleRow(up_to=10, batch_size=8, epochs=1000),
            ScheduleRow(up_to=50, batch_size=16, epochs=1500),
            ScheduleRow(up_to=None, batch_size=128, epochs=3500),
        ],
    )
    assert gan.schedule_for(2) == (8, 1000)
    assert gan.schedule_for(10) == (8, 1000)
    assert gan.schedule_for(11) == (16, 1500)
    assert gan.schedule_for(1197) == (128, 3500)


def test_the_last_row_holds_beyond_its_own_limit() -> None:
    gan = GanSpec(name="infogan", schedule=[ScheduleRow(up_to=10, batch_size=8, epochs=5)])
    assert gan.schedule_for(500) == (8, 5)


def test_epochs_and_batch_size_given_by_hand_win_over_the_schedule() -> None:
    row = ScheduleRow(up_to=None, batch_size=128, epochs=3500)
    gan = GanSpec(name="infogan", schedule=[row], epochs=7)
    assert gan.schedule_for(100) == (128, 7)
    assert gan.model_copy(update={"batch_size": 4}).schedule_for(100) == (4, 7)
    assert GanSpec(name="infogan", epochs=2, batch_size=3).schedule_for(100) == (3, 2)


def test_a_gan_without_any_schedule_says_that_the_spec_is_not_resolved() -> None:
    with pytest.raises(ValueError, match="resolve the spec first"):
        GanSpec(name="infogan").schedule_for(100)


def test_an_error_keeps_its_parts_through_a_pickle() -> None:
    error = GraftError("unknown_class", "The data set has no such class.", "Choose another.")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own object, made a line above
    assert (again.code, again.detail, again.hint) == (error.code, error.detail, error.hint)
    assert str(again) == "The data set has no such class. Choose another."


def test_the_spec_is_imported_without_torch_and_numpy() -> None:
    code = (
        "import sys, gan_core.spec;"
        "print(sorted({'torch', 'numpy', 'fastapi', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_arm_named_twice_is_refused() -> None:
    complaint = refusal({"benchmark": {"arms": ["real-only", "real-only"]}})
    assert "the same value twice" in complaint["msg"]


@pytest.mark.parametrize("ends", [[100, 50], [50, 50], [None, 50], [None, None]])
def test_a_schedule_whose_rows_do_not_rise_is_refused(ends: list[int | None]) -> None:
    rows = [{"up_to": end, "batch_size": 8, "epochs": 1} for end in ends]
    complaint = refusal({"gans": [{"name": "infogan", "schedule": rows}]})
    assert "does not rise" in complaint["msg"]


@pytest.mark.parametrize(
    ("gan", "said"),
    [
        ({"pretrain_epochs": 3}, "pretrain_epochs needs pretrain"),
        ({"freeze_d": 1}, "freeze_d needs pretrain"),
        (
            {"freeze_d": 5, "pretrain": "all-classes", "image_size": 112},
            "has 4 blocks at 112 pixels",
        ),
        (
            {"conditional": "late", "settings": {"blend_start": 0.6, "blend_length": 0.5}},
            "the labels would never come in wholly",
        ),
        ({"name": "pggan", "conditional": "late"}, "pggan cannot learn from labels"),
        ({"name": "infogan", "conditional": "late"}, "infogan cannot learn from labels"),
        ({"conditional": "late", "pretrain": "all-classes"}, "exclude each other"),
        ({"settings": {"blend_start": 0.5}}, "blend_start needs conditional"),
    ],
)
def test_ways_to_learn_that_do_not_go_together_are_refused(gan: dict[str, Any], said: str) -> None:
    complaint = refusal({"gans": [{"name": "dcgan"} | gan]})
    assert complaint["loc"] == ("gans", 0)
    assert said in complaint["msg"]


def test_what_decides_how_a_gan_learns_is_named_only_where_it_is_asked_for() -> None:
    assert GanSpec(name="dcgan").learning_params() == {}
    gan = GanSpec(name="dcgan", settings={"width": 8}, pretrain="other-classes", freeze_d=2)
    assert gan.learning_params() == {
        "settings": {"width": 8},
        "pretrain": "other-classes",
        "freeze_d": 2,
    }
    assert GanSpec(name="dcgan", conditional="late").learning_params() == {"conditional": "late"}


def test_the_same_gan_may_be_named_twice_for_other_real_counts_alone() -> None:
    def gans(*counts: list[Any] | None) -> dict[str, Any]:
        return {"gans": [{"name": "fastgan", "real_counts": one} for one in counts]}

    assert len(StudySpec.model_validate(gans([50], [100, "all"])).gans) == 2
    for refused in (gans([50], [50, 100]), gans(None, [50]), gans(None, None)):
        with pytest.raises(ValidationError, match="same GAN twice"):
            StudySpec.model_validate(refused)
