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
from gan_core.packaging import ModelFacts, PackageFacts, SyntheticImage, resized, write_zip
from gan_core.reading import PackedDataset
from gan_core.screening import near_copies, thumbnails
from gan_core.spec.results import Results
from gan_core.steps.context import Output, StepContext, model_in

# Images whose pixels are in memory at once.
_BLOCK = 256


def run(context: StepContext) -> list[Output]:
    """Write ``synthetic.zip``."""
    spec = context.params["spec"]
    dataset = PackedDataset.open(context.inputs["dataset"])
    rare_index = dataset.classes.index(spec["rare_class"])
    rows = rows_to_compare_with(dataset.labels("train"), rare_index, spec["gans"])
    # Shrunk once, and a block at a time; every block of images is compared with the same.
    training = np.concatenate(
        [
            thumbnails(dataset.images("train")[rows[start : start + _BLOCK]])
            for start in range(0, len(rows), _BLOCK)
        ]
    )
    labels = [
        label.removeprefix("upscale-")
        for label in sorted(context.inputs)
        if label.startswith("upscale-")
    ]
    models = {label: _model_facts(context, label, spec) for label in labels}
    results = Results.model_validate(context.read_json("report", "results.json"))
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
        verdicts=[verdict.sentence for verdict in results.verdicts],
    )
    write_zip(
        context.outputs / "synthetic.zip",
        images=_images(context, models, training, spec),
        facts=facts,
        expected=sum(_kept(context, label, spec) for label in labels),
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    return [Output("synthetic.zip", "synthetic-zip", "application/zip")]


def rows_to_compare_with(
    labels: np.ndarray, rare_index: int, gans: list[dict[str, Any]]
) -> np.ndarray:
    """Choose the training images that no synthetic image may be a near copy of.

    Args:
        labels: int64 [N], class of each training image.
        rare_index: The rare class.
        gans: As the spec shows them.

    Returns:
        int64, rows of ``labels``: those of the rare class, and of all others, too, where a GAN has
        learnt from these.
    """
    for gan in gans:
        if {gan.get("pretrain", "none"), gan.get("conditional", "none")} != {"none"}:
            return np.arange(len(labels))
    return np.flatnonzero(labels == rare_index)


def _model_facts(context: StepContext, label: str, spec: dict[str, Any]) -> ModelFacts:
    model = model_in(context.inputs[f"train-{label}"])
    card = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    with model.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    gan, count, subset = label.rsplit("-", 2)
    upscaler = context.read_json(f"upscale-{label}", "upscaler.json")
    size = spec["upscale"]["size"]
    return ModelFacts(
        sha256=sha256,
        gan=gan,
        real_count=card["training"]["real_count"],
        real_count_label=count,
        subset=card["training"]["subset"],
        train_step=f"train:{gan}:{count}:{subset}",
        card=card,
        upscale={**upscaler, "size": size},
        output_size=spec["output"]["size"] or size,
    )


def _images_of(context: StepContext, label: str) -> np.ndarray:
    path: Path = context.inputs[f"upscale-{label}"] / "images.npy"
    images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return images


def _kept(context: StepContext, label: str, spec: dict[str, Any]) -> int:
    made = len(_images_of(context, label))
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
        images = _images_of(context, label)
        seeds = np.load(context.inputs[f"generate-{label}"] / "seeds.npy", allow_pickle=False)
        for start in range(0, _kept(context, label, spec), _BLOCK):
            stop = min(start + _BLOCK, _kept(context, label, spec))
            block = np.asarray(images[start:stop])
            distances, _ = near_copies(block, training)
            sized = resized(block, model.output_size)
            for pixels, distance, seed in zip(sized, distances, seeds[start:stop], strict=True):
                is_copy = limit_rms is not None and float(distance) <= limit_rms
                yield SyntheticImage(
                    class_name=spec["rare_class"],
                    id=f"{label}-{int(seed):06d}",
                    pixels=pixels,
                    seed=int(seed),
                    model=model.sha256,
                    gan=model.gan,
                    real_count=model.real_count,
                    real_count_label=model.real_count_label,
                    subset=model.subset,
                    screening={"near_copy_rms": round(float(distance), 3)},
                    left_out="near-copy" if is_copy else None,
                )
