"""augment: features of classically augmented training images, for the probe to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core import augmenting, matching
from gan_core.augmenting import augmented_uint8
from gan_core.features import FeatureExtractor, Prepare
from gan_core.matching import matched
from gan_core.progress import part
from gan_core.reading import PackedDataset
from gan_core.steps.context import Output, StepContext


def run(context: StepContext) -> list[Output]:
    """Write ``train.npy``, float32 [copies, N, 1280]: features of matched, augmented images."""
    dataset = PackedDataset.open(context.inputs["dataset"])
    device = context.settings.torch_device()
    extractor = FeatureExtractor(device=device)
    images, copies = dataset.images("train"), context.params["copies"]
    parts = []
    for copy in range(copies):
        key = f"{dataset.digest} train {copy} {augmenting.FINGERPRINT} {matching.FINGERPRINT}"
        path = context.checkpoints / f"copy-{copy}.npy"
        parts.append(path)
        extractor.extract_into(
            path,
            images,
            key,
            prepare=_augment(copy, device),
            on_progress=part(context.on_progress, copy / copies, (copy + 1) / copies),
            should_stop=context.should_stop,
        )
    stack(parts, context.outputs / "train.npy")
    context.write_json("extractor.json", {"name": extractor.name})
    return [Output("train.npy"), Output("extractor.json")]


def _augment(copy: int, device: torch.device) -> Prepare:
    def prepare(first: int, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seeds = seeds_of(copy, np.arange(first, first + len(block)))
        return matched(augmented_uint8(block, seeds, device=device))

    return prepare


def seeds_of(copy: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the augmentation's seed of each training image's copy; int64 [n].

    Neither the number of images nor that of copies moves it.
    """
    return (np.int64(copy) << 32) + rows


def stack(parts: Sequence[Path], target: Path) -> None:
    """Write arrays of one shape, each in a ``.npy`` file, as one with a new first axis.

    Written, not mapped: a full disk is then an ordinary error.

    Raises:
        OSError: The disk is full, ...
    """
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in parts]
    with target.open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(arrays[0].dtype),
            "fortran_order": False,
            "shape": (len(arrays), *arrays[0].shape),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for array in arrays:
            for start in range(0, len(array), 4096):
                file.write(np.ascontiguousarray(array[start : start + 4096]).data)
