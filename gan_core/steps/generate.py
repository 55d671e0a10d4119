"""generate: a trained generator draws images, each from a seed of its own."""

from __future__ import annotations

import hashlib

import numpy as np

from gan_core.generating import TrainedGenerator, generate_batches
from gan_core.progress import Progress
from gan_core.resumable import ResumableArray, publish
from gan_core.steps.context import Output, StepContext, model_in


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, S, S, 3]) and ``seeds.npy`` (int64 [N])."""
    model_file = model_in(context.inputs["train"])
    model = TrainedGenerator.load(model_file)
    device = context.settings.torch_device()
    first, count = context.params["first_seed"], context.params["count"]
    seeds = range(first, first + count)
    # Built among the checkpoints, so that an interrupted step goes on where it was.
    made = context.checkpoints / "images.npy"
    with model_file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with ResumableArray(
        made,
        (count, model.image_size, model.image_size, 3),
        np.uint8,
        f"{sha256} {first} {count} {device.type}",
    ) as images:
        batches = generate_batches(
            model, seeds[images.done :], device=device, should_stop=context.should_stop
        )
        for batch in batches:
            images.put(batch)
            done = images.done
            context.on_progress(Progress(done / count, f"{model.gan}, image {done}/{count}"))
    publish(made, context.outputs / "images.npy")
    np.save(context.outputs / "seeds.npy", np.array(seeds, dtype=np.int64), allow_pickle=False)
    return [Output("images.npy"), Output("seeds.npy")]
