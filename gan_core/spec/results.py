"""The table: a row for each run, a summary for each arm, a verdict for each real count."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["helps", "no-significant-difference", "harms", "not-tested"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ResultRow(_Plain):
    """One classifier trained once, tested on the untouched real test images.

    All figures are shares in [0, 1], with the rare class as the positive one and, where a
    threshold is needed, the threshold .5. A figure is null where the test set does not define it.
    """

    arm: str
    """``real-only``, ``class-weights``, ``oversample``, ``gan:infogan``, ..."""
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
    accuracy: float | None
    balanced_accuracy: float | None
    """Mean of sensitivity and specificity: what the study called AUC."""
    sensitivity: float | None
    specificity: float | None
    roc_auc: float | None
    pr_auc: float | None
    """Average precision."""
    seconds: float = Field(ge=0.0)


class Interval(_Plain):
    """Mean and spread over runs, and a 95% percentile bootstrap interval over test images."""

    mean: float
    sd: float | None = None
    """Standard deviation over runs; null for a single run."""
    low: float | None = None
    high: float | None = None


class ArmSummary(_Plain):
    """All runs of one arm at one real count with one classifier."""

    arm: str
    gan: str | None = None
    real_count: int
    real_count_label: str
    classifier: str
    n_runs: int
    figures: dict[str, Interval]
    """Keyed by the figure's name in ``ResultRow``."""


class Verdict(_Plain):
    """Whether a GAN's images helped one classifier at one real count."""

    real_count: int
    real_count_label: str
    classifier: str
    gan: str
    outcome: Outcome
    sentence: str
    """For a physician."""
    against: str | None = None
    """The strongest arm without a GAN, by ROC-AUC."""
    differences: dict[str, Interval] = {}
    """Paired differences (GAN − strongest arm without one) by figure."""
    n_runs: int
    caveats: list[str] = []


class Results(_Plain):
    """What ``GET /v1/jobs/{id}/results`` answers and ``results.json`` holds."""

    rare_class: str
    classes: dict[str, dict[str, int]]
    rows: list[ResultRow]
    summaries: list[ArmSummary]
    verdicts: list[Verdict]
    failed: list[dict[str, str]] = []
    """Columns that could not be computed, each with a code and a sentence."""
