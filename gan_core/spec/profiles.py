"""The three profiles, and how a spec is filled in from one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from gan_core.spec.errors import GraftError
from gan_core.spec.gan_settings import without_defaults
from gan_core.spec.job import GanName, GanSpec, StudySpec
from gan_core.spec.recommend import RULES, as_gans, reasons, recommend
from gan_core.spec.speeds import Speeds

# The study's own schedule; 250 and 300 are not stated there and are ours.
_STUDY_SCHEDULE: list[dict[str, Any]] = [
    {"up_to": 10, "batch_size": 8, "epochs": 1000},
    {"up_to": 50, "batch_size": 16, "epochs": 1500},
    {"up_to": 100, "batch_size": 64, "epochs": 2000},
    {"up_to": 300, "batch_size": 128, "epochs": 3000},
    {"up_to": None, "batch_size": 128, "epochs": 3500},
]

# About 5,000 images whatever the real count: a minute and a half on two CPU cores, after which
# FastGAN's samples look like what they were learnt from (docs/results.md).
_QUICK_FASTGAN_SCHEDULE: list[dict[str, Any]] = [
    {"up_to": 10, "batch_size": 8, "epochs": 500},
    {"up_to": 50, "batch_size": 8, "epochs": 100},
    {"up_to": 100, "batch_size": 8, "epochs": 50},
    {"up_to": 200, "batch_size": 8, "epochs": 25},
    {"up_to": 500, "batch_size": 8, "epochs": 10},
    {"up_to": None, "batch_size": 8, "epochs": 5},
]

# About 800 steps of 8 images: a minute on two CPU cores for InfoGAN at 48 pixels, which then still
# draws blotches of colour.
_QUICK_SCHEDULE: list[dict[str, Any]] = [
    {"up_to": 10, "batch_size": 8, "epochs": 400},
    {"up_to": 50, "batch_size": 8, "epochs": 115},
    {"up_to": 100, "batch_size": 8, "epochs": 62},
    {"up_to": 200, "batch_size": 8, "epochs": 32},
    {"up_to": 500, "batch_size": 8, "epochs": 13},
    {"up_to": None, "batch_size": 8, "epochs": 7},
]


def _few_shot_schedule(batch_size: int) -> list[dict[str, Any]]:
    """About 400,000 images shown, as FastGAN and StyleGAN2 with DiffAugment take on 100 images."""
    epochs = {10: 20_000, 50: 8000, 100: 4000, 200: 2000, 500: 800, None: 400}
    return [{"up_to": n, "batch_size": batch_size, "epochs": epochs[n]} for n in epochs]


def _gan(
    name: str, size: int, schedule: list[dict[str, Any]], ema_decay: float | None, snapshots: int
) -> dict[str, Any]:
    return {
        "name": name,
        "image_size": size,
        "schedule": schedule,
        "ema_decay": ema_decay,
        "snapshots": snapshots,
    }


PROFILES: dict[str, dict[str, Any]] = {
    "quick": {
        "real_counts": [50, 200],
        "gans": [
            {
                "name": "fastgan",
                "image_size": 64,
                "settings": {"width": 16},
                "schedule": _QUICK_FASTGAN_SCHEDULE,
                "ema_decay": 0.99,
                "snapshots": 4,
            }
        ],
        "balance_to": 400,
        # Closest to the originals on real images at both sizes tried (docs/results.md).
        "upscale": {"engine": "lanczos", "size": 224},
        "benchmark": {
            "classifiers": ["probe", "seed-cnn"],
            "augmented_copies": 1,
            # The CNN takes most of the time: the two arms that tell most, and the GAN's.
            "seed_cnn": {
                "epochs": 1,
                "batch_size": 8,
                "arms": ["real-only", "class-weights", "gan"],
            },
        },
    },
    "seed": {
        "real_counts": [10, 50, 100, 200, 250, 300, 500, "all"],
        "gans": [
            {
                "name": "infogan",
                "image_size": 112,
                "schedule": _STUDY_SCHEDULE,
                "ema_decay": None,
                "snapshots": 4,
                # As the study did: it looked at nothing on the way.
                "keep": "last",
            }
        ],
        "balance_to": "full-class",
        "upscale": {"engine": "realesrgan", "size": 224},
        "benchmark": {
            "classifiers": ["seed-cnn", "probe"],
            "seed_cnn": {"epochs": 30, "batch_size": 8},
        },
    },
    "best": {
        # Its GANs are chosen: gan_core.spec.recommend.
        "real_counts": [10, 50, 100, 200, 500, "all"],
        "balance_to": "full-class",
        # As above; and it adds no texture that a classifier could mistake for a sign of disease.
        "upscale": {"engine": "lanczos", "size": 224},
        "benchmark": {
            "classifiers": ["seed-cnn", "probe"],
            "subsets": [0, 1, 2, 3, 4],
            "seeds": [0],
            "seed_cnn": {"epochs": 30, "batch_size": 8},
        },
        "screen": {"draw": 4, "label": True, "off_manifold": True, "diverse": True},
    },
}

_BEST_COMMON: dict[str, Any] = {"ema_decay": 0.999, "snapshots": 16}
_BEST_GANS = [
    _gan("infogan", 112, _STUDY_SCHEDULE, **_BEST_COMMON),
    _gan("dcgan", 64, _few_shot_schedule(64), 0.999, 16),
    # Its batches at each size, 32 to 16, are its own; what comes is cut into them.
    _gan("pggan", 128, _few_shot_schedule(32), 0.999, 16),
    _gan("fastgan", 128, _few_shot_schedule(8), 0.999, 16),
    _gan("stylegan2", 128, _few_shot_schedule(16), 0.999, 16),
]
_STUDY_SCHEDULE_OF_32 = [
    {**row, "batch_size": min(32, row["batch_size"])} for row in _STUDY_SCHEDULE
]

ASKED_FOR: dict[str, list[dict[str, Any]]] = {
    # As short as InfoGAN's there; on a CPU they take longer all the same.
    "quick": [
        _gan("infogan", 48, _QUICK_SCHEDULE, 0.98, 3),
        *(_gan(name, 32, _QUICK_SCHEDULE, 0.98, 3) for name in ("dcgan", "pggan", "stylegan2")),
    ],
    # PGGAN: the sibling study's sizes and batches. It states no epochs; they are the study's.
    "seed": [
        _gan("pggan", 256, _STUDY_SCHEDULE_OF_32, None, 4) | {"keep": "last"},
        _gan("dcgan", 112, _STUDY_SCHEDULE, None, 4) | {"keep": "last"},
        *_BEST_GANS[3:],
    ],
    "best": [gan | {"stop_early": True} for gan in _BEST_GANS],
}
"""How a profile trains GANs that it does not train unless they are asked for by name."""

SpecT = TypeVar("SpecT", bound=StudySpec)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``over`` on ``base``, object by object; lists are replaced whole."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = _merged(below, value)
        else:
            result[name] = value
    return result


def _gan_defaults(profile: str, name: str) -> dict[str, Any]:
    for gan in (*PROFILES[profile].get("gans", []), *ASKED_FOR[profile]):
        if gan["name"] == name:
            return dict(gan)
    return {}


def profile_trainings(
    device: Literal["cpu", "gpu"],
) -> list[tuple[GanName, int, int, dict[str, Any]]]:
    """Return (GAN, image size, batch size, settings) of what profiles train on a kind of device.

    The batch size is that for 100 real images. What is trained without being asked for comes first.
    """
    by_itself = [gan for profile in PROFILES.values() for gan in profile.get("gans", [])]
    asked_for = [gan for gans in ASKED_FOR.values() for gan in gans]
    specs = [GanSpec.model_validate(gan) for gan in (*by_itself, *asked_for)]
    found = [
        (gan.name, gan.image_size, gan.schedule_for(100)[0], gan.own_settings()) for gan in specs
    ]
    chosen = [
        (rule.gan, rule.image_size, rule.batch_size, dict(rule.settings))
        for rule in RULES
        if rule.device == device and rule.gan is not None
    ]
    everything = [*found[:1], *chosen, *found[1:]]
    return [one for place, one in enumerate(everything) if one not in everything[:place]]


def resolve(
    spec: SpecT,
    class_counts: Mapping[str, int],
    *,
    data_size: int | None = None,
    speeds: Speeds | None = None,
) -> SpecT:
    """Return the spec with every default filled in for one data set.

    Args:
        spec: What a person asked for.
        class_counts: Training images of each class.
        data_size: Side in pixels at which the data set is kept; null: not known.
        speeds: The devices at hand and what was measured on them, by which the profile ``best``
            chooses; null: nothing is known of any, and it chooses as for a GPU.

    Returns:
        The same kind of spec, with the rare class named, the profile's values laid under what
        was given by hand, and the profile's real counts cut to what the data set has. The result
        resolves to itself, whatever the device.

    Raises:
        GraftError: ``unknown_class``, ``real_count_too_large``, ``unknown_real_count``,
            ``gan_twice``, or ``does_not_fit`` when what was given is refused together with the
            profile's values.
    """
    profile = PROFILES[spec.profile]
    given = spec.model_dump(exclude_unset=True)
    merged = _merged(profile, given)
    if given.get("gans") is not None:
        merged["gans"] = [_merged(_gan_defaults(spec.profile, g["name"]), g) for g in given["gans"]]
    for gan in merged.get("gans", []):
        # An empty schedule given by hand means the profile's, too.
        if not gan.get("schedule"):
            gan["schedule"] = _gan_defaults(spec.profile, gan["name"]).get("schedule", [])
        _drop_what_holds_anyway(gan, _gan_defaults(spec.profile, gan["name"]).get("settings", {}))
        if gan.get("privacy") is not None:
            # Only a profile can have asked for anything else: by hand it is refused.
            gan |= {"keep": "last", "stop_early": False}

    rare_class = _rare_class(merged.get("rare_class"), class_counts)
    merged["rare_class"] = rare_class
    available = class_counts[rare_class]
    merged["real_counts"] = _real_counts(merged, available, rare_class, "real_counts" in given)
    if "gans" not in merged:
        others = sum(class_counts.values()) - available
        _choose(merged, available, others, data_size, speeds)
    _fit_gans(merged, available)
    try:
        return type(spec).model_validate(merged)
    except ValidationError as error:
        raise _does_not_fit(error, spec.profile) from error


def _drop_what_holds_anyway(gan: dict[str, Any], of_profile: Mapping[str, Any]) -> None:
    """Drop settings that are the kind's defaults, but for those that overrule the profile's."""
    given = gan.get("settings")
    if given:
        dropped = given.keys() - without_defaults(gan["name"], given).keys() - of_profile.keys()
        gan["settings"] = {name: given[name] for name in given if name not in dropped}


def _does_not_fit(error: ValidationError, profile: str) -> GraftError:
    """Tell of fields that pass by themselves, and not beside what the profile fills in."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return GraftError(
        "does_not_fit",
        f"With the values of the profile {profile!r} filled in, {field or 'the job'} was refused:"
        f" {first['msg'].removeprefix('Value error, ')}.",
        "Give the fields that it speaks of by hand: what is given wins over the profile.",
    )


