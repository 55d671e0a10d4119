"""generate: a trained generator draws images, each from a seed of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.generating import TrainedGenerator, generate_batches
from gan_core.interpolating import generate_between
from gan_core.progress import Progress
from gan_core.resumable import ResumableArray, publish
from gan_core.steps.context import Output, StepContext, model_in


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, S, S, 3]) and ``seeds.npy`` (int64 [N])."""
    model_file = model_in(context.inputs["train"])
    model = TrainedGenerator.load(model_file)
    device = context.settings.torch_device()
    seeds, batches_from = _drawn(context, model)
    count = len(seeds)
    # Built among the checkpoints, so that an interrupted step goes on where it was.
    made = context.checkpoints / "images.npy"
    with model_file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with ResumableArray(
        made,
        (count, model.image_size, model.image_size, 3),
        np.uint8,
        f"{sha256} {json.dumps(context.params, sort_keys=True)} {device.type}",
    ) as images:
        for batch in batches_from(images.done):
            images.put(batch)
            done = images.done
            context.on_progress(Progress(done / count, f"{model.gan}, image {done}/{count}"))
    publish(made, context.outputs / "images.npy")
    np.save(context.outputs / "seeds.npy", np.array(seeds, dtype=np.int64), allow_pickle=False)
    return [Output("images.npy"), Output("seeds.npy")]


def _drawn(
    context: StepContext, model: TrainedGenerator
) -> tuple[range | list[int], Callable[[int], Iterator[NDArray[np.uint8]]]]:
    """Return the seed of each image, and a function that makes the images from a place on.

    All images on the way from one seed to another have the seed that it begins with.
    """
    params = context.params
    how: dict[str, Any] = {
        **{name: params.get(name) for name in ("truncation", "category", "codes")},
        "device": context.settings.torch_device(),
        "should_stop": context.should_stop,
    }
    if (way := params.get("interpolate")) is not None:
        first, last, steps = way["from_seed"], way["to_seed"], way["steps"]
        return [first] * steps, lambda done: generate_between(
            model, first, last, steps, positions=range(done, steps), **how
        )
    seeds: range | list[int]
    if "seeds" in params:
        seeds = list(params["seeds"])
    else:
        seeds = range(params["first_seed"], params["first_seed"] + params["count"])
    return seeds, lambda done: generate_batches(model, seeds[done:], **how)
