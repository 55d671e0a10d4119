"""``JobSpec`` and its parts: everything that can be asked for, with its limits.

A field that is left out is filled by the profile (``gan_core.spec.profiles``). A field given by
hand wins over the profile. Unknown fields are refused, so that a typing error is never ignored.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from gan_core.spec.arms import BenchmarkSpec
from gan_core.spec.gan_settings import (
    CONDITIONAL_GANS,
    SettingValue,
    discriminator_blocks,
    normalised,
    refusal,
    settings_schemas,
    without_defaults,
)
from gan_core.spec.privacy import PRIVATE_NORM, PrivacySpec, privacy_refusal
from gan_core.spec.strict import Strict

Profile = Literal["quick", "seed", "best"]
Priority = Literal["low", "normal", "high"]
GanName = Literal["infogan", "dcgan", "pggan", "fastgan", "stylegan2"]
UpscaleEngine = Literal[
    "lanczos", "realesrgan", "realesr-compact-x2", "realesr-compact-x4", "realesrgan-original"
]
RealCount = Annotated[int, Field(ge=2, le=1_000_000)] | Literal["all"]
ChosenBecause = Annotated[str, Field(max_length=500)]

GAN_IMAGE_SIZE_STEP = 16
GAN_IMAGE_SIZE_RANGE = (32, 256)
DOUBLED_IMAGE_SIZES = (32, 64, 112, 128, 224, 256)
"""Image sizes of all GANs but InfoGAN: they double an image of 4 or of 7 pixels."""


def _without_repeats(counts: list[int | str]) -> list[int | str]:
    if len(set(counts)) != len(counts):
        raise ValueError("holds the same real count twice")
    return counts


class ScheduleRow(Strict):
    """How long to train when there are at most ``up_to`` real images."""

    up_to: int | None = Field(default=None, ge=2)
    """The row holds for real counts up to this one; null for all that are larger."""
    batch_size: int = Field(ge=1, le=1024)
    """Real images a step."""
    epochs: int = Field(ge=1, le=100_000)
    """Passes over the real images."""


class GanSpec(Strict):
    """One GAN of the study and how it is trained."""

    name: GanName
    """Which GAN."""
    image_size: int = Field(
        default=112, ge=GAN_IMAGE_SIZE_RANGE[0], le=GAN_IMAGE_SIZE_RANGE[1], multiple_of=16
    )
    """Side in pixels at which the GAN is trained: a multiple of 16 for infogan; 32, 64, 112, 128,
    224 or 256 for the others."""
    schedule: list[ScheduleRow] = Field(default_factory=list, max_length=32)
    """Batch size and epochs by real count; empty: the profile's."""
    epochs: int | None = Field(default=None, ge=1, le=100_000)
    """Overrides the schedule's epochs for every real count."""
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    """Overrides the schedule's batch size for every real count."""
    ema_decay: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Decay a step of the generator's moving average, from which images are then drawn; null:
    images are drawn from the generator itself, as the study did."""
    snapshots: int = Field(default=4, ge=1, le=16)
    """How many times during training a grid of samples is kept and judged against the training
    images, the last step included."""
    keep: Literal["best", "last"] = "best"
    """Which generator the training leaves: the snapshot that was judged best (kernel distance,
    coverage and copies, on training images alone), or the last, as in the study."""
    stop_early: bool = False
    """End the training when judgements no longer get better, or when it learns its images by
    heart."""
    settings: dict[str, SettingValue] = Field(
        default_factory=dict,
        max_length=32,
        # JSON schema cannot say "by the value of another field" without a union of whole GANs.
        json_schema_extra={"x-by": {"field": "name", "schemas": settings_schemas()}},
    )
    """The kind's own settings (``width``, ``loss``, ``augment``, …); those left out take the
    kind's defaults. ``job-spec.md`` lists them."""
    pretrain: Literal["none", "other-classes", "all-classes"] = "none"
    """What the GAN learns from before it turns to the rare class: the other classes' training
    images (once, for all real counts and subsets), or these and the column's own real images."""
    pretrain_epochs: int | None = Field(default=None, ge=1, le=100_000)
    """Passes over the images of ``pretrain``; null: as the schedule says for so many images."""
    freeze_d: int = Field(default=0, ge=0, le=8)
    """How many blocks of the discriminator, those nearest the image first, stay as ``pretrain``
    left them (FreezeD)."""
    conditional: Literal["none", "late"] = "none"
    """``late``: learn from all classes at once, without labels at first, and let the labels in on
    the way; images are then drawn of the rare class."""
    privacy: PrivacySpec | None = None
    """Train with differential privacy; null: without. ``keep`` is then ``last``, and nothing is
    judged against the real images on the way."""
    real_counts: list[RealCount] | None = Field(default=None, min_length=1, max_length=32)
    """The GAN is trained for these of the job's real counts alone; null: for all. The same GAN may
    be named more than once, trained in another way for other real counts."""

    @field_validator("real_counts")
    @classmethod
    def _counts_once(cls, counts: list[int | str] | None) -> list[int | str] | None:
        return None if counts is None else _without_repeats(counts)

    @field_validator("schedule")
    @classmethod
    def _rows_rise(cls, rows: list[ScheduleRow]) -> list[ScheduleRow]:
        # The first row that holds is taken: one out of order would never be.
        ends = [math.inf if row.up_to is None else row.up_to for row in rows]
        if any(low >= high for low, high in itertools.pairwise(ends)):
            raise ValueError("has rows whose up_to does not rise (null only in the last)")
        return rows

    @model_validator(mode="after")
    def _size_suits_the_kind(self) -> Self:
        if self.name != "infogan" and self.image_size not in DOUBLED_IMAGE_SIZES:
            sizes = ", ".join(str(size) for size in DOUBLED_IMAGE_SIZES)
            raise ValueError(f"{self.name} makes images of size {sizes}, not {self.image_size}")
        return self

    @model_validator(mode="after")
    def _settings_suit_the_kind(self) -> Self:
        if sentence := refusal(self.name, self.settings):
            raise ValueError(sentence)
        # In place: a field that was not given must not look as if it had been.
        self.settings.update(normalised(self.name, self.settings))
        return self

    @model_validator(mode="after")
    def _starts_suit_each_other(self) -> Self:
        if self.pretrain == "none" and self.pretrain_epochs is not None:
            raise ValueError("pretrain_epochs needs pretrain: say what to learn from first")
        if self.pretrain == "none" and self.freeze_d:
            raise ValueError("freeze_d needs pretrain: untrained blocks would stay untrained")
        # A size that was left out is the profile's, and checked once that has been filled in.
        blocks = discriminator_blocks(self.name, self.image_size)
        if "image_size" in self.model_fields_set and self.freeze_d > blocks:
            raise ValueError(
                f"{self.name}'s discriminator has {blocks} blocks at {self.image_size} pixels:"
                f" freeze_d cannot be {self.freeze_d}"
            )
        return self

    @model_validator(mode="after")
    def _labels_suit_the_kind(self) -> Self:
        if self.conditional == "none":
            if blends := [name for name in self.settings if name.startswith("blend_")]:
                raise ValueError(f"{blends[0]} needs conditional: there are no labels to let in")
            return self
        start, length = (self.settings.get(f"blend_{part}", 0.25) for part in ("start", "length"))
        # What is no number was refused by now.
        if float(start) + float(length) > 1:  # type: ignore[arg-type]
            raise ValueError(
                "blend_start and blend_length are more than 1 together: the labels would never come"
                " in wholly"
            )
        if self.name not in CONDITIONAL_GANS:
            raise ValueError(
                f"{self.name} cannot learn from labels; {', '.join(CONDITIONAL_GANS)} can"
            )
        if self.pretrain != "none":
            raise ValueError(
                "conditional and pretrain exclude each other: both learn from the other classes"
            )
        return self

    @model_validator(mode="after")
    def _privacy_holds(self) -> Self:
        if self.privacy is None:
            return self
        asked = {name: getattr(self, name) for name in self.model_fields_set}
        if sentence := privacy_refusal(self.name, asked, self.settings):
            raise ValueError(sentence)
        # Not an assignment: a field that was not given must not look as if it had been.
        self.__dict__["keep"] = "last"
        return self

    def own_settings(self) -> dict[str, Any]:
        """Return the settings without those that are the kind's defaults.

        In a spec these stay, as they win over the profile's; a step's key is the same without.
        """
        private = {} if self.privacy is None else PRIVATE_NORM
        return without_defaults(self.name, {**self.settings, **private})

    def learning_params(self) -> dict[str, Any]:
        """Return what of this decides how the GAN learns, without what is left at its default.

        A step whose GAN does nothing of all this keeps the key that it always had.
        """
        params: dict[str, Any] = {}
        if settings := self.own_settings():
            params["settings"] = settings
        if self.pretrain != "none":
            params["pretrain"] = self.pretrain
        if self.freeze_d:
            params["freeze_d"] = self.freeze_d
        if self.conditional != "none":
            params["conditional"] = self.conditional
        if self.privacy is not None:
            params["privacy"] = self.privacy.model_dump()
        return params

    def is_for(self, asked: int | str) -> bool:
        """Say whether the GAN is trained for one of the job's real counts, as the job names it."""
        return self.real_counts is None or asked in self.real_counts

    def schedule_for(self, real_count: int) -> tuple[int, int]:
        """Return (batch size, epochs) for a real count.

        Raises:
            ValueError: The spec has not been resolved, so it has no schedule.
        """
        for row in self.schedule:
            if row.up_to is None or real_count <= row.up_to:
                return (self.batch_size or row.batch_size, self.epochs or row.epochs)
        if self.schedule:
            last = self.schedule[-1]
            return (self.batch_size or last.batch_size, self.epochs or last.epochs)
        if self.batch_size and self.epochs:
            return (self.batch_size, self.epochs)
        raise ValueError("a schedule is needed: resolve the spec first")


