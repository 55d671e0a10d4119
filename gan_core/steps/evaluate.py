"""evaluate: classifiers are trained with and without synthetic images, and tested on real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.augmenting import augmented_uint8
from gan_core.benchmark.arms import FAKES, UNSCREENED, Arm, arm_named
from gan_core.benchmark.evaluate import evaluate_arms
from gan_core.benchmark.trials import BenchmarkData, Fakes
from gan_core.classifiers.finetune import FinetuneConfig
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.features import FeatureExtractor
from gan_core.leaks import left_out
from gan_core.matching import matched, matched_into
from gan_core.progress import if_slow, part
from gan_core.reading import PackedDataset
from gan_core.reading.dataset import Split
from gan_core.reading.duplicates import Groups
from gan_core.steps.augment import seeds_of
from gan_core.steps.context import Output, StepContext

# Of the step's progress: features of augmented synthetic images.
_AUGMENTED = 0.1
_PROBE = "probe"


def run(context: StepContext) -> list[Output]:
    """Write what was found.

    ``rows.json``, ``scores.npy`` (float32 [rows, test images]), ``curves.json``, ``ratios.json``.
    An arm whose images are missing is left out.
    """
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    arms = {
        classifier: [name for name in names if _is_possible(arm_named(name), context)]
        for classifier, names in params["arms"].items()
    }
    own = {name: [arm_named(arm) for arm in names] for name, names in arms.items()}
    evaluation = evaluate_arms(
        arms,
        _data(context, dataset, own),
        real_count=params["real_count"],
        real_count_label=params["real_count_label"],
        subset=params["subset"],
        seeds=params["seeds"],
        sources=dict(_sources(context, own)),
        fill_to=params["fill_to"],
        folds=params["folds"],
        ratios=params.get("ratios", [0.0]),
        seed_cnn=SeedCnnConfig(**params.get("seed_cnn", {})),
        finetune=FinetuneConfig(**params.get("finetune", {})),
        device=context.settings.torch_device(),
        checkpoint_dir=context.checkpoints,
        checkpoint_seconds=context.settings.checkpoint_seconds,
        on_progress=part(context.on_progress, _AUGMENTED, 1.0),
        should_stop=context.should_stop,
    )
    context.write_json("rows.json", [row.model_dump() for row in evaluation.rows])
    np.save(context.outputs / "scores.npy", evaluation.scores, allow_pickle=False)
    context.write_json("curves.json", [asdict(curve) for curve in evaluation.curves])
    context.write_json("ratios.json", [point.model_dump() for point in evaluation.ratios])
    return [Output(name) for name in ("rows.json", "scores.npy", "curves.json", "ratios.json")]


_Arms = dict[str, list[Arm]]


def _is_possible(arm: Arm, context: StepContext) -> bool:
    return arm.source is None or arm.source in context.inputs


def _needs_images(arms: _Arms) -> bool:
    return any(own for classifier, own in arms.items() if classifier != _PROBE)


def _data(context: StepContext, dataset: PackedDataset, arms: _Arms) -> BenchmarkData:
    """The real images; what no classifier of the step looks at is not prepared."""
    probed = arms.get(_PROBE, [])

    def images(split: Split) -> NDArray[np.uint8]:
        found = dataset.images(split)
        return _matched(context, split, found) if _needs_images(arms) else found

    def features(label: str, split: str, *, is_wanted: bool) -> NDArray[np.float32] | None:
        return _array(context.inputs[label] / f"{split}.npy") if is_wanted else None

    return BenchmarkData(
        train_images=images("train"),
        train_labels=dataset.labels("train"),
        test_images=images("test"),
        test_labels=dataset.labels("test"),
        rare_index=dataset.classes.index(context.params["rare_class"]),
        train_features=features("features", "train", is_wanted=bool(probed)),
        test_features=features("features", "test", is_wanted=bool(probed)),
        augmented_features=features(
            "augmented", "train", is_wanted=any(arm.is_augmented for arm in probed)
        ),
        groups=near_duplicates(dataset),
        left_out=left_out(dataset, context.params),
    )


def near_duplicates(dataset: PackedDataset) -> NDArray[np.int64]:
    """Number the groups of training images that are the same or nearly, int64 [N].

    They are the pairs that the index lists, the closest thousand.
    """
    groups = Groups(len(dataset.labels("train")))
    pairs = [
        (pair.first.index, pair.second.index)
        for pair in dataset.index.duplicates.pairs
        if pair.first.split == pair.second.split == "train"
    ]
    if pairs:
        groups.join(*np.array(pairs, np.int64).T)
    return groups.labels


def _sources(context: StepContext, arms: _Arms) -> Iterator[tuple[str, Fakes]]:
    """The images that join the rare class in some arm."""
    names = {arm.source for own in arms.values() for arm in own if arm.source}
    raw = {name: _array(context.inputs[name] / "images.npy") for name in sorted(names)}
    # All before the first features: the bar stands still while images are matched.
    seen = {
        name: _matched(context, name, images) if _needs_images(arms) else images
        for name, images in raw.items()
    }
    for name, images in raw.items():
        folder = context.inputs[name]
        probed = [arm for arm in arms.get(_PROBE, []) if arm.source == name]
        augmented = None
        if any(arm.is_augmented for arm in probed):
            augmented = _augmented_features(context, name, images)
        is_control = name not in {FAKES, UNSCREENED}
        features = folder if is_control else context.inputs.get(f"{name}-features", folder)
        yield (
            name,
            Fakes(
                seen[name],
                _array(features / "features.npy") if probed else None,
                augmented,
                np.load(folder / "rows.npy", allow_pickle=False) if is_control else None,
            ),
        )


def _augmented_features(
    context: StepContext, name: str, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Features [copies, M, D] of augmented synthetic images, as the step ``augment`` has them."""
    device = context.settings.torch_device()
    extractor = FeatureExtractor(device=device)
    copies = len(_array(context.inputs["augmented"] / "train.npy"))
    found = []
    for copy in range(copies):

        def prepare(first: int, block: NDArray[np.uint8], copy: int = copy) -> NDArray[np.uint8]:
            seeds = seeds_of(copy, np.arange(first, first + len(block)))
            return matched(augmented_uint8(block, seeds, device=device))

        own = part(
            context.on_progress, _AUGMENTED * copy / copies, _AUGMENTED * (copy + 1) / copies
        )
        found.append(
            extractor.extract_into(
                context.checkpoints / f"{name}-copy-{copy}.npy",
                images,
                context.key,
                prepare=prepare,
                on_progress=own,
                should_stop=context.should_stop,
            )
        )
    return np.stack(found)


def _matched(context: StepContext, name: str, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring images through the resize and the encoder that all of the benchmark go through."""
    return matched_into(
        context.checkpoints / f"{name}-matched.npy",
        images,
        context.key,
        on_progress=if_slow(part(context.on_progress, 0.0, 0.0)),
        should_stop=context.should_stop,
    )


def _array(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
