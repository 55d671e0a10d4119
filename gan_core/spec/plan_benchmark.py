"""The part of a job's graph that trains classifiers: which arms, on what."""

from __future__ import annotations

from typing import Any

from gan_core.spec.arms import BaseArmName, GanArmName, arm_of_gan, control_arm
from gan_core.spec.job import GanSpec
from gan_core.spec.planner import Made, Planner, from_step
from gan_core.spec.speeds import (
    SECONDS_PER_CNN_IMAGE,
    SECONDS_PER_FEATURE,
    SECONDS_PER_FINETUNE_IMAGE,
    SECONDS_PER_PROBE,
    Workload,
)
from gan_core.spec.steps import StepInput

Arms = dict[str, list[str]]
"""Classifier → full names of the arms that it is trained in."""


def add_augmented(planner: Planner) -> str:
    """Add the features of classically augmented training images, once for the data set."""
    name = "augmented"
    if name in planner.steps:
        return name
    copies = planner.spec.benchmark.augmented_copies
    images = sum(planner.train_counts.values()) * copies
    return planner.add(
        name=name,
        kind="augment",
        queue="gpu",
        params={"copies": copies},
        inputs=planner.dataset_input(),
        work=Workload("features", images, SECONDS_PER_FEATURE),
    )


def add_base_arms(planner: Planner, asked: int | str, subset: int) -> str | None:
    """Add the arms without a GAN at one real count, on one subset; None where there are none."""
    bench = planner.spec.benchmark
    # Of each size at which a GAN of this real count makes images, where it makes any.
    sizes = sorted({gan.image_size for gan in planner.spec.gans if gan.is_for(asked)})
    if not planner.n_fakes(asked):
        sizes = []
    arms: Arms = {}
    for classifier in bench.classifiers:
        names = bench.of_classifier(classifier, bench.base_arms())
        full = [str(name) for name in names if name != "upscale-control"]
        if "upscale-control" in names:
            full += [control_arm(size) for size in sizes]
        if full:
            arms[classifier] = full
    if not arms:
        return None
    inputs: dict[str, StepInput] = {}
    if any(name.startswith("upscale-control") for names in arms.values() for name in names):
        for size in sizes:
            # Without it that arm is left out.
            inputs[f"control-{size}"] = from_step(planner.add_control(size), 0)
    return _add(planner, ("real", asked, subset), arms, inputs, 0)


def add_gan_arms(
    planner: Planner, gan: GanSpec, asked: int | str, subset: int, made: Made
) -> str | None:
    """Add the arms of a GAN at one real count, on one subset; None where none was asked for."""
    bench, needed = planner.spec.benchmark, planner.n_fakes(asked)
    label = f"{gan.name}:{asked}:s{subset}"
    names = bench.arms_of_gan(screened="drawn" in made)
    arms: Arms = {}
    for classifier in bench.classifiers:
        if full := [_full(arm, gan) for arm in bench.of_classifier(classifier, names)]:
            arms[classifier] = full
    if not arms:
        return None
    inputs = {"fakes": from_step(made["upscale"]), "fakes-features": from_step(made["features"])}
    if any(_full("gan-unscreened", gan) in full for full in arms.values()):
        made["unscreened"] = planner.add_upscale(
            f"unscreened:{label}", made["drawn"], gan.image_size, needed, first=needed
        )
        made["unscreened-features"] = planner.add_set_features(
            f"unscreened-features:{label}", made["unscreened"], needed
        )
        # Without these that arm is left out.
        inputs |= {k: from_step(made[k], 0) for k in ("unscreened", "unscreened-features")}
    return _add(planner, (gan.name, asked, subset), arms, inputs, needed)


def _full(arm: BaseArmName | GanArmName, gan: GanSpec) -> str:
    return arm_of_gan(arm, gan.name)  # type: ignore[arg-type]  # of a GAN's arms


def _add(
    planner: Planner,
    column: tuple[str, int | str, int],
    arms: Arms,
    inputs: dict[str, StepInput],
    n_fakes: int,
) -> str:
    who, asked, subset = column
    bench, count = planner.spec.benchmark, planner.real_count(asked)
    names = [name for full in arms.values() for name in full]
    if "probe" in arms:
        inputs = {"features": from_step(planner.add_features())} | inputs
        if any("classic-augment" in name for name in arms["probe"]):
            inputs["augmented"] = from_step(add_augmented(planner))
    params: dict[str, Any] = {
        "arms": arms,
        "rare_class": planner.rare_class,
        "real_count": count,
        "real_count_label": str(asked),
        "subset": subset,
        "seeds": list(bench.seeds),
        "folds": bench.folds,
        "fill_to": planner.fill_to(),
        **planner.leaks,
    }
    if any(name.endswith("@ratio") for name in names):
        params["ratios"] = list(bench.ratios)
    for classifier, own in (("seed-cnn", bench.seed_cnn), ("finetune", bench.finetune)):
        if classifier in arms:
            params[classifier.replace("-", "_")] = own.model_dump(exclude={"arms"})
    return planner.add(
        name=f"evaluate:{who}:{asked}:s{subset}",
        kind="evaluate",
        queue="cpu" if set(arms) == {"probe"} and not _extracts(arms) else "gpu",
        params=params,
        inputs=planner.dataset_input() | inputs,
        work=_work(planner, arms, planner.others + count, n_fakes),
    )


def _extracts(arms: Arms) -> bool:
    """Say whether features of augmented synthetic images are computed for the probe."""
    return any(n.startswith("gan:") and "classic-augment" in n for n in arms.get("probe", []))


def _work(planner: Planner, arms: Arms, real: int, n_fakes: int) -> Workload:
    """Return the workload of what takes longest; beside it the others are little."""
    bench, images = planner.spec.benchmark, real + n_fakes
    runs = {classifier: len(names) * len(bench.seeds) for classifier, names in arms.items()}
    if "finetune" in arms:
        name = f"evaluate finetune batch {bench.finetune.batch_size}"
        shown = images * bench.finetune.epochs * runs["finetune"]
        return Workload(name, shown, SECONDS_PER_FINETUNE_IMAGE)
    if "seed-cnn" in arms:
        name = f"evaluate seed-cnn batch {bench.seed_cnn.batch_size}"
        shown = images * bench.seed_cnn.epochs * runs["seed-cnn"]
        return Workload(name, shown, SECONDS_PER_CNN_IMAGE)
    if _extracts(arms):
        return Workload("features", bench.augmented_copies * n_fakes, SECONDS_PER_FEATURE)
    return Workload("evaluate probe", runs["probe"] * (bench.folds + 1), SECONDS_PER_PROBE)
