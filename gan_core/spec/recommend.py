"""What the profile ``best`` trains: by real count, data set and device, with the reasons.

``RULES`` is the whole of the knowledge; everything below it is arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gan_core.spec.device import DeviceFacts
from gan_core.spec.job import DOUBLED_IMAGE_SIZES, GanName
from gan_core.spec.speeds import Speeds, training

FEW_REAL_IMAGES = 50
"""Fewer than this: the literature finds that GANs harm as often as they help."""

Pretrain = Literal["none", "other-classes", "all-classes"]


@dataclass(frozen=True)
class Rule:
    """What to train from so many real images on, on one kind of device.

    Attributes:
        device: Which.
        from_count: Holds from this real count up to the next rule's.
        gan: Null: none.
        image_size: Pixels; less where the data set is kept smaller.
        batch_size: Images a step; half of it on a GPU with little memory.
        images_shown: How many real images the GAN is shown in all; of the other classes as many
            before, where it is pretrained.
        settings: Other than the GAN's own, which see images through DiffAugment.
        pretrain_from: With at least so many images of other classes it learns on those first.
        because: A sentence for the person who asked, with its source.
    """

    device: Literal["cpu", "gpu"]
    from_count: int
    gan: GanName | None
    because: str
    image_size: int = 0
    batch_size: int = 0
    images_shown: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    pretrain_from: int | None = None


_TOO_FEW = (
    "on fewer than about 50 real images GANs are found to harm a classifier as often as they help"
    " it; class weights and oversampling are measured instead. Name a GAN to train it all the same."
)

RULES: tuple[Rule, ...] = (
    Rule("gpu", 2, None, _TOO_FEW),
    Rule(
        "gpu",
        FEW_REAL_IMAGES,
        "fastgan",
        "FastGAN was made for so few images: FID 41/27/10 on sets of 100 (Liu 2021).",
        image_size=128,
        batch_size=8,
        images_shown=400_000,
        pretrain_from=200,
    ),
    Rule(
        "gpu",
        200,
        "stylegan2",
        "StyleGAN2 with DiffAugment gains most from each further image (Zhao 2020).",
        image_size=128,
        batch_size=16,
        images_shown=400_000,
        pretrain_from=200,
    ),
    Rule("cpu", 2, None, _TOO_FEW),
    Rule(
        "cpu",
        FEW_REAL_IMAGES,
        "fastgan",
        "of the GANs made for few images FastGAN gets farthest in the time that a CPU has; a"
        " quarter of its width is a sixth of its cost (docs/results.md).",
        image_size=64,
        batch_size=8,
        images_shown=400_000,
        settings={"width": 16},
    ),
)

CPU_SECONDS_A_TRAINING = 30 * 60.0
# Lengths are cut to one of these: a speed measured a little anew must not make other steps of a
# job that was planned before.
_LADDER = (400_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000)
_LITTLE_MEMORY = 6 * 2**30
_LEAST_BATCH = 4


@dataclass(frozen=True)
class Recommendation:
    """What to train at one real count, and why.

    Attributes:
        asked: The real count as the job names it.
        gan: Null: none.
        images_shown: By which ``epochs`` and ``pretrain_epochs`` come about.
        reasons: Plain sentences.
    """

    asked: int | str
    gan: GanName | None
    reasons: tuple[str, ...]
    image_size: int = 0
    batch_size: int = 0
    epochs: int = 0
    images_shown: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    pretrain: Pretrain = "none"
    pretrain_epochs: int | None = None


def recommend(
    asked: int | str,
    real_count: int,
    *,
    other_images: int,
    data_size: int | None = None,
    device: DeviceFacts | None = None,
    speeds: Speeds | None = None,
) -> Recommendation:
    """Return what to train on so many real images.

    Args:
        asked: The real count as the job names it (a number or "all").
        real_count: The number itself.
        other_images: Training images of the other classes.
        data_size: Side in pixels at which the data set is kept; null: not known.
        device: Where it would be trained; null: not known, planned as for a GPU.
        speeds: What was measured; decides how long a training on a CPU may be.
    """
    kind = "gpu" if device is None else device.kind
    rule = max(
        (rule for rule in RULES if rule.device == kind and rule.from_count <= max(2, real_count)),
        key=lambda rule: rule.from_count,
    )
    if rule.gan is None:
        return Recommendation(asked, None, (f"no GAN: {rule.because}",))
    size = _image_size(rule, data_size)
    batch_size = _batch_size(rule, real_count, device)
    reasons = [f"{_named(rule.gan)} at {size} pixels: {rule.because}"]
    if "augment" not in rule.settings:
        reasons.append(
            "the discriminator sees images through DiffAugment, without which it learns so few"
            " by heart (Zhao 2020)."
        )
    pretrain = _pretrain(rule, other_images)
    if pretrain != "none":
        reasons.append(
            f"it learns on the {other_images} images of the other classes first, then turns to the"
            " rare one (Su 2024: FID 16% better, recall 33%)."
        )
    shown = rule.images_shown
    if kind == "cpu":
        workload = training(rule.gan, size, batch_size, shown, rule.settings)
        seconds = (speeds or Speeds()).seconds_per_unit("gpu", workload)
        shown = next((n for n in _LADDER if n * seconds <= CPU_SECONDS_A_TRAINING), _LADDER[-1])
        shown = min(shown, rule.images_shown)
    reasons.append(_length(shown, rule.images_shown, device))
    return Recommendation(
        asked,
        rule.gan,
        tuple(reasons),
        image_size=size,
        batch_size=batch_size,
        epochs=min(100_000, max(1, round(shown / real_count))),
        images_shown=shown,
        settings=dict(rule.settings),
        pretrain=pretrain,
        pretrain_epochs=None if pretrain == "none" else max(1, round(shown / other_images)),
    )


def _image_size(rule: Rule, data_size: int | None) -> int:
    if data_size is None:
        return rule.image_size
    fitting = [size for size in DOUBLED_IMAGE_SIZES if size <= min(rule.image_size, data_size)]
    return max(fitting, default=DOUBLED_IMAGE_SIZES[0])


def _batch_size(rule: Rule, real_count: int, device: DeviceFacts | None) -> int:
    memory = None if device is None or device.kind == "cpu" else device.memory_bytes
    is_little = memory is not None and memory < _LITTLE_MEMORY
    batch_size = max(_LEAST_BATCH, rule.batch_size // 2) if is_little else rule.batch_size
    return min(batch_size, real_count)


def _pretrain(rule: Rule, other_images: int) -> Pretrain:
    has_enough = rule.pretrain_from is not None and other_images >= rule.pretrain_from
    return "other-classes" if has_enough else "none"


def _length(shown: int, wanted: int, device: DeviceFacts | None) -> str:
    told = f"{shown:,} images are shown to it in all"
    if shown >= wanted:
        return f"{told}, about as many as the papers show."
    name = "the CPU" if device is None else device.name
    return (
        f"{told}, since a training on {name} is held to {CPU_SECONDS_A_TRAINING / 60:.0f} minutes;"
        f" the papers show about {wanted:,}. Its images will be poor: a GPU is advised."
    )


def _named(gan: GanName) -> str:
    return {"fastgan": "FastGAN", "stylegan2": "StyleGAN2"}.get(gan, gan)


def as_gans(found: Sequence[Recommendation], common: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the GANs of some recommendations as fields of ``GanSpec``, those alike in one.

    Args:
        found: One a real count.
        common: Fields that all of them have (``ema_decay``, ``snapshots``).
    """
    groups: dict[str, tuple[dict[str, Any], list[Recommendation]]] = {}
    for one in found:
        if one.gan is not None:
            fields = _gan_fields(one)
            groups.setdefault(repr(fields), (fields, []))[1].append(one)
    return [
        {
            **common,
            **fields,
            "real_counts": [one.asked for one in members],
            "schedule": _schedule(members),
        }
        for fields, members in groups.values()
    ]


