"""What a report is made of: plain data, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gan_core.spec.findings import LeakPair
from gan_core.spec.results import Results

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Samples of a generator at one point of its training.

    Attributes:
        label: When, for a person ("epoch 200").
        images: uint8 [k, S, S, 3], of the same seeds in every snapshot.
        is_chosen: Whether this is the generator that was kept.
    """

    label: str
    images: Images
    is_chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one continuous code of an InfoGAN does, in each category.

    Attributes:
        code: Which continuous code, from 0.
        images: uint8 [categories, steps, S, S, 3]; the code goes from −1 (left) to +1 (right).
    """

    code: int
    images: Images


@dataclass(frozen=True, kw_only=True)
class CopyPair:
    """A synthetic image that almost equals a training image.

    Attributes:
        synthetic: uint8 [S, S, 3].
        real: uint8 [S, S, 3].
        rms: Difference of their thumbnails, in grey levels of 0 to 255.
    """

    synthetic: Images
    real: Images
    rms: float


@dataclass(frozen=True, kw_only=True)
class GanSection:
    """One trained GAN: what it saw, how it learned, what it draws.

    Attributes:
        gan: Its name in the registry ("infogan").
        real_count: Real images that it was trained on.
        real_count_label: The same as it was asked for (a number, or "all").
        subset: Seed of the real subset.
        real: uint8 [k, S, S, 3], some images of that same subset, of any size; None: not shown.
        snapshots: In the order of training.
        judgements: Of the snapshots: "epoch", "kid", "kid_sd", "coverage", "authenticity",
            "copy_rate"; empty where nothing was judged.
        chosen_epoch: After which the generator was kept; None where nothing was judged.
        was_chosen: Whether it was kept for its judgement, and not as the last.
        ended: "plateau" or "copying" where the training ended before its last epoch.
        upscaled: uint8 [k, S, S, 3], final images after the upscaler; None: not shown.
        nearest: uint8 [k, n, S, S, 3], the n training images nearest to each of the first
            ``upscaled``, the nearest first; None: not looked for.
        copies: The closest near-copies.
        history: Points of training, each with "epoch" and a number for each loss.
        sweeps: One for each continuous code; empty when the GAN has none.
        facts: Shown as "name: value" ("epochs": "1000").
    """

    gan: str
    real_count: int
    real_count_label: str
    subset: int
    real: Images | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    upscaled: Images | None = None
    nearest: Images | None = None
    copies: list[CopyPair] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    judgements: list[dict[str, float]] = field(default_factory=list)
    chosen_epoch: int | None = None
    was_chosen: bool = True
    ended: str | None = None
    sweeps: list[Sweep] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """How one run of a classifier learned.

    Attributes:
        points: One an epoch: "epoch" and any of "train_loss", "val_loss", "train_accuracy",
            "val_accuracy".
    """

    classifier: str
    arm: str
    real_count: int
    real_count_label: str
    subset: int
    seed: int
    points: list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class ScoreCurves:
    """What the scores of all runs of one arm can do, at one real count.

    Attributes:
        found: [101], sensitivity at the false-alarm rates 0, .01, … 1: mean over runs.
        spread: [101], its standard deviation over runs; None for a single run.
        decision: (False-alarm rate, sensitivity) at the moved threshold, means over runs; None
            where no threshold was moved.
        calibration: For each of ten bins of scores that holds images: mean score, share of the
            rare class, number of images in a run (mean).
    """

    classifier: str
    arm: str
    real_count: int
    real_count_label: str
    found: Floats
    spread: Floats | None
    decision: tuple[float, float] | None
    calibration: list[tuple[float, float, float]]


@dataclass(frozen=True, kw_only=True)
class LeakPicture:
    """Two images of the data set that are the same, or nearly.

    Attributes:
        first: uint8 [S, S, 3].
        second: uint8 [S, S, 3].
    """

    pair: LeakPair
    first: Images
    second: Images


@dataclass(frozen=True, kw_only=True)
class DatasetSection:
    """What is known of the data set.

    Attributes:
        digest: Hash of its pixels, labels and classes, hex.
        image_size: Side in pixels to which every image was brought.
        classes: ``{"malignant": {"train": 963, "test": 234}}``.
        problems: What was skipped or mended: "code", "detail" and perhaps "entry".
        exact_duplicates: Pairs of images that are equal; None: not looked for.
        near_duplicates: Pairs that are nearly equal; None: not looked for.
        across_splits: How many of all those pairs lie between training and test.
        across_classes: How many of them lie between classes.
        problems_not_listed: How many more problems there were.
        is_phantom: Whether the images are drawn, not taken of anybody.
    """

    digest: str
    image_size: int
    classes: dict[str, dict[str, int]]
    problems: list[dict[str, str]] = field(default_factory=list)
    exact_duplicates: int | None = None
    near_duplicates: int | None = None
    across_splits: int | None = None
    across_classes: int | None = None
    problems_not_listed: int = 0
    is_phantom: bool = False


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything that a report shows. All but the first three and the version may be missing.

    Attributes:
        spec: The resolved spec, as JSON values.
        environment: Method and machine, "name: value" (versions, device, precision).
        version: Version of this software.
        steps: Name of each step of the job → its key.
        created_at: ISO 8601; shown as it is.
        title: A person's own title for the study; may be empty.
    """

    results: Results
    spec: dict[str, Any]
    dataset: DatasetSection
    version: str
    gans: list[GanSection] = field(default_factory=list)
    curves: list[LearningCurve] = field(default_factory=list)
    scores: list[ScoreCurves] = field(default_factory=list)
    leaks: list[LeakPicture] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    created_at: str = ""
    title: str = ""
