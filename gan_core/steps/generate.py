"""generate: a trained generator draws images, each from a seed of its own."""

from __future__ import annotations

import numpy as np

from gan_core.generating import TrainedGenerator, generate
from gan_core.steps.context import Output, StepContext, model_in


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, S, S, 3]) and ``seeds.npy`` (int64 [N])."""
    model = TrainedGenerator.load(model_in(context.inputs["train"]))
    first = context.params["first_seed"]
    seeds = range(first, first + context.params["count"])
    images = generate(
        model,
        seeds,
        device=context.settings.torch_device(),
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    np.save(context.outputs / "images.npy", images, allow_pickle=False)
    np.save(context.outputs / "seeds.npy", np.array(seeds, dtype=np.int64), allow_pickle=False)
    return [Output("images.npy"), Output("seeds.npy")]
