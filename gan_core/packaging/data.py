"""What goes into the zip: plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_UPSCALER = "none"
"""In place of an upscaler's name: the images are as the generator made them."""


@dataclass(frozen=True, kw_only=True)
class SyntheticImage:
    """One synthetic image on its way into the zip.

    Attributes:
        class_name: The data set's class that it shall belong to.
        id: Stem of its file name: letters, digits, ".", "_", "-"; unique within its class.
        pixels: uint8 [S, S, 3], as it shall lie in the zip.
        seed: From which the generator drew it.
        position: Of an image on the way from one seed to another: which one it is, from 0; the seed
            is then that of the beginning. None: it is the seed's own image.
        model: SHA-256 of the generator's file, hex.
        gan: Name of the GAN.
        real_count: Real images that the generator was trained on.
        real_count_label: The same as it was asked for.
        subset: Seed of the real subset.
        screening: Scores, by name ("near_copy_rms").
        left_out: Why it must not leave ("near-copy"): it is counted, not written; None: write it.
    """

    class_name: str
    id: str
    pixels: NDArray[np.uint8]
    seed: int
    model: str
    gan: str
    real_count: int
    real_count_label: str
    subset: int
    position: int | None = None
    screening: dict[str, float] = field(default_factory=dict)
    left_out: str | None = None


@dataclass(frozen=True, kw_only=True)
class RejectedImage:
    """One image that was drawn and is not in the zip; its pixels are not needed.

    Attributes:
        model: SHA-256 of the generator's file, hex.
        seed: From which the generator drew it.
        position: As of a ``SyntheticImage``.
        reason: Why it is not there ("near-copy", "wrong-class", ...).
        screening: Scores, by name.
    """

    model: str
    seed: int
    reason: str
    position: int | None = None
    screening: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """One generator, and how its images got their final size.

    Attributes:
        sha256: Of its file, hex.
        train_step: Name of the step that trained it.
        card: ``TrainedGenerator.card()``.
        upscale: "engine", "size" and "fingerprint" of the upscaler, and what else is known of it.
        output_size: Side in pixels of the images in the zip.
        learnt_from: Training images by class, of all classes that it learnt from.
        drawing: How images were drawn from their seeds ("truncation", "category", "codes",
            "interpolate"), where that is not as the model was trained.
        screening: How its images were chosen among those that were drawn ("drawn", "kept",
            "needed", "is_short", "rejected", "rules"); empty: all were taken.
        is_grey: Whether its images were made grey at the end: all of its training images are.
    """

    sha256: str
    gan: str
    real_count: int
    real_count_label: str
    subset: int
    train_step: str
    card: dict[str, Any]
    upscale: dict[str, Any]
    output_size: int
    drawing: dict[str, Any] = field(default_factory=dict)
    learnt_from: dict[str, int] = field(default_factory=dict)
    screening: dict[str, Any] = field(default_factory=dict)
    is_grey: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the model's entry in the manifest."""
        entry = asdict(self)
        if not self.is_grey:
            del entry["is_grey"]
        return entry


@dataclass(frozen=True, kw_only=True)
class PackageFacts:
    """What the manifest and the cards say of the whole.

    Attributes:
        version: Version of this software.
        created_at: ISO 8601, the job's, so that the same job gives the same bytes.
        rare_class: The class that was grown.
        dataset_digest: Of the data set that the generators learned from, hex.
        dataset_classes: ``{"malignant": {"train": 963, "test": 234}}``.
        is_phantom: Whether that data set was drawn, not taken of anybody.
        spec: The resolved spec.
        environment: Versions and machine.
        steps: Name of each step of the job → its key.
        models: Every generator that an image comes from.
        output_format: Of the images in the zip: "png" or "dicom".
        near_copy_rms: Images within this distance of a training image were left out; None: no
            such check was made.
        verdicts: The report's sentences on whether the images helped.
        limits: Sentences for the card, besides those that always stand there.
    """

    version: str
    created_at: str
    rare_class: str
    dataset_digest: str
    dataset_classes: dict[str, dict[str, int]]
    is_phantom: bool
    spec: dict[str, Any]
    environment: dict[str, str]
    steps: dict[str, str]
    models: list[ModelFacts]
    near_copy_rms: float | None
    output_format: str = "png"
    verdicts: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


@dataclass
class Counts:
    """What was written and what was left out, counted as it goes by.

    Attributes:
        by_class: Class → images written.
        by_model: SHA-256 of a model → images written.
        left_out: (SHA-256 of a model, reason) → images left out.
    """

    by_class: dict[str, int] = field(default_factory=dict)
    by_model: dict[str, int] = field(default_factory=dict)
    left_out: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, image: SyntheticImage) -> None:
        """Count one image that is written."""
        self.by_class[image.class_name] = self.by_class.get(image.class_name, 0) + 1
        self.by_model[image.model] = self.by_model.get(image.model, 0) + 1

    def reject(self, image: RejectedImage) -> None:
        """Count one image that is left out."""
        key = (image.model, image.reason)
        self.left_out[key] = self.left_out.get(key, 0) + 1

    @property
    def written(self) -> int:
        """Images in the zip."""
        return sum(self.by_class.values())

    def left_out_by_reason(self) -> dict[str, int]:
        """Return how many images were left out for each reason."""
        reasons: dict[str, int] = {}
        for (_, reason), n in sorted(self.left_out.items()):
            reasons[reason] = reasons.get(reason, 0) + n
        return reasons


@dataclass(frozen=True)
class PackageSummary:
    """What came of it.

    Attributes:
        written: Images in the zip.
        left_out: Reason → images left out.
        sha256: Of the zip, hex.
        size: Of the zip, bytes.
    """

    written: int
    left_out: dict[str, int]
    sha256: str
    size: int
