"""The table: a row for each run, a summary for each arm, a verdict for each real count."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gan_core.spec.findings import (
    Interval,
    Leaks,
    Privacy,
    RatioPoint,
    ScreeningSummary,
    SetQuality,
    Shortcut,
    UpscalerFidelity,
)

__all__ = [
    "ArmSummary",
    "Comparison",
    "Conclusion",
    "Interval",
    "Outcome",
    "ResultRow",
    "Results",
    "Verdict",
]

Outcome = Literal["helps", "no-significant-difference", "harms", "not-tested"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ResultRow(_Plain):
    """One classifier trained once, tested on the untouched real test images.

    All figures are shares in [0, 1], with the rare class as the positive one and, where a
    threshold is needed, the threshold .5 or, for figures named ``moved_…``, ``threshold``. A
    figure is null where the test set does not define it, or where it was not computed.
    """

    arm: str
    """``real-only``, ``class-weights``, ``gan:infogan``, ``gan:infogan+classic-augment``, ..."""
    gan: str | None = None
    real_count: int
    real_count_label: str
    """The real count as it was asked for: a number, or ``all``."""
    subset: int
    """Seed of the nested real subset."""
    seed: int
    """Seed of the classifier's training."""
    classifier: str
    n_real: int
    """Real training images of the rare class."""
    n_fake: int
    """Synthetic training images of the rare class."""
    n_other: int
    """Real training images of all other classes."""
    ratio: float | None = None
    """Synthetic images to a real one of the rare class; null in arms without synthetic images."""
    threshold: float | None = None
    """Moved to where balanced accuracy is best on held-out real training images."""
    heldout_roc_auc: float | None = None
    """On real training images held out by cross-fitting; what choices are made by."""
    heldout_balanced_accuracy: float | None = None
    """The same, at ``threshold``."""
    accuracy: float | None
    balanced_accuracy: float | None
    """Mean of sensitivity and specificity: what the study called AUC."""
    sensitivity: float | None
    specificity: float | None
    roc_auc: float | None
    pr_auc: float | None
    """Average precision."""
    sensitivity_at_90: float | None = None
    """Sensitivity at the threshold where specificity is at least .90."""
    sensitivity_at_95: float | None = None
    brier: float | None = None
    """Mean squared error of the scores; lower is better."""
    calibration_error: float | None = None
    """Expected calibration error, 10 bins of equal width; lower is better."""
    moved_accuracy: float | None = None
    moved_balanced_accuracy: float | None = None
    moved_sensitivity: float | None = None
    moved_specificity: float | None = None
    seconds: float = Field(ge=0.0)


class ArmSummary(_Plain):
    """All runs of one arm at one real count with one classifier."""

    arm: str
    gan: str | None = None
    real_count: int
    real_count_label: str
    classifier: str
    n_runs: int
    figures: dict[str, Interval]
    """Keyed by the figure's name in ``ResultRow``; intervals are bootstrapped over test images."""


class Comparison(_Plain):
    """One figure of a GAN's arm against one arm without a GAN: paired, GAN minus the other."""

    figure: str
    against: str
    difference: Interval
    """The wider end, on each side, of two intervals over runs and test images: bootstrapped, and
    by Student's t."""
    p_bootstrap: float
    """Two-sided."""
    p_analytic: float
    """Two-sided: DeLong's for ROC-AUC, by the images' own hits for balanced accuracy; with the
    spread over subsets of the real images."""


class Verdict(_Plain):
    """Whether one arm of a GAN helped one classifier at one real count."""

    real_count: int
    real_count_label: str
    classifier: str
    gan: str
    arm: str = ""
    outcome: Outcome
    sentence: str
    """For a physician."""
    against: str | None = None
    """The strongest arm without a GAN: chosen by ROC-AUC on held-out real training images."""
    differences: dict[str, Interval] = {}
    """Paired differences (GAN − ``against``) by figure."""
    comparisons: list[Comparison] = []
    """Of the figures that are judged, with every arm without a GAN."""
    p_helps: float | None = None
    """One-sided, that its ROC-AUC is not above that of *every* arm without a GAN; 1 where its
    balanced accuracy is below that of any."""
    p_harms: float | None = None
    """One-sided, that it is not worse than ``against`` in either figure."""
    p_holm: float | None = None
    """The smaller of the two, two-sided and corrected by Holm's method over the whole table."""
    ratio: float | None = None
    """Mean ratio of synthetic to real images in the arm."""
    n_runs: int
    caveats: list[str] = []


class Conclusion(_Plain):
    """One sentence for each real count, over all GANs and classifiers."""

    real_count: int
    real_count_label: str
    outcome: Outcome
    sentence: str
    classifier: str | None = None
    """The one that is strongest without synthetic images, by which is concluded."""
    gan: str | None = None
    arm: str | None = None
    caveats: list[str] = []


class Results(_Plain):
    """What ``GET /v1/jobs/{id}/results`` answers and ``results.json`` holds."""

    rare_class: str
    classes: dict[str, dict[str, int]]
    conclusions: list[Conclusion] = []
    rows: list[ResultRow]
    summaries: list[ArmSummary]
    verdicts: list[Verdict]
    ratios: list[RatioPoint] = []
    quality: list[SetQuality] = []
    screening: list[ScreeningSummary] = []
    shortcuts: list[Shortcut] = []
    privacy: list[Privacy] = []
    upscaler: list[UpscalerFidelity] = []
    leaks: Leaks | None = None
    failed: list[dict[str, str]] = []
    """Columns that could not be computed, each with a code and a sentence."""
