"""package: the synthetic images, labelled, screened and documented, in one zip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gan_core import __version__
from gan_core.environment import describe_environment
from gan_core.packaging import (
    ModelFacts,
    PackageFacts,
    RejectedImage,
    SyntheticImage,
    greyed,
    resized,
    write_zip,
)
from gan_core.packaging.data import NO_UPSCALER
from gan_core.packaging.sheet import Sheet, sheet_png
from gan_core.reading import PackedDataset
from gan_core.screening import near_copies, thumbnails_of
from gan_core.screening.told import Screening
from gan_core.spec.images import drawing_of
from gan_core.spec.results import Results
from gan_core.steps.context import Output, StepContext, model_in

# Images whose pixels are in memory at once.
_BLOCK = 256


def run(context: StepContext) -> list[Output]:
    """Write ``synthetic.zip``; and where a sheet is asked for, ``samples.png`` of the images in it.

    ``samples.json`` says which image lies where on the sheet, and which may not be shown; it is
    there also when that are all of them, and there is no sheet.
    """
    spec = context.params["spec"]
    dataset = PackedDataset.open(context.inputs["dataset"])
    rare_index = dataset.classes.index(spec["rare_class"])
    last = _last_kind(spec)
    labels = [
        label.removeprefix(f"{last}-")
        for label in sorted(context.inputs)
        if label.startswith(f"{last}-")
    ]
    trainings = [_card(context, label)["training"] for label in labels]
    rows = rows_to_compare_with(dataset.labels("train"), rare_index, trainings)
    # Shrunk once; every block of images is compared with the same.
    training = thumbnails_of(dataset.images("train"), rows)
    is_grey = spec["output"].get("format") == "dicom" and _are_grey(dataset.images("train"), rows)
    models = {label: _model_facts(context, label, spec, is_grey=is_grey) for label in labels}
    facts = PackageFacts(
        version=__version__,
        created_at=context.job.get("created_at", ""),
        rare_class=spec["rare_class"],
        dataset_digest=dataset.digest,
        dataset_classes=dataset.counts,
        is_phantom=dataset.index.is_phantom,
        spec=spec,
        environment=describe_environment(),
        steps=context.job.get("steps", {}),
        models=list(models.values()),
        near_copy_rms=spec["screen"]["near_copy_rms"] if spec["screen"]["near_copies"] else None,
        output_format=spec["output"].get("format", "png"),
        verdicts=_verdicts(context),
    )
    sheet = Sheet() if context.params.get("sheet") else None
    images = _images(context, models, training, spec)
    write_zip(
        context.outputs / "synthetic.zip",
        images=images if sheet is None else sheet.noting(images),
        facts=facts,
        rejected=_screened_out(context, models),
        expected=sum(_kept(context, label, spec) for label in labels),
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    outputs = [Output("synthetic.zip", "synthetic-zip", "application/zip")]
    if sheet is not None:
        context.write_json("samples.json", sheet.described())
        outputs.append(Output("samples.json", "samples-json", "application/json"))
        if sheet.images:
            made_by = ", ".join(f"{model.gan}, model {model.sha256}" for model in facts.models)
            png = sheet_png(sheet.images, source=made_by, software=f"Graft {__version__}")
            (context.outputs / "samples.png").write_bytes(png)
            outputs.append(Output("samples.png", "samples-png", "image/png"))
    return outputs


def _last_kind(spec: dict[str, Any]) -> str:
    """Return the kind of step that leaves the images as they are packed."""
    return "generate" if spec["upscale"] is None else "upscale"


def _verdicts(context: StepContext) -> list[str]:
    """Return what the report found; images that were made later have none of their own."""
    if "report" not in context.inputs:
        return []
    results = Results.model_validate(context.read_json("report", "results.json"))
    return [verdict.sentence for verdict in results.verdicts]


def rows_to_compare_with(
    labels: np.ndarray, rare_index: int, trainings: list[dict[str, Any]]
) -> np.ndarray:
    """Choose the training images that no synthetic image may be a near copy of.

    Args:
        labels: int64 [N], class of each training image.
        rare_index: The rare class.
        trainings: What the models' cards say of their training.

    Returns:
        int64, rows of ``labels``: those of the rare class, and of all others, too, where a GAN has
        learnt from these.
    """
    for how in trainings:
        if {how.get("pretrain", "none"), how.get("conditional", "none")} != {"none"}:
            return np.arange(len(labels))
    return np.flatnonzero(labels == rare_index)


def _card(context: StepContext, label: str) -> dict[str, Any]:
    model = model_in(context.inputs[f"train-{label}"])
    card: dict[str, Any] = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    return card


def _are_grey(images: np.ndarray, rows: np.ndarray) -> bool:
    """Say whether all of some images have three equal channels, block by block."""
    for start in range(0, len(rows), _BLOCK):
        block = np.asarray(images[rows[start : start + _BLOCK]])
        if not (block == block[..., :1]).all():
            return False
    return True


def _model_facts(
    context: StepContext, label: str, spec: dict[str, Any], *, is_grey: bool
) -> ModelFacts:
    model = model_in(context.inputs[f"train-{label}"])
    card = _card(context, label)
    with model.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    screened = _screening(context, label)
    gan, count, subset = label.rsplit("-", 2)
    if spec["upscale"] is None:
        size = card["settings"]["image_size"]
        upscaler = {"engine": NO_UPSCALER}
    else:
        size = spec["upscale"]["size"]
        upscaler = context.read_json(f"upscale-{label}", "upscaler.json")
    return ModelFacts(
        sha256=sha256,
        gan=gan,
        real_count=card["training"]["real_count"],
        learnt_from=card.get("learnt_from", {}),
        real_count_label=count,
        subset=card["training"]["subset"],
        train_step=f"train:{gan}:{count}:{subset}",
        card=card,
        upscale={**upscaler, "size": size},
        output_size=spec["output"]["size"] or size,
        drawing=drawing_of(spec),
        is_grey=is_grey,
        screening={} if screened is None else {**screened.counts(), "rules": screened.rules},
    )


def _screening(context: StepContext, label: str) -> Screening | None:
    """Return how a model's images were chosen; None: all that were drawn are there."""
    folder = context.inputs.get(f"screen-{label}")
    return None if folder is None else Screening.read(folder)


