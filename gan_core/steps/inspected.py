"""What the inspect step is given, and the features that it has to compute itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset
from gan_core.features import NAME, FeatureExtractor
from gan_core.leaks import left_out
from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset
from gan_core.resumable import ResumableArray
from gan_core.set_quality import MOST_COMPARED
from gan_core.shortcuts import MOST_TOLD_APART
from gan_core.spec.findings import OfColumn
from gan_core.steps.context import StepContext, model_in
from gan_core.steps.package import rows_to_compare_with
from gan_core.steps.train import MEMBERSHIP
from gan_core.training.fit import fit_to_size
from gan_core.unseen import Unseen, is_new, unseen_images
from gan_core.upscaling.lanczos import LanczosUpscaler

MOST_OF_OTHER_CLASSES = 1000
"""Images of other classes that the GAN has learnt from, spread evenly; near-copies are looked for
among all of them."""
_BLOCK = 128

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Given:
    """What the step was given, and which images of the data set are what to the GAN."""

    dataset: PackedDataset
    column: OfColumn
    image_size: int
    seed: int
    rare: Rows
    """Training images of the rare class, without those of the test set."""
    members: Rows
    others: Rows
    """Training images of other classes that the GAN has learnt from."""
    compared: Rows
    """Training images that no synthetic one may be a near-copy of."""
    near_copy_rms: float
    fakes: Images
    fake_features: Features
    features: dict[str, Features]
    """Of matched images, by split."""
    control_rows: Rows
    control_features: Features
    card: dict[str, Any]
    scores: dict[str, NDArray[Any]]
    """The discriminator's; empty where there are none."""
    unseen: Unseen
    """Without those that have a twin among the images that the GAN has learnt from."""

    @classmethod
    def of(cls, context: StepContext) -> Given:
        """Read what a step was given; arrays are mapped, not read."""
        params, inputs = context.params, context.inputs
        dataset = PackedDataset.open(inputs["dataset"])
        labels, rare_index = dataset.labels("train"), dataset.classes.index(params["rare_class"])
        without = left_out(dataset, params)
        members = nested_subset(
            labels, rare_index, params["real_count"], params["subset"], without=without
        )
        card = json.loads(model_in(inputs["train"]).with_suffix(".json").read_text("utf-8"))
        compared = rows_to_compare_with(labels, rare_index, [card["training"]])
        others = np.setdiff1d(compared[labels[compared] != rare_index], without)
        stride = max(1, -(-len(others) // MOST_OF_OTHER_CLASSES))
        membership = inputs["train"] / MEMBERSHIP
        scores = dict(np.load(membership, allow_pickle=False)) if membership.is_file() else {}
        unseen = unseen_images(dataset, rare_index, members, without=without, seed=params["subset"])
        is_kept = is_new(dataset, unseen, np.concatenate([members, others]))
        if scores:
            # Of the same images, in the same order.
            scores["others"] = scores["others"][is_kept]
        return cls(
            dataset=dataset,
            column=OfColumn(
                gan=params["gan"],
                real_count=params["real_count"],
                real_count_label=params["real_count_label"],
                subset=params["subset"],
            ),
            image_size=params["image_size"],
            seed=params["subset"],
            rare=np.setdiff1d(np.flatnonzero(labels == rare_index), without),
            members=members,
            others=others[::stride],
            compared=compared,
            near_copy_rms=float(params["near_copy_rms"]),
            fakes=_array(context, "fakes", "images.npy"),
            fake_features=_array(context, "fakes-features", "features.npy"),
            features={
                split: _array(context, "features", f"{split}.npy") for split in ("train", "test")
            },
            control_rows=_array(context, "control", "rows.npy"),
            control_features=_array(context, "control", "features.npy"),
            card=card,
            scores=scores,
            unseen=Unseen(unseen.source, unseen.rows[is_kept]),
        )


def _array(context: StepContext, label: str, name: str) -> Any:
    return np.load(context.inputs[label] / name, mmap_mode="r", allow_pickle=False)


class Extraction:
    """Features of images that no step before has computed, each set resumable."""

    def __init__(self, context: StepContext, given: Given) -> None:
        self._context, self._given = context, given
        self._extractor = FeatureExtractor(device=context.settings.torch_device())
        self._done = 0
        fakes = len(given.fakes)
        self._total = (
            min(fakes, MOST_COMPARED)
            + len(given.members)
            + len(given.others)
            + len(given.unseen.rows)
            + 2 * min(fakes, len(given.rare), MOST_TOLD_APART)
        )
        self._upscaler = LanczosUpscaler()

    def real_at_size(self, name: str, images: Images, rows: Rows) -> Features:
        """Features of real images at the GAN's size.

        They are made small, large and small again, as the synthetic ones were: at the full size
        the missing detail would set every synthetic image, a perfect copy among them, as far from
        its model as another patient is.
        """
        size, large = self._given.image_size, self._given.fakes.shape[1]

        def prepare(block: Images) -> Images:
            grown = self._upscaler.upscale(fit_to_size(block, size), size=large)
            return fit_to_size(grown, size)

        return self._extract(name, images, rows, prepare)

    def fakes_at_size(self, rows: Rows) -> Features:
        """Features of synthetic images at the GAN's size."""

        def prepare(block: Images) -> Images:
            return fit_to_size(block, self._given.image_size)

        return self._extract("small-fakes", self._given.fakes, rows, prepare)

    def as_they_are(self, name: str, images: Images, rows: Rows) -> Features:
        """Features of images as they are."""
        return self._extract(name, images, rows, lambda block: block)

    def _extract(
        self, name: str, images: Images, rows: Rows, prepare: Callable[[Images], Images]
    ) -> Features:
        context, extractor = self._context, self._extractor
        path = context.checkpoints / f"{name}.npy"
        key = f"{extractor.fingerprint} {context.key} {name}"
        shape = (len(rows), extractor.dimensions)
        with ResumableArray(path, shape, np.float32, key) as made:
            for start in range(made.done, len(rows), _BLOCK):
                if context.should_stop():
                    raise Stopped
                block = np.array(images[rows[start : start + _BLOCK]])
                made.put(extractor.extract(prepare(block)))
                made.save()
                fraction = min(1.0, (self._done + made.done) / max(1, self._total))
                context.on_progress(
                    Progress(fraction, f"{NAME}, {name}, image {made.done}/{len(rows)}")
                )
        self._done += len(rows)
        features: Features = made.finished()
        return features
