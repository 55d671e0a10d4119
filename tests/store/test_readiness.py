"""Which steps of a real plan go on when others fail, and with what, on both databases."""

from __future__ import annotations

from typing import Any

from gan_core.spec.steps import folder_name
from store.records import StepError

SMALL = {"real_counts": [4, 6], "benchmark": {"classifiers": ["probe"], "subsets": [0]}}
COLUMN = ("train", "generate", "upscale", "fakes-features", "inspect", "evaluate")


def of_column(label: str) -> dict[str, str]:
    return {kind: f"{kind}:infogan:{label}" for kind in COLUMN}


def planned_keys(plan: Any) -> dict[str, str]:
    return {step.name: step.key for step in plan.steps}


def test_a_training_that_fails_takes_its_column_along_and_the_report_says_so(house: Any) -> None:
    plan = house.study()
    job_id = house.submit(plan)
    lost = of_column("4:s1")
    house.carry_out(job_id, failing={lost["train"]})
    steps = house.steps(job_id)
    skipped = {name for name, step in steps.items() if step.status == "skipped"}
    assert skipped == {*lost.values()} - {lost["train"]}
    assert {n for n, step in steps.items() if step.status == "failed"} == {lost["train"]}
    assert all(steps[name].finished_at is not None for name in skipped)
    report, package = steps["report"], steps["package"]
    assert (report.status, package.status) == ("succeeded", "succeeded")
    gone = {folder_name(lost[kind]) for kind in ("train", "upscale", "inspect", "evaluate")}
    asked = {step.name: step for step in plan.steps}
    assert set(report.inputs) == set(asked["report"].inputs) - gone
    assert report.params["failed"] == [
        {
            "step": lost["train"],
            "code": "diverged",
            "detail": f"{lost['train']} diverged.",
            "hint": "Try less.",
        }
    ]
    assert {k: v for k, v in report.params.items() if k != "failed"} == asked["report"].params
    assert not {folder_name(name) for name in lost.values()} & set(package.inputs)
    for step in (report, package):
        assert step.key != asked[step.name].key
    untouched = [n for n in steps if n not in {*lost.values(), "report", "package"}]
    assert {n: steps[n].key for n in untouched} == {n: asked[n].key for n in untouched}


def test_a_partial_report_is_never_taken_for_a_full_one_nor_the_other_way_round(house: Any) -> None:
    plan = house.study(**SMALL)
    lost = of_column("4:s0")["train"]
    partial = house.submit(plan)
    house.carry_out(partial, failing={lost})
    full = house.submit(plan)
    # What succeeded is there; the failed column, the report and the zip are made.
    todo = {name for name, status in house.statuses(full).items() if status != "succeeded"}
    assert todo == {*of_column("4:s0").values(), "report", "package"}
    house.carry_out(full)
    assert house.steps(full)["report"].reused_from is None
    assert {n: s.key for n, s in house.steps(full).items()} == planned_keys(plan)


def test_a_partial_report_has_a_key_of_its_own_before_anybody_claims_it(house: Any) -> None:
    plan = house.study(real_counts=[4], benchmark={"classifiers": ["probe"], "subsets": [0]})
    job_id = house.submit(plan)
    house.fail(house.claim_named(job_id, of_column("4:s0")["train"]))
    for name in ("control:32", "features", "augmented", "evaluate:real:4:s0"):
        house.finish(house.claim_named(job_id, name))
    report = house.steps(job_id)["report"]
    assert report.status == "queued"
    # Else it would wait for a full one that runs, as if that were the same work.
    assert report.key != planned_keys(plan)["report"]


def test_the_same_failure_again_makes_the_same_report_which_is_then_reused(house: Any) -> None:
    plan = house.study(**SMALL)
    lost = of_column("6:s0")["train"]
    first, second = house.submit(plan), house.submit(plan)
    house.carry_out(first, failing={lost})
    house.carry_out(second, failing={lost})
    for name in ("report", "package"):
        assert house.steps(second)[name].reused_from == house.steps(first)[name].id


def test_failures_that_differ_make_reports_that_differ(house: Any) -> None:
    plan = house.study(**SMALL)
    lost = of_column("6:s0")["train"]
    first, second = house.submit(plan), house.submit(plan)
    house.carry_out(first, failing={lost})
    claimed = house.claim_named(second, lost)
    house.fail(claimed, StepError("out_of_memory", "There was not enough memory."))
    house.carry_out(second)
    assert house.steps(second)["report"].reused_from is None
    assert house.steps(second)["report"].params["failed"][0]["code"] == "out_of_memory"


