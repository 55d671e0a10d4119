"""evaluate: classifiers are trained with and without synthetic images, and tested on real ones."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from gan_core.benchmark.evaluate import BenchmarkData, Fakes, evaluate_arms
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.features import FeatureExtractor
from gan_core.progress import if_slow, part
from gan_core.reading import PackedDataset
from gan_core.steps.context import Output, StepContext
from gan_core.training.fit import fit_to_size

# Side in pixels at which the classifiers see every image, real and synthetic alike.
_SIDE = 224
# Of the step's progress: extracting the features of the synthetic images.
_FEATURES_SHARE = 0.15


def run(context: StepContext) -> list[Output]:
    """Write ``rows.json``, ``scores.npy`` (float32 [rows, test images]) and ``curves.json``."""
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    device = context.settings.torch_device()
    wants_probe = "probe" in params["classifiers"]
    data = BenchmarkData(
        train_images=_sided(context, dataset.images("train")),
        train_labels=dataset.labels("train"),
        test_images=_sided(context, dataset.images("test")),
        test_labels=dataset.labels("test"),
        rare_index=dataset.classes.index(params["rare_class"]),
        train_features=_features(context, "train") if wants_probe else None,
        test_features=_features(context, "test") if wants_probe else None,
    )
    start = 0.0
    fakes = None
    if "fakes" in context.inputs:
        images = np.load(context.inputs["fakes"] / "images.npy", mmap_mode="r", allow_pickle=False)
        features = None
        if wants_probe:
            start = _FEATURES_SHARE
            features = FeatureExtractor(device=device).extract_into(
                context.checkpoints / "fakes-features.npy",
                images,
                context.key,
                on_progress=part(context.on_progress, 0.0, start),
                should_stop=context.should_stop,
            )
        fakes = Fakes(_sided(context, images), features)
    evaluation = evaluate_arms(
        params["arms"],
        data,
        real_count=params["real_count"],
        real_count_label=params["real_count_label"],
        subset=params["subset"],
        seeds=params["seeds"],
        classifiers=params["classifiers"],
        seed_cnn=SeedCnnConfig(**params["seed_cnn"]),
        fakes=fakes,
        device=device,
        checkpoint_dir=context.checkpoints,
        checkpoint_seconds=context.settings.checkpoint_seconds,
        on_progress=part(context.on_progress, start, 1.0),
        should_stop=context.should_stop,
    )
    context.write_json("rows.json", [row.model_dump() for row in evaluation.rows])
    np.save(context.outputs / "scores.npy", evaluation.scores, allow_pickle=False)
    context.write_json("curves.json", [asdict(curve) for curve in evaluation.curves])
    return [Output("rows.json"), Output("scores.npy"), Output("curves.json")]


def _sided(context: StepContext, images: np.ndarray) -> np.ndarray:
    """Bring images to the classifiers' size; those that have it stay a map of their file."""
    if images.shape[1:3] == (_SIDE, _SIDE):
        return images
    return fit_to_size(
        images,
        _SIDE,
        on_progress=if_slow(part(context.on_progress, 0.0, 0.0)),
        should_stop=context.should_stop,
    )


def _features(context: StepContext, split: str) -> np.ndarray:
    features: np.ndarray = np.load(context.inputs["features"] / f"{split}.npy", allow_pickle=False)
    return features
