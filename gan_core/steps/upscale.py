"""upscale: the GAN's images are brought to their final size."""

from __future__ import annotations

import shutil

import numpy as np

from gan_core.steps.context import Output, StepContext
from gan_core.upscaling import create, upscale_set


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, size, size, 3]) and ``upscaler.json``."""
    engine = context.params["engine"]
    upscaler = create(
        engine,
        cache_dir=context.settings.cache_dir,
        weights=context.settings.realesrgan_weights if engine == "realesrgan" else None,
        device=context.settings.torch_device(),
    )
    images = np.load(context.inputs["generate"] / "images.npy", mmap_mode="r", allow_pickle=False)
    # Built among the checkpoints, so that an interrupted step goes on where it was.
    done = context.checkpoints / "images.npy"
    upscale_set(
        upscaler,
        images,
        done,
        size=context.params["size"],
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    shutil.copyfile(done, context.outputs / "images.npy")
    context.write_json(
        "upscaler.json", {"engine": upscaler.name, "fingerprint": upscaler.fingerprint}
    )
    return [Output("images.npy"), Output("upscaler.json")]
