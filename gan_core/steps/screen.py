"""screen: of the images that were drawn, those that are taken; each other one with its reason.

It looks at training images alone: at those of its column and of the other classes for the label, at
those of its column for what lies too far off, and for near-copies at those that the zip's own check
compares with.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.features import FeatureExtractor
from gan_core.leaks import left_out
from gan_core.progress import Progress, part
from gan_core.reading import PackedDataset
from gan_core.screening import near_copies, thumbnails_of
from gan_core.screening.choosing import Limits, Scores, choose, limits_said
from gan_core.screening.confidence import LabelScreen, fit_label_screen
from gan_core.screening.features import drawn_features
from gan_core.screening.manifold import farthest_allowed, nearest_distances
from gan_core.screening.told import FILE, screening_of
from gan_core.steps.context import Output, StepContext, model_in
from gan_core.steps.package import rows_to_compare_with

_BLOCK = 256


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [n, S, S, 3]), ``seeds.npy`` (int64 [n]), ``screening.json``.

    Images and seeds are those of the images that were taken, in the order of drawing.

    Raises:
        GraftError: ``nothing_passed``, ``too_few_to_screen``.
    """
    params, folder = context.params, context.inputs["generate"]
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    seeds = np.load(folder / "seeds.npy", allow_pickle=False)
    features = drawn_features(
        context.checkpoints / "features.npy",
        images,
        _digest_of(folder / "images.npy"),
        FeatureExtractor(device=context.settings.torch_device()),
        on_progress=part(context.on_progress, 0.0, 0.9),
        should_stop=context.should_stop,
    )
    context.on_progress(Progress(0.9, "screening"))
    scores, limits, more = _judged(context, images, features)
    reasons = choose(
        features,
        scores,
        limits,
        count=params["count"],
        diverse=params["diverse"],
        should_stop=context.should_stop,
    )
    kept = np.flatnonzero([reason is None for reason in reasons])
    _write_rows(context.outputs / "images.npy", images, kept)
    np.save(context.outputs / "seeds.npy", seeds[kept], allow_pickle=False)
    told = screening_of(
        seeds.tolist(),
        scores,
        reasons,
        needed=params["count"],
        rules=limits_said(limits, more | {"diverse": params["diverse"]}),
    )
    (context.outputs / FILE).write_text(told.model_dump_json() + "\n", encoding="utf-8")
    context.on_progress(Progress(1.0, f"{told.kept} of {told.drawn} images taken"))
    return [Output("images.npy"), Output("seeds.npy"), Output(FILE)]


def _judged(
    context: StepContext, images: NDArray[np.uint8], features: NDArray[np.float32]
) -> tuple[Scores, Limits, dict[str, Any]]:
    """Score every image, and set the limits; with them how these came about."""
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    labels, rare_index = dataset.labels("train"), dataset.classes.index(params["rare_class"])
    without = left_out(dataset, params)
    subset = nested_subset(
        labels, rare_index, params["real_count"], params["subset"], without=without
    )
    pool = training_pool(labels, rare_index, subset, without=without)
    real = np.load(context.inputs["features"] / "train.npy", mmap_mode="r", allow_pickle=False)
    allowed = farthest_allowed(real[subset])
    more: dict[str, Any] = {"farthest_allowed": round(allowed, 4), "real_images": len(subset)}
    label_screen: LabelScreen | None = None
    if params["label"]:
        label_screen = fit_label_screen(
            np.asarray(real[pool]),
            (labels[pool] == rare_index).astype(np.int64),
            should_stop=context.should_stop,
        )
        more |= {
            "folds": len(label_screen.probes),
            "real_passing_label": round(label_screen.passing, 4),
            "other_classes_passing_label": round(label_screen.others_passing, 4),
        }
    card = json.loads(model_in(context.inputs["train"]).with_suffix(".json").read_text("utf-8"))
    rows = rows_to_compare_with(labels, rare_index, [card["training"]])
    scores = Scores(
        near_copy_rms=_near_copies(images, thumbnails_of(dataset.images("train"), rows)),
        distance=nearest_distances(features, real[subset]) / allowed,
        confidence=None if label_screen is None else label_screen.confidence(features),
    )
    limits = Limits(
        near_copy_rms=params["near_copy_rms"] if params["near_copies"] else None,
        distance=1.0 if params["off_manifold"] else None,
        confidence=None if label_screen is None else label_screen.limit,
    )
    return scores, limits, more


def _near_copies(images: NDArray[np.uint8], training: NDArray[np.uint8]) -> NDArray[np.float32]:
    found = [
        near_copies(np.asarray(images[start : start + _BLOCK]), training)[0]
        for start in range(0, len(images), _BLOCK)
    ]
    return np.concatenate([*found, np.empty(0, np.float32)])


def _write_rows(path: Path, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
    """Write some rows of a memory-mapped array as an ``.npy`` file, a block at a time."""
    with path.open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(images.dtype),
            "fortran_order": False,
            "shape": (len(rows), *images.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _BLOCK):
            file.write(np.ascontiguousarray(images[rows[start : start + _BLOCK]]).data)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
