"""control: real images of the rare class go down to a GAN's size and up, as synthetic ones do.

What a classifier gains from synthetic images may come from the traces that the upscaler leaves in
them, for only the rare class has any. With real images on the same way the traces stay and the GAN
is gone: the control that such a gain must beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core import matching
from gan_core.benchmark.subsets import nested_subset
from gan_core.features import FeatureExtractor
from gan_core.fidelity import measured
from gan_core.leaks import left_out
from gan_core.progress import Stopped, part
from gan_core.reading import PackedDataset
from gan_core.resumable import ResumableArray, publish
from gan_core.steps.context import Output, StepContext
from gan_core.steps.features import extract
from gan_core.steps.upscale import upscaler_of
from gan_core.training.fit import fit_to_size
from gan_core.upscaling import upscale_set

_BLOCK = 64
# Of the step's progress: where upscaling, features and the measurement end.
_SMALL, _UPSCALED, _EXTRACTED = 0.02, 0.75, 0.95


def run(context: StepContext) -> list[Output]:
    """Write the images that went down and up, their rows, their features and what was lost.

    ``images.npy`` uint8 [N, size, size, 3] as the upscaler leaves them; ``rows.npy`` int64 [N],
    ascending, the training rows that they are of; ``features.npy`` float32 [N, 1280], of matched
    images; ``fidelity.json``, an ``UpscalerFidelity``.
    """
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    upscaler = upscaler_of(params["upscale"], context.settings)
    rows = rows_of(dataset, params)
    small = _fitted(context, dataset, rows)
    done = context.checkpoints / "images.npy"
    images = upscale_set(
        upscaler,
        small,
        done,
        size=params["upscale"]["size"],
        on_progress=part(context.on_progress, _SMALL, _UPSCALED),
        should_stop=context.should_stop,
    )
    publish(done, context.outputs / "images.npy")
    np.save(context.outputs / "rows.npy", rows, allow_pickle=False)
    device = context.settings.torch_device()
    extract(
        FeatureExtractor(device=device),
        context,
        "features.npy",
        images,
        # Which images they are is said by the step's key, and checkpoints of another are gone.
        f"{context.key} {upscaler.fingerprint} {matching.FINGERPRINT}",
        share=(_UPSCALED, _EXTRACTED),
    )
    fidelity = measured(
        upscaler,
        dataset.images("train"),
        rows,
        small,
        images,
        device=device,
        on_progress=part(context.on_progress, _EXTRACTED, 1.0),
        should_stop=context.should_stop,
    )
    context.write_json("fidelity.json", fidelity.model_dump())
    return [
        Output("images.npy"),
        Output("rows.npy"),
        Output("features.npy"),
        Output("fidelity.json"),
    ]


def rows_of(dataset: PackedDataset, params: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the training images that any of a job's columns may use; int64, ascending.

    Args:
        dataset: The data set.
        params: ``rare_class``, ``most`` (the largest real count), ``subsets``; and ``leaks``.
    """
    labels, rare_index = dataset.labels("train"), dataset.classes.index(params["rare_class"])
    most = min(params["most"], int((labels == rare_index).sum()))
    without = left_out(dataset, params)
    # Subsets are nested: the largest count holds the others.
    chosen = [
        nested_subset(labels, rare_index, most, subset, without=without)
        for subset in params["subsets"]
    ]
    return np.unique(np.concatenate(chosen))


def _fitted(
    context: StepContext, dataset: PackedDataset, rows: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Bring rows to the GAN's side as its training images are; in a file, block by block."""
    side, images = context.params["image_size"], dataset.images("train")
    path, shape = context.checkpoints / "small.npy", (len(rows), side, side, 3)
    with ResumableArray(path, shape, np.uint8, context.key) as made:
        while made.done < len(rows):
            if context.should_stop():
                raise Stopped
            made.put(fit_to_size(images[rows[made.done : made.done + _BLOCK]], side))
    small: NDArray[np.uint8] = made.finished()
    return small