def _gan_fields(one: Recommendation) -> dict[str, Any]:
    """Return what of a recommendation ``GanSpec`` has a field for, but for its length."""
    fields: dict[str, Any] = {"name": one.gan, "image_size": one.image_size}
    if one.settings:
        fields["settings"] = one.settings
    if one.pretrain != "none":
        fields |= {"pretrain": one.pretrain, "pretrain_epochs": one.pretrain_epochs}
    return fields


def _schedule(members: Sequence[Recommendation]) -> list[dict[str, Any]]:
    """Return the rows of a schedule: one a real count, "all" last as it is the most there are."""
    numbered = sorted(
        (one for one in members if isinstance(one.asked, int)), key=lambda one: int(one.asked)
    )
    rows: list[dict[str, Any]] = [
        {"up_to": one.asked, "batch_size": one.batch_size, "epochs": one.epochs} for one in numbered
    ]
    rows += [
        {"up_to": None, "batch_size": one.batch_size, "epochs": one.epochs}
        for one in members
        if one.asked == "all"
    ]
    return rows


def reasons(found: Sequence[Recommendation]) -> list[str]:
    """Return the reasons for a person, those that hold for several real counts told once."""
    told: dict[str, list[str]] = {}
    for one in found:
        for reason in one.reasons:
            told.setdefault(reason, []).append(str(one.asked))
    return [f"{_counts(counts)}: {reason}" for reason, counts in told.items()]


def _counts(counts: Sequence[str]) -> str:
    one = len(counts) == 1
    return f"Real count{'' if one else 's'} {', '.join(counts)}"
