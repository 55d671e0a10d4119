"""features: frozen ImageNet features of images as the benchmark sees them, computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_core import matching
from gan_core.features import FeatureExtractor, Prepare
from gan_core.matching import SIDE, matched
from gan_core.progress import part
from gan_core.reading import PackedDataset
from gan_core.reading.dataset import Split
from gan_core.resumable import publish
from gan_core.steps.context import Output, StepContext
from gan_core.training.fit import fit_to_size
from gan_core.upscaling.lanczos import LanczosUpscaler

Images = NDArray[np.uint8]


def run(context: StepContext) -> list[Output]:
    """Write features of matched images, float32 [N, 1280], and ``extractor.json``.

    ``train.npy`` and ``test.npy`` of a data set; with the parameter ``image_size`` it is
    ``train.npy`` alone, of images that were brought to that side and up again by a plain filter;
    with the input ``images`` it is ``features.npy``, of that step's images.
    """
    extractor = FeatureExtractor(device=context.settings.torch_device())
    prepare: Prepare = match
    key = matching.FINGERPRINT
    sets: dict[str, tuple[Images, str]]
    if "images" in context.inputs:
        path = context.inputs["images"] / "images.npy"
        # Which images they are is said by the step's key, and checkpoints of another are gone.
        sets = {"features": (np.load(path, mmap_mode="r", allow_pickle=False), context.key)}
    else:
        dataset = PackedDataset.open(context.inputs["dataset"])
        splits: tuple[Split, ...] = ("train", "test")
        if (size := context.params.get("image_size")) is not None:
            splits = ("train",)
            upscaler = LanczosUpscaler()
            prepare, key = small_first(size, upscaler), f"{key} {size} {upscaler.fingerprint}"
        sets = {split: (dataset.images(split), f"{dataset.digest} {split}") for split in splits}
    total = sum(len(images) for images, _ in sets.values())
    start = 0.0
    for name, (images, of_what) in sets.items():
        end = start + len(images) / max(total, 1)
        extract(
            extractor,
            context,
            f"{name}.npy",
            images,
            f"{of_what} {key}",
            prepare=prepare,
            share=(start, end),
        )
        start = end
    context.write_json("extractor.json", {"name": extractor.name})
    return [*(Output(f"{name}.npy") for name in sets), Output("extractor.json")]


def match(_: int, images: Images) -> Images:
    """Match a block of images; a ``Prepare``."""
    return matched(images)


def small_first(size: int, upscaler: LanczosUpscaler) -> Prepare:
    """Return what brings a block to a GAN's side in pixels and up again, then matches it."""

    def prepare(_: int, images: Images) -> Images:
        return matched(upscaler.upscale(fit_to_size(images, size), size=SIDE))

    return prepare


def extract(
    extractor: FeatureExtractor,
    context: StepContext,
    name: str,
    images: Images,
    key: str,
    *,
    prepare: Prepare = match,
    share: tuple[float, float] = (0.0, 1.0),
) -> Path:
    """Compute the features of matched images into one of a step's outputs.

    Args:
        extractor: The net.
        context: Of the step, which may be stopped and goes on.
        name: Of the output, a ``.npy`` file.
        images: uint8 [N, S, S, 3]; may be memory-mapped.
        key: Names the images and their preparation.
        prepare: What is done to them; its last part must be ``matched``.
        share: Where in the step's progress this begins and ends.

    Returns:
        The output's path.

    Raises:
        Stopped: The step was asked to stop.
        OSError: The disk is full, ...
    """
    # Built among the checkpoints, so that an interrupted step goes on where it was.
    made = context.checkpoints / name
    extractor.extract_into(
        made,
        images,
        key,
        prepare=prepare,
        on_progress=part(context.on_progress, *share),
        should_stop=context.should_stop,
    )
    publish(made, context.outputs / name)
    return context.outputs / name
