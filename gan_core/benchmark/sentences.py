"""What the verdicts say, for a physician to read. Every sentence of theirs is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan_core.spec.results import Interval, Outcome, Verdict

MIN_SUBSETS = 5
"""Choices of real images that a claim of help needs."""
FEW_REAL_IMAGES = 50

_FIGURES = {
    "roc_auc": "ROC-AUC",
    "balanced_accuracy": "balanced accuracy",
    "moved_balanced_accuracy": "balanced accuracy at the moved threshold",
}
_GANS = {
    "dcgan": "DCGAN",
    "fastgan": "FastGAN",
    "infogan": "InfoGAN",
    "pggan": "PGGAN",
    "r3gan": "R3GAN",
    "stylegan2": "StyleGAN2",
}
_CLASSIFIERS = {
    "seed-cnn": "plain CNN",
    "probe": "probe",
    "finetune": "fine-tuned network",
}
_ARMS = {
    "real-only": "the real images as they are",
    "class-weights": "class weights",
    "oversample": "oversampling",
    "classic-augment": "classic augmentation",
    "classic-augment+oversample": "classic augmentation with oversampling",
}
_CONTROL = "upscale-control:"
BALANCED = ("class-weights", "oversample", "classic-augment+oversample")
"""Arms without a GAN that even the classes out."""


@dataclass(frozen=True)
class GanArm:
    """One arm of a GAN, as it is spoken of.

    Attributes:
        arm: Full name ("gan:infogan@ratio").
        gan: Name in the registry.
        ratio: Mean ratio of synthetic to real images; None where it is not known.
    """

    arm: str
    gan: str
    ratio: float | None

    @property
    def replaces_real_images(self) -> bool:
        """Whether its training had no real image of the rare class."""
        return self.arm.startswith("synthetic-only:")

    @property
    def chose_none(self) -> bool:
        """Whether it was free to choose how many images to add, and added none in any run."""
        return self.arm.endswith("@ratio") and self.ratio == 0

    @property
    def doing(self) -> str:
        """What was done ("adding InfoGAN images")."""
        name = named_gan(self.gan)
        if self.replaces_real_images:
            return f"training on {name} images in place of the real ones"
        if self.arm.endswith("@ratio"):
            many = "" if self.ratio is None else f" ({self.ratio:.1f} to a real one on average)"
            return f"adding as many {name} images as held-out real images favoured{many}"
        if self.arm.endswith("-unscreened"):
            return f"adding {name} images that no screen had chosen"
        if self.arm.endswith("+classic-augment"):
            return f"adding {name} images together with classic augmentation"
        return f"adding {name} images"


def named_gan(gan: str) -> str:
    """Return a GAN's name as people write it ("infogan" → "InfoGAN")."""
    return _GANS.get(gan, gan)


def named_classifier(classifier: str) -> str:
    """Return what a classifier is called in a sentence ("seed-cnn" → "plain CNN")."""
    return _CLASSIFIERS.get(classifier, classifier)


def named_arm(arm: str) -> str:
    """Return what an arm without a GAN does, as a noun ("oversample" → "oversampling")."""
    if arm.startswith(_CONTROL):
        return f"real images that went through {arm.removeprefix(_CONTROL)} pixels"
    return _ARMS.get(arm, arm)


def real_images(real_count: int, label: str) -> str:
    """Return "100 real images", or "all 1197 real images"."""
    return f"all {real_count} real images" if label == "all" else f"{label} real images"


def verdict_sentence(
    gan: GanArm,
    images: str,
    classifier: str,
    outcome: Outcome,
    *,
    against: str,
    differences: Mapping[str, Interval],
) -> str:
    """Say what was found of one arm of a GAN.

    Args:
        gan: The arm.
        images: Of ``real_images``.
        classifier: Its name.
        outcome: What was found; not ``not-tested``.
        against: The arm without a GAN of which ``differences`` are told.
        differences: By figure.
    """
    by, rival = named_classifier(classifier), named_arm(against)
    numbers = differences_told(differences)
    given = f"With {images} of the rare class,"
    if gan.chose_none:
        return (
            f"{given} held-out real images favoured adding no {named_gan(gan.gan)} images at all:"
            f" none were added, so there is no difference to judge."
        )
    told = {
        "helps": f"improved the {by} beyond every way of training without them that was tried;"
        f" against the strongest ({rival}): {numbers}.",
        "harms": f"made the {by} worse than training without them ({rival}): {numbers}.",
        "no-significant-difference": f"made no significant difference to the {by}, compared with"
        f" training without them ({rival}): {numbers}.",
    }
    if gan.replaces_real_images:
        told = {
            "helps": f"made the {by} better than every way of training on the real ones that was"
            f" tried; against the strongest ({rival}): {numbers}.",
            "harms": f"made the {by} worse than training on the real ones ({rival}): {numbers}."
            " They cannot replace real images.",
            "no-significant-difference": f"left the {by} not significantly different from training"
            f" on the real ones ({rival}): {numbers}. That does not show that the two are equal.",
        }
    return f"{given} {gan.doing} {told[outcome]}"