def _rare_class(asked: str | None, class_counts: Mapping[str, int]) -> str:
    if asked is None:
        return min(class_counts, key=lambda name: (class_counts[name], name))
    if asked not in class_counts:
        raise GraftError(
            "unknown_class",
            f"The data set has no class {asked!r}.",
            f"Its classes are: {', '.join(sorted(class_counts))}.",
        )
    return asked


def _real_counts(
    merged: Mapping[str, Any], available: int, rare_class: str, is_given: bool
) -> list[int | str]:
    counts: list[int | str] = list(merged["real_counts"])
    if is_given:
        for count in counts:
            if isinstance(count, int) and count > available:
                raise GraftError(
                    "real_count_too_large",
                    f"A real count of {count} was asked for, but the class {rare_class!r} has"
                    f" {available} training images.",
                    f'Ask for at most {available}, or for "all".',
                )
    else:
        fitting = [c for c in counts if isinstance(c, str) or c <= available]
        counts = fitting or ["all"]
    # A number that is all there are is the same column as "all": nothing is done twice.
    return [c for c in counts if c != available] if "all" in counts else counts


def _choose(
    merged: dict[str, Any],
    available: int,
    other_images: int,
    data_size: int | None,
    speeds: Speeds | None,
) -> None:
    """Fill in the GANs that are recommended, and why."""
    device = None if speeds is None else speeds.device()
    found = [
        recommend(
            asked,
            available if asked == "all" else asked,
            other_images=other_images,
            data_size=data_size,
            device=device,
            speeds=speeds,
        )
        for asked in merged["real_counts"]
    ]
    merged["gans"] = as_gans(found, _BEST_COMMON | {"stop_early": True})
    merged["chosen_because"] = reasons(found)


def _fit_gans(merged: Mapping[str, Any], available: int) -> None:
    """Name the real counts of each GAN as the job names them.

    Raises:
        GraftError: ``unknown_real_count`` or ``gan_twice``.
    """
    counts: list[int | str] = merged["real_counts"]
    for gan in merged["gans"]:
        if gan.get("real_counts") is None:
            continue
        asked = ["all" if c == available and "all" in counts else c for c in gan["real_counts"]]
        for count in asked:
            if count not in counts:
                raise GraftError(
                    "unknown_real_count",
                    f"{gan['name']} was asked for at a real count of {count}, which the job does"
                    " not have.",
                    f"Its real counts are: {', '.join(map(str, counts))}.",
                )
        gan["real_counts"] = list(dict.fromkeys(asked))
    for one, other in combinations(merged["gans"], 2):
        ours, theirs = one.get("real_counts") or counts, other.get("real_counts") or counts
        twice = [count for count in ours if one["name"] == other["name"] and count in theirs]
        if twice:
            raise GraftError(
                "gan_twice",
                f"{one['name']} was asked for twice at a real count of {twice[0]}"
                + (f', which is {available} here as well as "all".' if "all" in twice else "."),
                "Ask for it once for each real count.",
            )
