"""``BenchmarkSpec``: which classifiers, and the arms in which each is trained.

An arm's full name stands in the table: those of a GAN hold its name, and the control that of the
size that its images went through (``arms_of_gan``, ``control_arm``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from gan_core.spec.strict import Strict

ClassifierName = Literal["seed-cnn", "probe", "finetune"]
BaseArmName = Literal[
    "real-only",
    "class-weights",
    "oversample",
    "classic-augment",
    "classic-augment+oversample",
    "upscale-control",
]
GanArmName = Literal["gan", "gan+classic-augment", "gan@ratio", "gan-unscreened", "synthetic-only"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class SeedCnnSpec(Strict):
    """Training of the study's plain CNN."""

    epochs: int = Field(default=30, ge=1, le=1000)
    batch_size: int = Field(default=8, ge=1, le=1024)
    arms: list[BaseArmName | GanArmName] | None = Field(default=None, max_length=16)
    """Of the job's arms those that it is trained in; null: all but ``gan@ratio``."""


class FinetuneSpec(Strict):
    """Training of the ImageNet network end to end."""

    epochs: int = Field(default=8, ge=1, le=1000)
    batch_size: int = Field(default=32, ge=1, le=1024)
    learning_rate: float = Field(default=1e-4, gt=0, le=1.0)
    arms: list[BaseArmName | GanArmName] | None = Field(default=None, max_length=16)
    """Of the job's arms those that it is trained in; null: all but ``gan@ratio``."""


class BenchmarkSpec(Strict):
    """Which classifiers, which arms, how often."""

    classifiers: list[ClassifierName] = Field(default=["seed-cnn", "probe"], max_length=8)
    """Empty: no benchmark, synthetic images only."""
    arms: Literal["default"] | list[BaseArmName] = "default"
    """Arms without a GAN. ``default``: all that there are."""
    gan_arms: Literal["default"] | list[GanArmName] = "default"
    """Arms of each GAN: its images fill the class (``gan``); the same with classic augmentation; as
    many of them for each real image as held-out real training images favour, none among the choices
    (``gan@ratio``, of the probe); without the screen, where there is one (``gan-unscreened``); and
    none but synthetic images of the rare class (``synthetic-only``). ``default``: all of them."""
    ratios: list[Annotated[float, Field(ge=0, le=100)]] = Field(
        default=[0, 0.5, 1, 2, 5, 10], min_length=1, max_length=16
    )
    """Synthetic images to a real one, among which ``gan@ratio`` chooses."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts into which real training images are cut for cross-fitting: choices and thresholds."""
    augmented_copies: int = Field(default=4, ge=1, le=32)
    """Classically augmented copies of each training image whose features the probe learns from."""
    subsets: list[Seed] = Field(default=[0], min_length=1, max_length=32)
    """Seeds of the nested real subsets. A GAN is trained for each, on that subset alone."""
    seeds: list[Seed] = Field(default=[0], min_length=1, max_length=64)
    """Seeds of the classifier's training (first weights, order of images), within each subset."""
    seed_cnn: SeedCnnSpec = SeedCnnSpec()
    finetune: FinetuneSpec = FinetuneSpec()

    @field_validator("classifiers", "arms", "gan_arms", "ratios", "subsets", "seeds")
    @classmethod
    def _without_repeats(cls, values: str | list[Any]) -> str | list[Any]:
        if not isinstance(values, str) and len(set(values)) != len(values):
            raise ValueError("holds the same value twice")
        return values

    def base_arms(self) -> list[BaseArmName]:
        """Return the names of the arms without a GAN, in the table's order."""
        every: tuple[BaseArmName, ...] = get_args(BaseArmName)
        return [name for name in every if self.arms == "default" or name in self.arms]

    def arms_of_gan(self, *, screened: bool) -> list[GanArmName]:
        """Return the names of a GAN's arms, in the table's order.

        Args:
            screened: Whether its images are chosen by a screen; without one there is nothing that
                an arm without it could differ in.
        """
        every: tuple[GanArmName, ...] = get_args(GanArmName)
        return [
            name
            for name in every
            if (self.gan_arms == "default" or name in self.gan_arms)
            and (screened or name != "gan-unscreened")
        ]

    def of_classifier(
        self, classifier: ClassifierName, arms: Sequence[BaseArmName | GanArmName]
    ) -> list[BaseArmName | GanArmName]:
        """Return those of some arms that one classifier is trained in."""
        if classifier == "probe":
            return list(arms)
        own = (self.seed_cnn if classifier == "seed-cnn" else self.finetune).arms
        return [arm for arm in arms if arm != "gan@ratio" and (own is None or arm in own)]


_GAN_ARMS: dict[GanArmName, str] = {
    "gan": "gan:{gan}",
    "gan+classic-augment": "gan:{gan}+classic-augment",
    "gan@ratio": "gan:{gan}@ratio",
    "gan-unscreened": "gan:{gan}-unscreened",
    "synthetic-only": "synthetic-only:{gan}",
}


def arm_of_gan(arm: GanArmName, gan: str) -> str:
    """Return the full name of a GAN's arm ("gan@ratio", "infogan" → "gan:infogan@ratio")."""
    return _GAN_ARMS[arm].format(gan=gan)


def control_arm(image_size: int) -> str:
    """Return the full name of the control of images that a GAN makes at a size in pixels."""
    return f"upscale-control:{image_size}"