def _share_a_count(one: GanSpec, other: GanSpec) -> bool:
    if one.real_counts is None or other.real_counts is None:
        return True
    return not set(one.real_counts).isdisjoint(other.real_counts)


class UpscaleSpec(Strict):
    """How the GAN's images get from its own size to the final one."""

    engine: UpscaleEngine = "lanczos"
    """``realesrgan`` is Real-ESRGAN ×4plus; ``realesr-compact-x2`` and ``-x4`` its small fast nets
    (trained on drawn video); ``lanczos`` a plain filter; ``realesrgan-original`` the original
    package, when installed."""
    size: int = Field(default=224, ge=32, le=1024)
    """Side of the upscaled images in pixels."""


class ScreenSpec(Strict):
    """Which synthetic images never leave the service."""

    near_copies: bool = True
    """Leave out images whose 32×32 thumbnail is within ``near_copy_rms`` of a training image."""
    near_copy_rms: float = Field(default=8.0, ge=0.0, le=255.0)
    """Root mean square difference of 32×32 RGB thumbnails, in grey levels of 0–255."""


class StudyScreenSpec(ScreenSpec):
    """And which are taken: a choice among ``draw`` times as many as are needed.

    It is made before the upscaler, and looks at training images alone.
    """

    draw: float = Field(default=1.0, ge=1.0, le=10.0)
    """How many times as many images are drawn as are needed."""
    label: bool = False
    """Leave out images that a classifier, cross-fitted on the real training images of all classes,
    takes for another class."""
    off_manifold: bool = False
    """Leave out images that lie farther from every training image of the rare class than nearly all
    of these lie from one another."""
    diverse: bool = False
    """Of those that are left pick images that differ from one another."""

    def chooses(self) -> bool:
        """Say whether images are chosen before they are upscaled."""
        return self.draw > 1 or self.label or self.off_manifold or self.diverse