def test_a_package_whose_report_is_partial_has_a_key_of_its_own(house: Any) -> None:
    plan = house.study(**SMALL)
    job_id = house.submit(plan)
    lost = of_column("4:s0")["evaluate"]
    house.carry_out(job_id, failing={lost})
    steps = house.steps(job_id)
    # Every set of images is there, so nothing is left out of the zip but the report's column.
    assert set(steps["package"].inputs) == set({s.name: s for s in plan.steps}["package"].inputs)
    assert folder_name(lost) not in steps["report"].inputs
    assert steps["package"].key != planned_keys(plan)["package"]


def test_evidence_of_a_failure_goes_to_the_report(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    history = [{"epoch": 1.0, "generator": 2.5}]
    claimed = house.claim_named(job_id, of_column("4:s0")["train"])
    house.fail(claimed, StepError("diverged", "It diverged.", evidence={"history": history}))
    house.carry_out(job_id)
    (told,) = house.steps(job_id)["report"].params["failed"]
    assert told["evidence"] == {"history": history}


def test_a_pretraining_that_fails_is_told_with_the_columns_that_it_takes_along(house: Any) -> None:
    gans = [
        {"name": "dcgan", "image_size": 32, "pretrain": "all-classes", "real_counts": [4]},
        {"name": "dcgan", "image_size": 32, "pretrain": "other-classes", "real_counts": [6]},
    ]
    job_id = house.submit(house.study(gans=gans, benchmark={"classifiers": ["probe"]}))
    house.carry_out(job_id, failing={"pretrain:dcgan:4:s0", "pretrain:dcgan:2"})
    failed = house.steps(job_id)["report"].params["failed"]
    assert {told["step"]: told["lost"] for told in failed} == {
        "pretrain:dcgan:4:s0": ["train:dcgan:4:s0"],
        "pretrain:dcgan:2": ["train:dcgan:6:s0"],
    }


def test_without_any_training_the_report_is_made_and_the_zip_is_not(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    trainings = {of_column("4:s0")["train"], of_column("6:s0")["train"]}
    house.carry_out(job_id, failing=trainings)
    statuses = house.statuses(job_id)
    assert statuses["report"] == "succeeded"
    assert statuses["package"] == "skipped"
    assert [f["step"] for f in house.steps(job_id)["report"].params["failed"]] == sorted(trainings)


def test_without_any_evaluation_there_is_nothing_to_report(house: Any) -> None:
    plan = house.study(**SMALL)
    job_id = house.submit(plan)
    house.carry_out(job_id, failing={s.name for s in plan.steps if s.kind == "evaluate"})
    statuses = house.statuses(job_id)
    assert (statuses["report"], statuses["package"]) == ("skipped", "skipped")
    assert statuses["upscale:infogan:4:s0"] == "succeeded"


def test_without_features_nothing_is_evaluated_and_the_trainings_are_kept(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    house.carry_out(job_id, failing={"features"})
    statuses = house.statuses(job_id)
    skipped = {name for name, status in statuses.items() if status == "skipped"}
    need_them = {name for name in statuses if name.startswith(("evaluate:", "inspect:"))}
    assert skipped == {*need_them, "report", "package"}
    assert statuses["upscale:infogan:6:s0"] == "succeeded"


def test_a_study_without_classifiers_is_reported_as_long_as_one_set_of_images_is_there(
    house: Any,
) -> None:
    plan = house.study(real_counts=[4, 6], benchmark={"classifiers": [], "subsets": [0]})
    one = house.submit(plan)
    house.carry_out(one, failing={of_column("4:s0")["upscale"]})
    assert house.statuses(one)["report"] == "succeeded"
    # The training is still shown, though its images are not there.
    assert folder_name(of_column("4:s0")["train"]) in house.steps(one)["report"].inputs
    assert folder_name(of_column("4:s0")["upscale"]) not in house.steps(one)["report"].inputs
    none = house.submit(house.study(real_counts=[5], benchmark={"classifiers": [], "subsets": [0]}))
    house.carry_out(none, failing={"generate:infogan:5:s0"})
    assert house.statuses(none)["report"] == "skipped"


def test_the_report_waits_for_columns_that_are_still_at_work(house: Any) -> None:
    job_id = house.submit(house.study(**SMALL))
    slow = house.claim_named(job_id, of_column("6:s0")["train"])
    house.carry_out(job_id, failing={of_column("4:s0")["train"]})
    assert house.statuses(job_id)["report"] == "pending"
    house.finish(slow)
    house.carry_out(job_id)
    assert house.statuses(job_id)["report"] == "succeeded"
