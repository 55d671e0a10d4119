"""The graph of steps, and the keys by which finished steps are used again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_core.spec import (
    DatasetFacts,
    DeviceFacts,
    GraftError,
    Plan,
    Speed,
    Speeds,
    StepInput,
    StudySpec,
    plan_study,
    resolve,
)
from gan_core.spec import steps as steps_module
from gan_core.spec.plan import plan_ingest
from gan_core.spec.steps import folder_name, step_key

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 1144, "test": 296}, "malignant": {"train": 963, "test": 234}},
)


def planned(fields: dict[str, Any], facts: DatasetFacts = FACTS) -> Plan:
    """Return the plan of a study with these fields, of InfoGAN where they name no GAN."""
    fields = {"gans": [{"name": "infogan"}]} | fields
    spec = resolve(StudySpec.model_validate(fields), facts.train_counts())
    return plan_study(spec, facts)


def keys(plan: Plan) -> dict[str, str]:
    """Return the key of every step by its name."""
    return {step.name: step.key for step in plan.steps}


ONE_COLUMN = {"real_counts": [50], "balance_to": 100}


def test_one_real_count_and_one_gan_take_these_steps() -> None:
    plan = planned(ONE_COLUMN)
    assert [step.name for step in plan.steps] == [
        "control:48",
        "features",
        "augmented",
        "evaluate:real:50:s0",
        "train:infogan:50:s0",
        "generate:infogan:50:s0",
        "upscale:infogan:50:s0",
        "fakes-features:infogan:50:s0",
        "inspect:infogan:50:s0",
        "evaluate:infogan:50:s0",
        "report",
        "package",
    ]


def test_a_screen_stands_between_drawing_and_upscaling_and_its_absence_is_an_arm() -> None:
    screen = {"draw": 3, "label": True, "diverse": True}
    plan = planned(ONE_COLUMN | {"screen": screen})
    steps = {step.name: step for step in plan.steps}
    assert steps["generate:infogan:50:s0"].params["count"] == 3 * 50
    assert steps["screen:infogan:50:s0"].params["count"] == 50
    assert steps["upscale:infogan:50:s0"].needs() == ["screen:infogan:50:s0"]
    assert steps["unscreened:infogan:50:s0"].needs() == ["generate:infogan:50:s0"]
    assert steps["unscreened:infogan:50:s0"].params["first"] == 50
    arms = steps["evaluate:infogan:50:s0"].params["arms"]
    assert "gan:infogan-unscreened" in arms["probe"]
    # The zip takes seeds from the screen, and the report tells what it left out.
    assert {"screen:infogan:50:s0"} <= set(steps["package"].needs()) & set(steps["report"].needs())
    assert "generate:infogan:50:s0" not in steps["package"].needs()


def test_leaving_leaks_out_changes_everything_that_learns_and_nothing_that_only_looks() -> None:
    before = keys(planned(ONE_COLUMN))
    after = keys(planned(ONE_COLUMN | {"leaks": "leave-out"}))
    same = {name for name in before if before[name] == after[name]}
    assert same == {"features", "augmented"}


def test_each_classifier_is_trained_in_its_own_arms() -> None:
    (real,) = [s for s in planned(ONE_COLUMN).steps if s.name == "evaluate:real:50:s0"]
    assert real.params["arms"] == {
        "probe": [
            "real-only",
            "class-weights",
            "oversample",
            "classic-augment",
            "classic-augment+oversample",
            "upscale-control:48",
        ],
        "seed-cnn": ["real-only", "class-weights"],
    }
    (of_gan,) = [s for s in planned(ONE_COLUMN).steps if s.name == "evaluate:infogan:50:s0"]
    assert of_gan.params["arms"] == {
        "probe": [
            "gan:infogan",
            "gan:infogan+classic-augment",
            "gan:infogan@ratio",
            "synthetic-only:infogan",
        ],
        "seed-cnn": ["gan:infogan"],
    }


def test_the_ratio_is_the_probes_alone() -> None:
    bench = {"classifiers": ["seed-cnn", "finetune"], "seed_cnn": {"arms": None}}
    (of_gan,) = [
        s
        for s in planned(ONE_COLUMN | {"benchmark": bench}).steps
        if s.name == "evaluate:infogan:50:s0"
    ]
    for names in of_gan.params["arms"].values():
        assert "gan:infogan" in names
        assert "gan:infogan@ratio" not in names


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(
        st.one_of(st.integers(2, 963), st.just("all")), min_size=1, max_size=4, unique=True
    ),
    subsets=st.lists(st.integers(0, 50), min_size=1, max_size=3, unique=True),
    classifiers=st.lists(st.sampled_from(["seed-cnn", "probe"]), max_size=2, unique=True),
    gans=st.sampled_from([[], [{"name": "infogan"}]]),
    balance_to=st.sampled_from(["full-class", "majority", 400]),
)
def test_every_plan_can_be_carried_out_from_first_to_last(
    counts: list[Any],
    subsets: list[int],
    classifiers: list[str],
    gans: list[Any],
    balance_to: Any,
) -> None:
    fields = {
        "real_counts": counts,
        "gans": gans,
        "balance_to": balance_to,
        "benchmark": {"subsets": subsets, "classifiers": classifiers},
    }
    try:
        plan = planned(fields)
    except GraftError as error:
        if error.code != "nothing_to_do" or classifiers:
            raise
        return
    done: set[str] = set()
    for step in plan.steps:
        assert step.name not in done
        assert set(step.needs()) <= done, f"{step.name} comes before what it needs"
        assert all(":" not in label for label in step.inputs)
        assert step.estimate_seconds > 0
        done.add(step.name)
    assert len(set(keys(plan).values())) == len(plan.steps)
    assert plan == planned(fields)


def test_a_gan_is_trained_for_each_subset_on_that_subset_alone() -> None:
    plan = planned(ONE_COLUMN | {"benchmark": {"subsets": [3, 4], "seeds": [0, 1, 2]}})
    trainings = [step for step in plan.steps if step.kind == "train"]
    assert [(t.name, t.params["subset"]) for t in trainings] == [
        ("train:infogan:50:s3", 3),
        ("train:infogan:50:s4", 4),
    ]
    evaluations = [step for step in plan.steps if step.kind == "evaluate"]
    assert all(step.params["seeds"] == [0, 1, 2] for step in evaluations)
    (of_gan,) = (s for s in evaluations if s.name == "evaluate:infogan:50:s4")
    assert "upscale:infogan:50:s4" in of_gan.needs()


def test_fakes_fill_the_class_up_to_what_was_asked() -> None:
    def fakes(balance_to: int | str) -> int:
        plan = planned({"real_counts": [100], "balance_to": balance_to})
        (step,) = (s for s in plan.steps if s.kind == "generate")
        return int(step.params["count"])

    assert fakes("full-class") == 963 - 100
    assert fakes("majority") == 1144 - 100
    assert fakes(150) == 50


def test_a_real_count_that_leaves_nothing_to_fill_trains_no_gan_but_is_measured() -> None:
    plan = planned({"real_counts": ["all"], "balance_to": "full-class"})
    kinds = [step.kind for step in plan.steps]
    assert "train" not in kinds
    assert "package" not in kinds
    assert kinds.count("evaluate") == 1


def test_nothing_to_do_is_said_and_not_planned() -> None:
    with pytest.raises(GraftError) as caught:
        planned({"real_counts": ["all"], "benchmark": {"classifiers": []}})
    assert caught.value.code == "nothing_to_do"
    assert "balance_to" in caught.value.hint


def test_adding_one_column_changes_no_step_of_the_others() -> None:
    narrow = keys(planned({"real_counts": [50, 100], "balance_to": 400}))
    wide = keys(planned({"real_counts": [50, 100, 200], "balance_to": 400}))
    shared = {name: key for name, key in narrow.items() if name not in {"report", "package"}}
    assert shared.items() <= wide.items()
    # The report and the zip hold the new column, so they are made anew.
    assert narrow["report"] != wide["report"]
    assert narrow["package"] != wide["package"]


def test_an_order_of_real_counts_changes_no_step_of_a_column() -> None:
    there = keys(planned({"real_counts": [50, 100]}))
    back = keys(planned({"real_counts": [100, 50]}))
    assert {n: k for n, k in there.items() if n not in {"report", "package"}}.items() <= (
        back.items()
    )


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (
            {"upscale": {"engine": "realesrgan"}},
            {"upscale", "control", "fakes-features", "inspect", "evaluate"},
        ),
        ({"benchmark": {"seeds": [1]}}, {"evaluate:infogan", "evaluate:real"}),
        (
            {"gans": [{"name": "infogan", "epochs": 3}]},
            {"train", "generate", "upscale", "fakes-features", "inspect", "evaluate:infogan"},
        ),
        # How many copies the control shows goes by it, too.
        ({"balance_to": 101}, {"generate", "upscale", "fakes-features", "inspect", "evaluate"}),
        ({"screen": {"near_copies": False}}, set()),
    ],
)
def test_a_change_runs_again_only_what_it_can_change(
    change: dict[str, Any], kinds: set[str]
) -> None:
    before, after = keys(planned(ONE_COLUMN)), keys(planned(ONE_COLUMN | change))
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    expected = {n for n in before if any(n.startswith(kind) for kind in kinds)}
    assert changed == expected | {"report", "package"}


def test_a_name_for_people_changes_no_science() -> None:
    before, after = keys(planned(ONE_COLUMN)), keys(planned(ONE_COLUMN | {"name": "June"}))
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"report", "package"}


def test_another_dataset_shares_no_key() -> None:
    other = FACTS.model_copy(update={"digest": "e" * 64})
    assert not set(keys(planned(ONE_COLUMN)).values()) & set(
        keys(planned(ONE_COLUMN, other)).values()
    )


def test_a_raised_code_version_changes_that_step_and_all_that_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = keys(planned(ONE_COLUMN))
    monkeypatch.setitem(steps_module.STEP_VERSIONS, "generate", 99)
    after = keys(planned(ONE_COLUMN))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "generate:infogan:50:s0",
        "upscale:infogan:50:s0",
        "fakes-features:infogan:50:s0",
        "inspect:infogan:50:s0",
        "evaluate:infogan:50:s0",
        "report",
        "package",
    }


def test_a_key_ignores_the_order_of_its_parts_and_nothing_else() -> None:
    key = step_key("train", {"a": 1, "b": 2}, {"x": "1", "y": "2"})
    assert key == step_key("train", {"b": 2, "a": 1}, {"y": "2", "x": "1"})
    assert key != step_key("train", {"a": 1, "b": 2}, {"x": "2", "y": "1"})
    assert key != step_key("generate", {"a": 1, "b": 2}, {"x": "1", "y": "2"})
    assert key != step_key("train", {"a": 1, "b": 2.5}, {"x": "1", "y": "2"})
    assert len(key) == 64
    with pytest.raises(ValueError, match="JSON compliant"):
        step_key("train", {"a": float("nan")}, {})


def test_the_ingest_of_one_upload_is_found_again_by_its_bytes() -> None:
    one = plan_ingest("a" * 64, 1000, 224).steps[0]
    assert one.kind == "ingest"
    assert one.queue == "interactive"
    assert one.key == plan_ingest("a" * 64, 2000, 224).steps[0].key
    assert one.key != plan_ingest("b" * 64, 1000, 224).steps[0].key
    assert one.key != plan_ingest("a" * 64, 1000, 256).steps[0].key


def test_what_a_person_should_know_beforehand_is_said() -> None:
    few = " ".join(planned({"real_counts": [10], "profile": "best"}).advice)
    assert "harm" in few
    named = {"real_counts": [200], "profile": "best", "gans": [{"name": "fastgan"}]}
    many = planned(named).advice
    assert many == []
    quick = " ".join(planned({"real_counts": [200]}).advice)
    assert "quick" in quick
    assert "five" in quick


def test_the_operators_own_weights_change_the_images_that_pass_through_them_and_no_others() -> None:
    for engine, changes in (("realesrgan", True), ("lanczos", False)):
        fields = ONE_COLUMN | {"gans": [{"name": "infogan"}], "upscale": {"engine": engine}}
        spec = resolve(StudySpec.model_validate(fields), FACTS.train_counts())
        plans = [
            keys(plan_study(spec, FACTS, weights_sha256=digest)) for digest in (None, "a", "b")
        ]
        upscaled = {plan["upscale:infogan:50:s0"] for plan in plans}
        assert len(upscaled) == (3 if changes else 1)
        assert len({plan["generate:infogan:50:s0"] for plan in plans}) == 1


def test_a_study_that_no_machine_would_finish_is_refused() -> None:
    for fields in (
        {"balance_to": 1_000_000, "real_counts": [10], "upscale": {"size": 1024}},
        {
            "real_counts": list(range(2, 34)),
            "benchmark": {"subsets": list(range(32))},
        },
    ):
        with pytest.raises(GraftError) as refused:
            planned(fields)
        assert refused.value.code == "study_too_large"


def test_a_folder_name_holds_no_colon() -> None:
    assert folder_name("train:infogan:50:s0") == "train-infogan-50-s0"


def test_facts_count_what_they_hold() -> None:
    assert FACTS.train_counts() == {"benign": 1144, "malignant": 963}
    assert FACTS.total() == 1144 + 296 + 963 + 234


def test_a_plan_needs_a_resolved_spec() -> None:
    with pytest.raises(ValueError, match="resolve"):
        plan_study(StudySpec(), FACTS)


def test_without_a_base_arm_only_the_gans_are_evaluated() -> None:
    arms = {"benchmark": {"classifiers": ["probe"], "arms": []}}
    steps = [step.name for step in planned({**ONE_COLUMN, **arms}).steps]
    assert [name for name in steps if name.startswith("evaluate")] == ["evaluate:infogan:50:s0"]
    with pytest.raises(GraftError) as caught:
        planned({**ONE_COLUMN, **arms, "gans": []})
    assert caught.value.code == "nothing_to_do"


SEVERAL = {
    "real_counts": [50, 100],
    "balance_to": 200,
    "benchmark": {"classifiers": ["probe"], "subsets": [0, 1]},
}


def soft_groups(plan: Plan, name: str) -> dict[str, int | None]:
    """Return what the failure of each needed step means for a step."""
    (step,) = [step for step in plan.steps if step.name == name]
    return {needed: step.soft_group_of(needed) for needed in step.needs()}


def test_only_the_report_the_zip_and_single_arms_can_do_without_what_failed() -> None:
    plan = planned(SEVERAL | {"screen": {"draw": 2}})
    for step in plan.steps:
        if step.kind not in {"report", "package"}:
            soft = {
                name for name, group in soft_groups(plan, step.name).items() if group is not None
            }
            kinds = {name.split(":")[0] for name in soft}
            allowed = {"control", "unscreened", "unscreened-features"}
            assert kinds <= (allowed if step.kind == "evaluate" else set())


def test_the_report_needs_one_evaluation_and_shows_of_the_rest_what_there_is() -> None:
    for needed, group in soft_groups(planned(SEVERAL), "report").items():
        assert group == (1 if needed.startswith("evaluate:") else 0)


def test_without_classifiers_the_report_needs_one_set_of_images() -> None:
    groups = soft_groups(planned({**SEVERAL, "benchmark": {"classifiers": []}}), "report")
    assert {needed.split(":")[0]: group for needed, group in groups.items()} == {
        "control": 0,
        "train": 0,
        "inspect": 0,
        "upscale": 1,
    }


def test_the_zip_needs_the_report_and_one_set_of_images() -> None:
    groups = soft_groups(planned(SEVERAL), "package")
    assert groups.pop("report") is None
    assert {needed.split(":")[0]: group for needed, group in groups.items()} == {
        "train": 0,
        "generate": 0,
        "inspect": 0,
        "upscale": 1,
    }


def test_a_need_that_is_hard_once_is_hard() -> None:
    step = (
        planned(ONE_COLUMN)
        .steps[0]
        .model_copy(
            update={
                "inputs": {
                    "a": StepInput(source="step", step="x", soft_group=1),
                    "b": StepInput(source="step", step="x"),
                    "c": StepInput(source="step", step="y", soft_group=0),
                    "d": StepInput(source="step", step="y", soft_group=2),
                }
            }
        )
    )
    assert (step.soft_group_of("x"), step.soft_group_of("y")) == (None, 2)


def test_how_soft_a_need_is_does_not_change_a_key() -> None:
    plan = planned(ONE_COLUMN)
    known = keys(plan)
    for step in plan.steps:
        digests = {
            label: FACTS.digest if given.step is None else known[given.step]
            for label, given in step.inputs.items()
        }
        assert step.key == step_key(step.kind, step.params, digests)


def test_every_step_says_with_which_version_of_the_code_its_key_was_made() -> None:
    for step in [*planned(ONE_COLUMN).steps, *plan_ingest("a" * 64, 10, 224).steps]:
        assert step.code_version == steps_module.STEP_VERSIONS[step.kind]


def test_a_gan_is_trained_for_its_own_real_counts_alone() -> None:
    gans = [
        {"name": "infogan", "real_counts": [50]},
        {"name": "dcgan"},
        {"name": "infogan", "image_size": 64, "real_counts": [100]},
    ]
    plan = planned({"real_counts": [50, 100, 200], "gans": gans})
    trained = [step for step in plan.steps if step.kind == "train"]
    assert [step.name.removesuffix(":s0") for step in trained] == [
        "train:infogan:50",
        "train:dcgan:50",
        "train:dcgan:100",
        "train:infogan:100",
        "train:dcgan:200",
    ]
    sizes = {step.name: step.params["image_size"] for step in trained}
    assert (sizes["train:infogan:50:s0"], sizes["train:infogan:100:s0"]) == (48, 64)
    assert "evaluate:real:200:s0" in keys(plan)
    assert "evaluate:infogan:200:s0" not in keys(plan)


def test_a_gan_that_is_for_all_real_counts_has_the_key_it_had_before() -> None:
    one = planned(ONE_COLUMN | {"gans": [{"name": "infogan"}]})
    other = planned(ONE_COLUMN | {"gans": [{"name": "infogan", "real_counts": [50]}]})
    assert keys(one)["train:infogan:50:s0"] == keys(other)["train:infogan:50:s0"]


def test_what_was_measured_changes_the_estimates_and_no_key() -> None:
    device = DeviceFacts(kind="gpu", name="NVIDIA H100")
    at = datetime(2026, 11, 25, tzinfo=UTC)
    measured = [
        Speed("NVIDIA H100", "train infogan 48px batch 8", 0.001, 5000, at),
        Speed("NVIDIA H100", "features", 0.001, 2000, at),
    ]
    speeds = Speeds.of({"gpu": device}, measured)
    fields = ONE_COLUMN | {"gans": [{"name": "infogan"}]}
    spec = resolve(StudySpec.model_validate(fields), FACTS.train_counts())
    plain, told = plan_study(spec, FACTS), plan_study(spec, FACTS, speeds=speeds)
    assert keys(plain) == keys(told)
    steps = {step.name: step for step in told.steps}
    train = steps["train:infogan:50:s0"]
    assert train.estimate_seconds == pytest.approx(4.0 + 50 * 115 * 0.001)
    assert train.estimate_source == "measured on NVIDIA H100, 2026-11-25"
    assert steps["generate:infogan:50:s0"].estimate_source == "typical of two CPU cores"
    assert told.estimate_seconds < plain.estimate_seconds


def test_every_step_says_what_its_time_goes_into() -> None:
    plan = planned(ONE_COLUMN | {"benchmark": {"classifiers": ["probe"]}})
    assert {step.name: (step.workload, step.units) for step in plan.steps} == {
        "control:48": ("control upscale lanczos 48px to 224px", 963),
        "features": ("features", 2637),
        "augmented": ("features", 2107),
        "evaluate:real:50:s0": ("evaluate probe", 6 * 6),
        "train:infogan:50:s0": ("train infogan 48px batch 8", 50 * 115),
        "generate:infogan:50:s0": ("generate infogan 48px", 50),
        "upscale:infogan:50:s0": ("upscale lanczos 48px to 224px", 50),
        "fakes-features:infogan:50:s0": ("features", 50),
        "inspect:infogan:50:s0": ("inspect", 50 + 50 + 400),
        # Of augmented synthetic images, one copy each.
        "evaluate:infogan:50:s0": ("features", 50),
        "report": ("report", 1),
        "package": ("package 224px", 50),
    }


def test_a_change_to_training_is_one_to_training_ahead() -> None:
    versions = steps_module.STEP_VERSIONS
    assert versions["pretrain"] > versions["train"]  # its own is in the sum, too
