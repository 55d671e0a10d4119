"""The three profiles, and how a spec is filled in from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gan_core.spec.errors import GraftError
from gan_core.spec.job import StudySpec

# The study's own schedule; 250 and 300 are not stated there and are ours.
_STUDY_SCHEDULE: list[dict[str, Any]] = [
    {"up_to": 10, "batch_size": 8, "epochs": 1000},
    {"up_to": 50, "batch_size": 16, "epochs": 1500},
    {"up_to": 100, "batch_size": 64, "epochs": 2000},
    {"up_to": 300, "batch_size": 128, "epochs": 3000},
    {"up_to": None, "batch_size": 128, "epochs": 3500},
]

# About 800 steps of 8 images whatever the real count: a minute on two CPU cores at 48 pixels.
# After a few hundred steps the generator still draws coloured noise.
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
                "name": "infogan",
                "image_size": 48,
                "schedule": _QUICK_SCHEDULE,
                "ema_decay": 0.98,
                "snapshots": 3,
            }
        ],
        "balance_to": 400,
        # Closest to the originals on real images at both sizes tried (docs/results.md).
        "upscale": {"engine": "lanczos", "size": 224},
        "benchmark": {
            "classifiers": ["probe", "seed-cnn"],
            "seed_cnn": {"epochs": 1, "batch_size": 8},
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
        "real_counts": [10, 50, 100, 200, 500, "all"],
        "gans": [
            {
                "name": "infogan",
                "image_size": 112,
                "schedule": _STUDY_SCHEDULE,
                "ema_decay": 0.999,
                "snapshots": 16,
                "stop_early": True,
            }
        ],
        "balance_to": "full-class",
        # As above; and it adds no texture that a classifier could mistake for a sign of disease.
        "upscale": {"engine": "lanczos", "size": 224},
        "benchmark": {
            "classifiers": ["seed-cnn", "probe"],
            "subsets": [0, 1, 2, 3, 4],
            "seeds": [0],
            "seed_cnn": {"epochs": 30, "batch_size": 8},
        },
    },
}

_BEST_GANS = [
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
        _gan(name, 32, _QUICK_SCHEDULE, 0.98, 3)
        for name in ("dcgan", "pggan", "fastgan", "stylegan2")
    ],
    # PGGAN: the sibling study's sizes and batches. It states no epochs; they are the study's.
    "seed": [
        _gan("pggan", 256, _STUDY_SCHEDULE_OF_32, None, 4) | {"keep": "last"},
        _gan("dcgan", 112, _STUDY_SCHEDULE, None, 4) | {"keep": "last"},
        *_BEST_GANS[2:],
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
    for gan in (*PROFILES[profile]["gans"], *ASKED_FOR[profile]):
        if gan["name"] == name:
            return dict(gan)
    return {}


def resolve(spec: SpecT, class_counts: Mapping[str, int]) -> SpecT:
    """Return the spec with every default filled in for one data set.

    Args:
        spec: What a person asked for.
        class_counts: Training images of each class.

    Returns:
        The same kind of spec, with the rare class named, the profile's values laid under what
        was given by hand, and the profile's real counts cut to what the data set has.

    Raises:
        GraftError: ``unknown_class`` or ``real_count_too_large``.
    """
    profile = PROFILES[spec.profile]
    given = spec.model_dump(exclude_unset=True)
    merged = _merged(profile, given)
    if given.get("gans") is not None:
        merged["gans"] = [_merged(_gan_defaults(spec.profile, g["name"]), g) for g in given["gans"]]
    for gan in merged["gans"]:
        # An empty schedule given by hand means the profile's, too.
        if not gan.get("schedule"):
            gan["schedule"] = _gan_defaults(spec.profile, gan["name"]).get("schedule", [])

    rare_class = merged.get("rare_class")
    if rare_class is None:
        rare_class = min(class_counts, key=lambda name: (class_counts[name], name))
    if rare_class not in class_counts:
        raise GraftError(
            "unknown_class",
            f"The data set has no class {rare_class!r}.",
            f"Its classes are: {', '.join(sorted(class_counts))}.",
        )
    merged["rare_class"] = rare_class

    available = class_counts[rare_class]
    if "real_counts" in given:
        for count in merged["real_counts"]:
            if count != "all" and count > available:
                raise GraftError(
                    "real_count_too_large",
                    f"A real count of {count} was asked for, but the class {rare_class!r} has"
                    f" {available} training images.",
                    f'Ask for at most {available}, or for "all".',
                )
    else:
        fitting = [c for c in merged["real_counts"] if c == "all" or c <= available]
        merged["real_counts"] = fitting or ["all"]
    # A number that is all there are is the same column as "all": nothing is done twice.
    if "all" in merged["real_counts"]:
        merged["real_counts"] = [c for c in merged["real_counts"] if c != available]
    return type(spec).model_validate(merged)
