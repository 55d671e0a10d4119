"""generate: a trained generator draws images, each from a seed of its own."""

from __future__ import annotations

import numpy as np

from gan_core.generating import TrainedGenerator, generate
from gan_core.progress import Progress
from gan_core.steps.context import Output, StepContext, model_in

# Images in memory at once; an image is the same in whichever block it is made.
_BLOCK = 1024


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, S, S, 3]) and ``seeds.npy`` (int64 [N])."""
    model = TrainedGenerator.load(model_in(context.inputs["train"]))
    first = context.params["first_seed"]
    seeds = range(first, first + context.params["count"])
    count, size = len(seeds), model.image_size
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    with (context.outputs / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, _BLOCK):
            block = seeds[start : start + _BLOCK]

            def report(progress: Progress, start: int = start, size: int = len(block)) -> None:
                done = start + round(progress.fraction * size)
                context.on_progress(Progress(done / count, f"{model.gan}, image {done}/{count}"))

            images = generate(
                model,
                block,
                device=context.settings.torch_device(),
                on_progress=report,
                should_stop=context.should_stop,
            )
            file.write(images.data)
    np.save(context.outputs / "seeds.npy", np.array(seeds, dtype=np.int64), allow_pickle=False)
    return [Output("images.npy"), Output("seeds.npy")]
