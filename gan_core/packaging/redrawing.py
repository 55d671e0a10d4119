"""Images drawn once more, as a zip's manifest says that they were. Nothing in it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gan_core.packaging.data import NO_UPSCALER
from gan_core.packaging.sizes import greyed, resized
from gan_core.spec.errors import GraftError
from gan_core.spec.images import ImagesSpec, drawing_of

if TYPE_CHECKING:
    import torch

    from gan_core.generating import TrainedGenerator


Regenerate = Callable[[Path, Sequence[int], dict[str, Any]], NDArray[np.uint8]]
"""(a generator's file, numbers, its entry in the manifest) → uint8 [N, S, S, 3].

The numbers are seeds; or, of a model whose images lie on the way from one seed to another, places
on that way.
"""


def regenerator(
    *,
    cache_dir: Path,
    device: str | torch.device = "cpu",
    realesrgan_weights: Path | None = None,
) -> Regenerate:
    """Return a function that makes images again as the job did.

    Args:
        cache_dir: Where converted upscaler weights are kept.
        device: Where to compute; equal bits need the same kind of machine as the job's.
        realesrgan_weights: The operator's own weights, when the job used them.
    """

    def regenerate(path: Path, numbers: Sequence[int], model: dict[str, Any]) -> NDArray[np.uint8]:
        from gan_core.generating import TrainedGenerator
        from gan_core.upscaling import create

        def finished(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
            sized = resized(images, model["output_size"])
            return greyed(sized) if model.get("is_grey") is True else sized

        engine = model["upscale"]["engine"]
        images = redrawn(
            TrainedGenerator.load(path), numbers, model.get("drawing") or {}, device=device
        )
        if engine == NO_UPSCALER:
            return finished(images)
        weights = realesrgan_weights if engine == "realesrgan" else None
        upscaler = create(engine, cache_dir=cache_dir, weights=weights, device=device)
        if upscaler.fingerprint != model["upscale"].get("fingerprint"):
            raise GraftError(
                "upscaler_differs",
                "The upscaler here has other weights or settings than the one that the manifest"
                " names.",
                "Verify with the version and on the kind of machine that made the zip.",
            )
        upscaled = upscaler.upscale(images, size=model["upscale"]["size"])
        return finished(upscaled)

    return regenerate


def redrawn(
    model: TrainedGenerator,
    numbers: Sequence[int],
    drawing: Mapping[str, Any],
    *,
    device: str | torch.device = "cpu",
) -> NDArray[np.uint8]:
    """Return images of a model, uint8 [N, S, S, 3].

    Args:
        model: What they were made with.
        numbers: Their seeds; or, with "interpolate", their places on the way.
        drawing: ``ModelFacts.drawing``.
        device: Where to compute.

    Raises:
        GraftError: ``drawing_unreadable``; or the model cannot draw them so.
    """
    from gan_core.generating import generate
    from gan_core.interpolating import generate_between

    try:
        asked = ImagesSpec.model_validate(dict(drawing))
    except ValidationError:
        raise GraftError(
            "drawing_unreadable",
            "The manifest says in a way that this version cannot read how the images were drawn.",
            "Verify with the version that made the zip.",
        ) from None
    how = drawing_of(asked.model_dump())
    way = asked.interpolate
    how.pop("interpolate", None)
    if way is None:
        return generate(model, numbers, device=device, **how)
    if any(not 0 <= number < way.steps for number in numbers):
        raise GraftError("drawing_unreadable", "An image lies beyond the end of its way.")
    ends = (way.from_seed, way.to_seed, way.steps)
    made = list(generate_between(model, *ends, positions=numbers, device=device, **how))
    return np.concatenate(made)