def differences_told(differences: Mapping[str, Interval]) -> str:
    """Return "ROC-AUC +.010, 95% interval −.002 to +.022; ..."."""
    return "; ".join(
        f"{_FIGURES.get(figure, figure)} {_signed(d.mean)}, 95% interval {_signed(d.low)} to"
        f" {_signed(d.high)}"
        for figure, d in differences.items()
    )


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    told = f"{value:+.3f}".replace("-", "−")
    return "0.000" if told[1:] == "0.000" else told


def nothing_to_compare() -> str:
    """Say that there is no arm without a GAN."""
    return (
        "There is no arm without synthetic images to compare with, so whether they help was not"
        " tested."
    )


def undefined(reason: str) -> str:
    """Say why the test set does not tell."""
    return f"Whether the synthetic images help was not tested: {reason}"


def caveats(
    real_count: int,
    *,
    witnesses: int,
    runs: int,
    subsets: int,
    lost: int,
    unpaired: Sequence[str],
    is_all: bool = False,
) -> list[str]:
    """Say what limits a verdict.

    Args:
        real_count: Real images of the rare class.
        witnesses: Choices of real images that differ in what was found.
        runs: Runs that differ in what was found.
        subsets: Choices of real images.
        lost: Trainings of the GAN that failed.
        unpaired: Arms without a GAN that share no run with the GAN's.
        is_all: Whether these are all real images, so that there is but one choice of them.
    """
    found = []
    if lost:
        # They are not missing at random: that a training fails is a property of the GAN.
        found.append(
            f"{lost} of {lost + subsets} trainings of this GAN failed and could not be tested: what"
            " is said here is said of the others alone."
        )
    if unpaired:
        arms = " and ".join(named_arm(arm) for arm in unpaired)
        found.append(
            f"It could not be compared with {arms}, which were not run on the same real images:"
            " nothing is claimed."
        )
    if witnesses < MIN_SUBSETS:
        counted = "1 run" if runs == 1 else f"{runs} runs"
        found.append(
            f"Based on {counted}: so few cannot show that it helps (that takes at least"
            f" {MIN_SUBSETS}, each with its own choice of real images), and a harm that so few show"
            " is a warning."
        )
    if witnesses == 1 < runs:
        found.append("All runs share one choice of real images and one training of the GAN.")
    elif is_all and witnesses > 1:
        found.append(
            "All runs share one choice of real images, all that there are: they differ in the"
            " trainings alone."
        )
    if real_count < FEW_REAL_IMAGES:
        found.append(
            f"With fewer than about {FEW_REAL_IMAGES} real images the literature finds that GANs"
            " harm as often as they help."
        )
    return found


def without_balancing(arms: Sequence[str]) -> str:
    """Say that a claim of help was not held against what costs nothing.

    Args:
        arms: Arms without a GAN that were compared.
    """
    return (
        f"It was compared with {' and '.join(named_arm(arm) for arm in arms)} alone: class weights"
        " and oversampling, which cost nothing and may do as much, were not tried."
    )


def conclusion_sentence(
    gan: GanArm, images: str, verdict: Verdict, *, tried: Sequence[GanArm]
) -> str:
    """Say in one sentence what a study found at one real count.

    Args:
        gan: The arm that is told of.
        images: Of ``real_images``.
        verdict: Its verdict, with the outcome that is concluded.
        tried: All arms of which it is said where none made a difference.
    """
    if verdict.outcome == "not-tested" or verdict.against is None:
        return f"With {images} of the rare class it was not tested whether synthetic images help."
    by, rival = named_classifier(verdict.classifier), named_arm(verdict.against)
    numbers = differences_told(verdict.differences)
    ratio = ""
    if gan.ratio is not None and not gan.arm.endswith("@ratio"):
        ratio = f", {gan.ratio:.1f} to a real one,"
    if verdict.outcome == "helps":
        return (
            f"With {images} of the rare class, synthetic images help: {gan.doing}{ratio} improved"
            f" the {by} beyond every way of training without them that was tried; against the"
            f" strongest ({rival}): {numbers}."
        )
    if verdict.outcome == "harms":
        return (
            f"With {images} of the rare class, synthetic images harm: {gan.doing}{ratio} made the"
            f" {by} worse than training without them ({rival}): {numbers}."
        )
    none = sorted({named_gan(arm.gan) for arm in tried if arm.chose_none})
    chosen = f" Of {' and '.join(none)} the best choice was to add none." if none else ""
    others = sum(not arm.chose_none for arm in tried if arm.arm != gan.arm)
    further = f", nor did {others} other ways of adding them" if others > 1 else ""
    further = ", nor did another way of adding them" if others == 1 else further
    return (
        f"With {images} of the rare class, synthetic images make no significant difference:"
        f" {gan.doing}{ratio} did not reliably change the {by} from training without them ({rival}:"
        f" {numbers}){further}.{chosen}"
    )


def beside(gan: GanArm, classifier: str, outcome: Outcome) -> str:
    """Say what was found beside a conclusion, with another arm or classifier."""
    told = {
        "helps": "helped",
        "harms": "harmed",
        "no-significant-difference": "made no significant difference",
        "not-tested": "was not tested",
    }[outcome]
    return f"With the {named_classifier(classifier)}, {gan.doing} {told}."