class OutputSpec(Strict):
    """What the synthetic images in the zip look like."""

    format: Literal["png", "dicom"] = "png"
    """``dicom``: secondary captures that say of themselves that they are synthetic."""
    size: int | None = Field(default=None, ge=32, le=1024)
    """Side in pixels; null: as the upscaler left them."""
    limit: int | None = Field(default=None, ge=1, le=1_000_000)
    """At most this many images of each GAN × real count in the zip; null: all."""


class StudySpec(Strict):
    """A study on one data set. Every field has a default; the profile fills what is left out."""

    profile: Profile = "quick"
    """``quick``: minutes on two CPU cores, to see it work. ``seed``: the study's own settings,
    number for number. ``best``: what this version recommends, by real count and device."""
    name: str = Field(default="", max_length=200)
    """A label for people, shown as the report's title."""
    rare_class: str | None = Field(default=None, max_length=200)
    """The class to grow; null: the smallest of the training split."""
    real_counts: list[RealCount] = Field(default=[50, 200], min_length=1, max_length=32)
    """How many real images of the rare class each experiment may see."""
    gans: list[GanSpec] = Field(default_factory=list, max_length=32)
    """The GANs to compare; may be empty (then only the arms without a GAN are run). Left out, the
    profile's; ``best`` chooses by real count, data set and device."""
    chosen_because: list[ChosenBecause] = Field(default_factory=list, max_length=64)
    """Why the profile ``best`` chose these GANs; filled in when it has."""
    balance_to: Literal["full-class", "majority"] | Annotated[int, Field(ge=2, le=1_000_000)] = (
        "full-class"
    )
    """Fakes fill the rare class up to this: its own full training count (as in the study), the
    count of the largest class, or a number."""
    leaks: Literal["report", "leave-out"] = "report"
    """What is done with training images that are the same as a test image, or nearly: told, or kept
    out of every training as well."""
    upscale: UpscaleSpec = UpscaleSpec()
    benchmark: BenchmarkSpec = BenchmarkSpec()
    screen: StudyScreenSpec = StudyScreenSpec()
    output: OutputSpec = OutputSpec()

    @field_validator("real_counts")
    @classmethod
    def _counts_once(cls, counts: list[int | str]) -> list[int | str]:
        return _without_repeats(counts)

    @field_validator("gans")
    @classmethod
    def _gans_once(cls, gans: list[GanSpec]) -> list[GanSpec]:
        # Steps and arms are named by GAN and real count.
        for one, other in itertools.combinations(gans, 2):
            if one.name == other.name and _share_a_count(one, other):
                raise ValueError("holds the same GAN twice for one real count")
        return gans


class JobSpec(StudySpec):
    """A study on a data set that the service holds."""

    dataset_id: str = Field(min_length=1, max_length=64)
    """Id of a data set that is ready."""
    priority: Priority = "normal"
    """Which of a workspace's jobs go first. Workspaces share the workers whatever it says."""
