"""One training and test of one classifier in one arm: which images it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.arms import Arm, balanced_weights
from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.classifiers.images import ImageRows
from gan_core.spec.errors import GraftError

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Points = list[dict[str, float]]

CLASSIFIERS = ("seed-cnn", "probe", "finetune")
NOTHING: IndexArray = np.empty(0, np.int64)
OF_NONE = -1
"""In place of the training image that an image is a copy of."""


@dataclass(frozen=True)
class BenchmarkData:
    """The real images.

    Attributes:
        train_images: uint8 [N, 224, 224, 3].
        train_labels: int64 [N], class of each.
        test_images: uint8 [M, 224, 224, 3]: nothing is ever chosen by them.
        test_labels: int64 [M].
        rare_index: The rare class; all others together are the other side of the question.
        train_features: float32 [N, D], for the probe.
        test_features: float32 [M, D].
        augmented_features: float32 [copies, N, D], of classically augmented training images.
        groups: int64 [N], training images with one number are the same, or nearly. None: all
            differ.
        left_out: int64, training images that nothing may learn from.
    """

    train_images: ImageRows
    train_labels: IndexArray
    test_images: ImageRows
    test_labels: IndexArray
    rare_index: int
    train_features: FloatArray | None = None
    test_features: FloatArray | None = None
    augmented_features: FloatArray | None = None
    groups: IndexArray | None = None
    left_out: IndexArray = field(default_factory=NOTHING.copy)


@dataclass(frozen=True)
class Fakes:
    """Images that join the rare class.

    Attributes:
        images: uint8 [M, 224, 224, 3].
        features: float32 [M, D], for the probe.
        augmented_features: float32 [copies, M, D].
        copy_of: int64 [M], the training image that each was made of, -1 for none. None: all are
            synthetic.
    """

    images: ImageRows
    features: FloatArray | None = None
    augmented_features: FloatArray | None = None
    copy_of: IndexArray | None = None


Sources = Mapping[str, Fakes]
"""Images that join the rare class, by the name of their source (``gan_core.benchmark.arms``)."""


@dataclass(frozen=True)
class Column:
    """What all trials of one real count and subset share.

    Attributes:
        pool: int64 [P], rows of the real training images, ascending.
        chosen: int64 [n], those of the rare class.
        fill_to: Up to how many images others fill the rare class; None: with all that there are.
        subset: Seed of the subset.
    """

    pool: IndexArray
    chosen: IndexArray
    fill_to: int | None = None
    subset: int = 0

    @classmethod
    def of(
        cls, data: BenchmarkData, real_count: int, subset: int, fill_to: int | None = None
    ) -> Column:
        """Draw the subset.

        Raises:
            GraftError: ``real_count_too_large``.
        """
        labels, rare, without = data.train_labels, data.rare_index, data.left_out
        chosen = nested_subset(labels, rare, real_count, subset, without=without)
        pool = training_pool(labels, rare, chosen, without=without)
        return cls(pool, chosen, fill_to, subset)


@dataclass(frozen=True)
class Ground:
    """What the trials of a column are made from: real images, those that join, and the column."""

    data: BenchmarkData
    column: Column
    sources: Sources


@dataclass(frozen=True)
class Trial:
    """One training: a classifier, an arm, a seed, and the images of the arm.

    Attributes:
        classifier: One of ``CLASSIFIERS``.
        arm: The arm.
        seed: Of the training.
        real_rows: int64 [n], rows of the real training images.
        is_rare: Bool [n], which of these are of the rare class.
        joined: int64 [m], rows of the arm's source that join the rare class; a row may come again.
        copy_of: int64 [m], the training image that each of these was made of, -1 for none.
    """

    classifier: str
    arm: Arm
    seed: int
    real_rows: IndexArray
    is_rare: BoolArray
    joined: IndexArray = field(default_factory=NOTHING.copy)
    copy_of: IndexArray = field(default_factory=NOTHING.copy)

    @cached_property
    def labels(self) -> IndexArray:
        """int64 [n + m], 1 for the rare class: real images, then those that join."""
        return np.concatenate([self.is_rare, np.ones(len(self.joined), np.bool_)]).astype(np.int64)

    @property
    def n_real(self) -> int:
        """Real images of the rare class."""
        return int(self.is_rare.sum())

    @property
    def n_fake(self) -> int:
        """Images that join the rare class."""
        return len(self.joined)

    @property
    def n_other(self) -> int:
        """Images of the other classes."""
        return len(self.real_rows) - self.n_real

    @property
    def ratio(self) -> float | None:
        """Images that join to a real one; None where none could join, or there is no real one."""
        if self.arm.source is None or not self.n_real:
            return None
        return self.n_fake / self.n_real

    @property
    def class_weights(self) -> tuple[float, float] | None:
        """Of the loss, for (other, rare)."""
        if not self.arm.has_class_weights:
            return None
        return balanced_weights(self.n_other, self.n_real + self.n_fake)

    def with_fakes(self, count: int) -> Trial:
        """Return the trial with the first so many of the images that join."""
        return replace(self, joined=self.joined[:count], copy_of=self.copy_of[:count])

    def without(self, held: IndexArray, share: float) -> Trial:
        """Return the trial without some real images, and without whatever was made of them.

        Args:
            held: Rows of the training images that are held out.
            share: Of the rare class's real images, how many train on. As many of the synthetic
                images do, so that the classes stay as they were to each other, and a threshold
                that is found here means the same there.
        """
        trains = ~np.isin(self.real_rows, held)
        stays = ~np.isin(self.copy_of, held)
        synthetic = np.flatnonzero(self.copy_of == OF_NONE)
        stays[synthetic[max(1, round(len(synthetic) * share)) :]] = False
        return replace(
            self,
            real_rows=self.real_rows[trains],
            is_rare=self.is_rare[trains],
            joined=self.joined[stays],
            copy_of=self.copy_of[stays],
        )


def prepare_trial(ground: Ground, classifier: str, arm: Arm, seed: int) -> Trial:
    """Put a trial together.

    An arm that chooses a ratio has all images here; ``Trial.with_fakes`` takes of them.

    Raises:
        GraftError: ``fakes_missing``, ``unknown_classifier``, ``unknown_arm`` for an arm that the
            classifier is not trained in.
    """
    if classifier not in CLASSIFIERS:
        raise GraftError(
            "unknown_classifier",
            f"There is no classifier {classifier!r}.",
            f"Known are: {', '.join(CLASSIFIERS)}.",
        )
    if arm.chooses_ratio and classifier != "probe":
        raise GraftError(
            "unknown_arm",
            f"The classifier {classifier} is not trained in the arm {arm.name}.",
            "A ratio is chosen by cross-fitting, which only the probe is fast enough for.",
        )
    data, column = ground.data, ground.column
    rows = column.pool
    is_rare = data.train_labels[rows] == data.rare_index
    if not arm.has_real_rare:
        rows, is_rare = rows[~is_rare], is_rare[~is_rare]
    trial = Trial(classifier, arm, seed, rows, is_rare)
    if arm.source is None:
        return trial
    joined, copy_of = _joined(arm, column, ground.sources.get(arm.source))
    if not len(joined):
        raise GraftError(
            "fakes_missing",
            f"The arm {arm.name} needs images that join the rare class, and there are none.",
            "Generate images first, or leave the arm out.",
        )
    return replace(trial, joined=joined, copy_of=copy_of)


def _joined(arm: Arm, column: Column, source: Fakes | None) -> tuple[IndexArray, IndexArray]:
    """Rows of a source's images that fill the class, and what each of them is a copy of."""
    if source is None:
        return NOTHING, NOTHING
    count = source.images.shape[0]
    wanted = count if column.fill_to is None else max(0, column.fill_to - len(column.chosen))
    if source.copy_of is None:
        joined = np.arange(count if arm.chooses_ratio else min(count, wanted))
        return joined, np.full(len(joined), OF_NONE, np.int64)
    # Copies of the column's own images, each as often as the others.
    own = np.flatnonzero(np.isin(source.copy_of, column.chosen))
    if not len(own):
        return NOTHING, NOTHING
    joined = np.resize(own, len(own) if column.fill_to is None else wanted)
    return joined, source.copy_of[joined]
