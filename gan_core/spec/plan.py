"""From a spec to the graph of steps that carries it out."""

from __future__ import annotations

import itertools
from typing import Any

from gan_core.spec.errors import GraftError
from gan_core.spec.job import StudySpec
from gan_core.spec.plan_benchmark import add_base_arms, add_gan_arms
from gan_core.spec.planner import MAX_STEPS, MAX_SYNTHETIC_BYTES, Made, Planner
from gan_core.spec.recommend import FEW_REAL_IMAGES
from gan_core.spec.speeds import START_SECONDS, Speeds
from gan_core.spec.steps import (
    STEP_VERSIONS,
    DatasetFacts,
    Plan,
    PlannedStep,
    StepInput,
    step_key,
)

__all__ = ["MAX_STEPS", "MAX_SYNTHETIC_BYTES", "plan_ingest", "plan_study"]


def plan_ingest(upload_sha256: str, size_bytes: int, image_size: int) -> Plan:
    """Plan the one step that turns an upload into a data set."""
    params: dict[str, Any] = {"image_size": image_size}
    step = PlannedStep(
        name="ingest",
        kind="ingest",
        queue="interactive",
        params=params,
        inputs={"upload": StepInput(source="upload")},
        key=step_key("ingest", params, {"upload": upload_sha256}),
        estimate_seconds=START_SECONDS + size_bytes / 10e6,
        code_version=STEP_VERSIONS["ingest"],
    )
    return Plan(steps=[step])


def _advice(planner: Planner) -> list[str]:
    spec = planner.spec
    few = [
        c
        for c in spec.real_counts
        if planner.real_count(c) < FEW_REAL_IMAGES and any(g.is_for(c) for g in spec.gans)
    ]
    advice: list[str] = list(spec.chosen_because)
    if few:
        counts = ", ".join(str(c) for c in few)
        advice.append(
            f"With fewer than about {FEW_REAL_IMAGES} real images (here: {counts}) the"
            " literature finds that GANs harm a classifier as often as they help it. Compare"
            " with class weights and oversampling before using such images."
        )
    subsets = len(spec.benchmark.subsets)
    if spec.benchmark.classifiers and spec.gans and subsets < 5:
        advice.append(
            "With fewer than five subsets of the real images the table can show the way but"
            " carries no claim: a difference may come from the one choice of real images and"
            " the one training of the GAN."
        )
    if spec.profile == "quick":
        advice.append(
            "The profile “quick” trains for minutes, to show that everything works. Its"
            " images and its table say little about what a GAN can do."
        )
    return advice


def plan_study(
    spec: StudySpec,
    dataset: DatasetFacts,
    *,
    weights_sha256: str | None = None,
    speeds: Speeds | None = None,
) -> Plan:
    """Plan a resolved study.

    Args:
        spec: A spec that ``resolve`` has filled in for this data set.
        dataset: What is known of the data set.
        weights_sha256: Digest of the operator's own Real-ESRGAN weights, which change its images
            and so the step's key; None: those of the package.
        speeds: What was measured on the devices at hand, for the estimates alone; None: nothing.

    Returns:
        Steps in an order in which they can be carried out, with keys and estimates.

    Raises:
        GraftError: ``nothing_to_do`` when no GAN has anything to fill and no benchmark is asked;
            ``study_too_large`` above ``MAX_STEPS`` or ``MAX_SYNTHETIC_BYTES``.
    """
    planner = Planner(spec, dataset, weights_sha256, speeds)
    bench = spec.benchmark
    made: list[Made] = []
    evaluations: list[str] = []
    for asked, subset in itertools.product(spec.real_counts, bench.subsets):
        if (step := add_base_arms(planner, asked, subset)) is not None:
            evaluations.append(step)
        for gan in (gan for gan in spec.gans if gan.is_for(asked)):
            steps = planner.add_gan(gan, asked, subset)
            if steps is None:
                continue
            made.append(steps)
            label = f"{gan.name}:{asked}:s{subset}"
            steps["features"] = planner.add_set_features(
                f"fakes-features:{label}", steps["upscale"], planner.n_fakes(asked)
            )
            planner.add_inspection(gan, asked, subset, steps)
            if (step := add_gan_arms(planner, gan, asked, subset, steps)) is not None:
                evaluations.append(step)
    if not made and not evaluations:
        raise GraftError(
            "nothing_to_do",
            "No GAN has anything to fill at these real counts, and no benchmark was asked for.",
            "Choose a smaller real count, a larger `balance_to`, or a classifier.",
        )
    planner.check_size()
    planner.add_report(evaluations, made)
    if made:
        planner.add_package(made)
    return Plan(steps=list(planner.steps.values()), advice=_advice(planner))
