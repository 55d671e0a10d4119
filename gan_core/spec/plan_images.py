"""From what is asked of a trained generator to the steps that it takes."""

from __future__ import annotations

from typing import Any

from gan_core.spec.errors import GraftError
from gan_core.spec.graph import Graph
from gan_core.spec.images import SMALL, ImagesSpec, ModelSource, drawing_of
from gan_core.spec.plan import MAX_SYNTHETIC_BYTES
from gan_core.spec.speeds import Speeds, Workload, generating, upscaling
from gan_core.spec.steps import DatasetFacts, Plan, PlannedStep, StepInput, folder_name

_SECONDS_PER_DRAWN_IMAGE = 0.05
_SECONDS_PER_PACKED_IMAGE = 0.05


def plan_images(
    spec: ImagesSpec,
    model: ModelSource,
    dataset: DatasetFacts,
    *,
    weights_sha256: str | None = None,
    speeds: Speeds | None = None,
) -> Plan:
    """Plan images from a model.

    The first step is the training that made the model, with the key that it had: it is finished,
    and reused. So the images' job has the model as its own, and keeps its files when the study that
    trained it is deleted.

    Args:
        spec: What is asked for.
        model: What it is asked of.
        dataset: What the model learned from; the images are compared with it.
        weights_sha256: As for ``plan_study``.
        speeds: As there.

    Raises:
        GraftError: ``no_codes`` when the model does not have the category or the codes;
            ``images_too_large`` above ``MAX_SYNTHETIC_BYTES``.
    """
    _check_codes(spec, model)
    _check_size(spec, model)
    label = model.train_step.removeprefix("train:")
    plan = Graph(dataset, speeds or Speeds())
    plan.steps[model.train_step] = PlannedStep(
        name=model.train_step,
        kind="train",
        queue="gpu",
        params=model.params,
        inputs={"dataset": StepInput(source="dataset")},
        key=model.key,
        estimate_seconds=0.0,
        code_version=model.code_version,
    )
    train = StepInput(source="step", step=model.train_step)
    parts: dict[str, dict[str, Any]] = {
        "generate": _generate_params(spec),
        "upscale": _upscale_params(spec, weights_sha256),
        "package": {"spec": shown_spec(spec, model), "sheet": spec.total() <= SMALL},
    }
    gan, size, total = model.params["gan"], model.params["image_size"], spec.total()
    settings = model.params.get("settings", {})
    if spec.is_small():
        # One step: to start three processes would take longer than their work.
        given = {"dataset": StepInput(source="dataset"), folder_name(model.train_step): train}
        plan.add(
            name=f"draw:{label}",
            kind="draw",
            queue="interactive",
            params={**parts, "label": label},
            inputs=given,
            work=Workload(f"draw {gan} {size}px", total, _SECONDS_PER_DRAWN_IMAGE),
        )
        return Plan(steps=list(plan.steps.values()))
    generate = plan.add(
        name=f"generate:{label}",
        kind="generate",
        queue="gpu",
        params=parts["generate"],
        inputs={"train": train},
        work=generating(gan, size, total, settings),
    )
    inputs = {"dataset": StepInput(source="dataset"), folder_name(model.train_step): train}
    inputs[f"generate-{folder_name(label)}"] = StepInput(source="step", step=generate)
    if spec.upscale is not None:
        upscale = plan.add(
            name=f"upscale:{label}",
            kind="upscale",
            queue="gpu",
            params=parts["upscale"],
            inputs={"generate": StepInput(source="step", step=generate)},
            work=upscaling(spec.upscale.engine, size, spec.upscale.size, total),
        )
        inputs[f"upscale-{folder_name(label)}"] = StepInput(source="step", step=upscale)
    plan.add(
        name="package",
        kind="package",
        queue="cpu",
        params=parts["package"],
        inputs=inputs,
        work=Workload("package of drawn images", total, _SECONDS_PER_PACKED_IMAGE),
    )
    return Plan(steps=list(plan.steps.values()))


def shown_spec(spec: ImagesSpec, model: ModelSource) -> dict[str, Any]:
    """Return what the zip's manifest says was asked for."""
    shown = spec.model_dump(mode="json", exclude={"priority", "name"})
    return shown | {"rare_class": model.params["rare_class"], "count": spec.total()}


def _generate_params(spec: ImagesSpec) -> dict[str, Any]:
    drawing = drawing_of(spec.model_dump(mode="json"))
    if spec.seeds is not None:
        return {"seeds": spec.seeds, **drawing}
    if spec.interpolate is not None:
        return drawing
    # As a study has it: a part of the images that it made is not made again.
    return {"count": spec.total(), "first_seed": spec.first_seed, **drawing}


def _upscale_params(spec: ImagesSpec, weights_sha256: str | None) -> dict[str, Any]:
    if spec.upscale is None:
        return {}
    params = spec.upscale.model_dump()
    if params["engine"] == "realesrgan" and weights_sha256 is not None:
        params["weights_sha256"] = weights_sha256
    return params


def _check_codes(spec: ImagesSpec, model: ModelSource) -> None:
    if spec.category is not None and spec.category >= model.categories():
        has = f"{model.categories()} categories" if model.categories() else "no categories"
        raise GraftError(
            "no_codes",
            f"The model has {has}; the category {spec.category} was asked for.",
            f"Ask for 0 to {model.categories() - 1}." if model.categories() else "Leave it out.",
        )
    if spec.codes is not None and len(spec.codes) != model.codes():
        raise GraftError(
            "no_codes",
            f"The model has {model.codes()} continuous codes, and {len(spec.codes)} were given.",
            "Give a number from -1 to 1 for each of them." if model.codes() else "Leave them out.",
        )


def _check_size(spec: ImagesSpec, model: ModelSource) -> None:
    """Refuse what would fill a disk, as a study is refused."""
    made = model.params["image_size"] if spec.upscale is None else spec.upscale.size
    size = max(made, spec.output.size or 0)
    packed = spec.total() * 3 * size**2
    if packed > MAX_SYNTHETIC_BYTES:
        raise GraftError(
            "images_too_large",
            f"{spec.total()} images of {size} × {size} pixels were asked for"
            f" ({packed / 2**30:.0f} GiB); the limit is {MAX_SYNTHETIC_BYTES / 2**30:.0f} GiB.",
            "Ask for fewer or for smaller images.",
        )
