"""What was found beside the table: of the images, of privacy, of shortcuts, of the data set."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

REJECTED_BECAUSE = ("near-copy", "off-manifold", "wrong-class", "alike", "not-needed")
"""Why the screen leaves an image out: almost a training image; unlike any real one; a classifier
takes it for another class; it resembles images picked already; enough were picked."""


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Interval(_Plain):
    """Mean and spread over runs, and a 95% interval."""

    mean: float
    sd: float | None = None
    """Standard deviation over runs; null for a single run."""
    low: float | None = None
    high: float | None = None


class OfColumn(_Plain):
    """Which set of synthetic images a finding is about."""

    gan: str
    real_count: int
    real_count_label: str
    subset: int


class SetQuality(OfColumn):
    """How close a set of synthetic images comes to real ones, by features of both."""

    features: str
    """Which features: figures of others cannot be compared with these."""
    against: Literal["held-out", "test", "training"]
    """Which real images of the rare class: those of the training split that the GAN did not see;
    where these are too few, the test images; where there are none, its own training images."""
    n_real: int
    n_fake: int
    kid: float
    """Kernel distance (KID), mean over subsets."""
    kid_sd: float
    frechet: float | None = None
    """Fréchet distance; it is biased by the number of images, so compare equal numbers only."""
    precision: float
    recall: float
    density: float
    coverage: float
    diversity: float
    """Mean distance between two synthetic images over that between two real ones; 1 is equal."""
    chance_kid: float | None = None
    """KID between two halves of the real images: what no set could be expected to beat."""


class Shortcut(OfColumn):
    """How well a probe tells real images of the rare class from synthetic ones: .5 is not at all.

    A classifier that is trained on both can learn "looks synthetic" in place of the disease.
    """

    n_real: int
    n_fake: int
    raw: Interval
    """ROC-AUC, cross-validated, on images as they are; the interval is DeLong's."""
    matched: Interval
    """After the resizing and encoding that all images of the benchmark go through."""
    at_gan_size: Interval
    """When real images, too, were brought to the GAN's size and up again."""
    is_warning: bool
    """Whether a classifier in the benchmark could tell the two apart (``matched`` above .75)."""


class Privacy(OfColumn):
    """What can be told of the training images from the set that is offered for download.

    Nothing here makes a set anonymous: it says what was tried and what was found.
    """

    n_fake: int
    n_members: int
    """Real images that the GAN was trained on."""
    n_others: int
    """Real images of the rare class that it has not seen, for comparison."""
    others: Literal["held-out", "test"]
    """Where those are from: the training split, or (for want of these) the test split."""
    nearest_ratio: float
    """Median distance of a synthetic image to its nearest training image, over the same for real
    images that the GAN has not seen. Well below 1: images lie closer than new patients do."""
    share_below_first_percentile: float
    """Synthetic images closer to a training image than 99% of unseen real ones are; .01 is what
    chance gives."""
    near_copies: int
    """Left out of the zip."""
    attack_by_distance: Interval | None = None
    """Membership attack: ROC-AUC of telling members from others by the distance to the nearest
    synthetic image, with its 95% interval (DeLong). .5 is chance."""
    attack_by_discriminator: Interval | None = None
    """The same by the discriminator's scores, which never leave the service; null where there are
    none."""
    epsilon: float | None = None
    """Of differential privacy, when the GAN was trained with it."""
    delta: float | None = None


class ScreeningSummary(OfColumn):
    """What the screen did with the images that were drawn."""

    drawn: int
    kept: int
    needed: int
    rejected: dict[str, int]
    """By reason, see ``REJECTED_BECAUSE``."""
    is_short: bool
    """Whether fewer were kept than were needed; the classifiers then see fewer."""


class UpscalerFidelity(_Plain):
    """How well real images of this data set survive being made small and upscaled again."""

    engine: str
    size_from: int
    size_to: int
    n: int
    psnr: Interval
    """dB, mean and standard deviation over images."""
    ssim: Interval
    psnr_lanczos: Interval
    ssim_lanczos: Interval


class LeakPair(_Plain):
    """Two images that are the same, or nearly."""

    kind: Literal["exact", "near"]
    rms: float
    """Of 32 × 32 thumbnails, grey levels."""
    splits: list[str]
    classes: list[str]
    entries: list[int]
    """Numbers of the two entries in the archive, counted from 1."""


class Leaks(_Plain):
    """Images that occur twice in the data set."""

    exact: int
    near: int
    across_splits: int
    across_classes: int
    is_complete: bool
    training_images_of_test: int
    """Training images that are the same as a test image, or nearly."""
    left_out: bool
    """Whether these were kept out of every training."""
    pairs: list[LeakPair] = Field(default_factory=list)
    """The gravest first: across splits, then across classes, then the closest; at most 50."""


class RatioPoint(OfColumn):
    """One ratio of synthetic to real images, tried in one run."""

    classifier: str
    seed: int
    ratio: float
    n_fake: int
    heldout_roc_auc: float
    """On held-out real training images, by cross-fitting: what the ratio was chosen by."""
    roc_auc: float | None
    """On the test images: to look at, chosen by nothing."""
    moved_balanced_accuracy: float | None
    is_chosen: bool
