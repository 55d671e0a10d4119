"""A small package that is made in a moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.packaging import ModelFacts, PackageFacts, SyntheticImage, write_zip

MODEL = "ab" * 32


@pytest.fixture
def facts() -> PackageFacts:
    return PackageFacts(
        version="0.1.0",
        created_at="2026-01-02T03:04:05Z",
        rare_class="malignant",
        dataset_digest="cd" * 32,
        dataset_classes={
            "benign": {"train": 40, "test": 10},
            "malignant": {"train": 20, "test": 5},
        },
        is_phantom=False,
        spec={"profile": "quick", "screen": {"near_copies": True}},
        environment={"torch": "2.15.0"},
        steps={"train:infogan:10:s0": "ef" * 32},
        models=[
            ModelFacts(
                sha256=MODEL,
                gan="infogan",
                real_count=10,
                real_count_label="10",
                subset=0,
                train_step="train:infogan:10:s0",
                card={"gan": "infogan", "step": 7},
                upscale={"engine": "lanczos", "size": 32, "fingerprint": "00"},
                output_size=32,
            )
        ],
        near_copy_rms=8.0,
        verdicts=["It is not known whether they help."],
    )


def _drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.fixture
def draw() -> Callable[[int], np.ndarray]:
    """Stands in for a generator: one image a seed."""
    return _drawn


@pytest.fixture
def make_image() -> Callable[..., SyntheticImage]:
    def make(seed: int, **changes: Any) -> SyntheticImage:
        values: dict[str, Any] = {
            "class_name": "malignant",
            "id": f"infogan-10-s0-{seed:06d}",
            "pixels": _drawn(seed),
            "seed": seed,
            "model": MODEL,
            "gan": "infogan",
            "real_count": 10,
            "real_count_label": "10",
            "subset": 0,
            "screening": {"near_copy_rms": 20.5 + seed},
        }
        return SyntheticImage(**(values | changes))

    return make


@pytest.fixture
def package(tmp_path: Path, facts: PackageFacts, make_image: Callable[..., SyntheticImage]) -> Path:
    """A sound zip of 12 images."""
    path = tmp_path / "synthetic.zip"
    write_zip(path, images=(make_image(seed) for seed in range(12)), facts=facts)
    return path


@pytest.fixture
def redraw() -> Callable[[Path, Sequence[int], dict[str, Any]], np.ndarray]:
    def regenerate(_: Path, seeds: Sequence[int], __: dict[str, Any]) -> np.ndarray:
        return np.stack([_drawn(seed) for seed in seeds])

    return regenerate
