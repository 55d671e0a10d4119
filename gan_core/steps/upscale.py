"""upscale: the GAN's images are brought to their final size."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from gan_core.resumable import publish
from gan_core.spec.errors import GraftError
from gan_core.steps.context import Output, StepContext, StepSettings
from gan_core.upscaling import Upscaler, create, upscale_set


def _check_weights(weights: Path | None, expected: str | None) -> None:
    """See that this machine has the weights that the step's key was made with."""
    found = None
    if weights is not None and weights.is_file():
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise GraftError(
            "weights_mismatch",
            "This worker's Real-ESRGAN weights are not those that the job was planned with.",
            "Give the API and every worker the same GRAFT_REALESRGAN_WEIGHTS, then run it again.",
        )


def upscaler_of(params: dict[str, Any], settings: StepSettings) -> Upscaler:
    """Make the upscaler that a step's parameters name.

    Args:
        params: ``engine``, and ``weights_sha256`` where it runs an operator's own weights.
        settings: Of this machine.

    Raises:
        GraftError: ``weights_mismatch``; and as ``gan_core.upscaling.create``.
    """
    engine = params["engine"]
    weights = settings.realesrgan_weights if engine == "realesrgan" else None
    _check_weights(weights, params.get("weights_sha256"))
    return create(
        engine, cache_dir=settings.cache_dir, weights=weights, device=settings.torch_device()
    )


def run(context: StepContext) -> list[Output]:
    """Write ``images.npy`` (uint8 [N, size, size, 3]) and ``upscaler.json``.

    With the parameter ``first`` it is the first so many of the input's images.
    """
    upscaler = upscaler_of(context.params, context.settings)
    images = np.load(context.inputs["generate"] / "images.npy", mmap_mode="r", allow_pickle=False)
    images = images[: context.params.get("first")]
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
    publish(done, context.outputs / "images.npy")
    context.write_json(
        "upscaler.json", {"engine": upscaler.name, "fingerprint": upscaler.fingerprint}
    )
    return [Output("images.npy"), Output("upscaler.json")]