def _screened_out(context: StepContext, models: dict[str, ModelFacts]) -> Iterator[RejectedImage]:
    """Yield the images that the screens left out, before they were upscaled."""
    for label, model in models.items():
        if (screened := _screening(context, label)) is None:
            continue
        for image in screened.images:
            if image.reason is not None:
                yield RejectedImage(
                    model=model.sha256,
                    seed=image.seed,
                    reason=image.reason,
                    screening=image.scores,
                )


def _images_of(context: StepContext, label: str, spec: dict[str, Any]) -> np.ndarray:
    path: Path = context.inputs[f"{_last_kind(spec)}-{label}"] / "images.npy"
    images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return images


def _kept(context: StepContext, label: str, spec: dict[str, Any]) -> int:
    made = len(_images_of(context, label, spec))
    return min(made, spec["output"]["limit"] or made)


def _images(
    context: StepContext,
    models: dict[str, ModelFacts],
    training: np.ndarray,
    spec: dict[str, Any],
) -> Iterator[SyntheticImage]:
    """Yield every image with its screening, block by block, so that memory stays flat."""
    limit_rms = spec["screen"]["near_copy_rms"] if spec["screen"]["near_copies"] else None
    for label, model in models.items():
        images = _images_of(context, label, spec)
        screened = _screening(context, label)
        chosen_by = "generate" if screened is None else "screen"
        seeds = np.load(context.inputs[f"{chosen_by}-{label}"] / "seeds.npy", allow_pickle=False)
        scores: dict[int, dict[str, float]] = {}
        if screened is not None:
            scores = {image.seed: image.scores for image in screened.images}
        for start in range(0, _kept(context, label, spec), _BLOCK):
            stop = min(start + _BLOCK, _kept(context, label, spec))
            block = np.asarray(images[start:stop])
            distances, _ = near_copies(block, training)
            sized = resized(block, model.output_size)
            sized = greyed(sized) if model.is_grey else sized
            places = range(start, stop)
            for place, pixels, distance in zip(places, sized, distances, strict=True):
                seed = int(seeds[place])
                position = place if "interpolate" in model.drawing else None
                way = "" if position is None else f"-{position:03d}"
                is_copy = limit_rms is not None and float(distance) <= limit_rms
                yield SyntheticImage(
                    class_name=spec["rare_class"],
                    id=f"{label}-{seed:06d}{way}",
                    pixels=pixels,
                    seed=seed,
                    position=position,
                    model=model.sha256,
                    gan=model.gan,
                    real_count=model.real_count,
                    real_count_label=model.real_count_label,
                    subset=model.subset,
                    # Its near-copy score is that of the image as it lies here.
                    screening=scores.get(seed, {}) | {"near_copy_rms": round(float(distance), 3)},
                    left_out="near-copy" if is_copy else None,
                )
