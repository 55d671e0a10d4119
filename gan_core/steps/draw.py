"""draw: a few images at once: generate, upscale and package in one process.

For somebody who waits at a screen: three processes would take longer to start than to work.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from gan_core.progress import part
from gan_core.steps import generate, package
from gan_core.steps.context import Output, StepContext


def run(context: StepContext) -> list[Output]:
    """Leave what ``package`` leaves; nothing else gets out, since it was not screened."""
    params, label = context.params, context.params["label"]
    images = _stage(context, "generate")
    generate.run(
        replace(
            context,
            params=params["generate"],
            inputs={"train": context.inputs[_label_of("train", label)]},
            outputs=images,
            on_progress=part(context.on_progress, 0.0, 0.5),
        )
    )
    inputs = {**context.inputs, _label_of("generate", label): images}
    if params["upscale"]:
        from gan_core.steps import upscale

        upscaled = inputs[_label_of("upscale", label)] = _stage(context, "upscale")
        upscale.run(
            replace(
                context,
                params=params["upscale"],
                inputs={"generate": images},
                outputs=upscaled,
                checkpoints=_stage(context, "upscale-checkpoints"),
                on_progress=part(context.on_progress, 0.5, 0.8),
            )
        )
    return package.run(
        replace(
            context,
            params=params["package"],
            inputs=inputs,
            on_progress=part(context.on_progress, 0.8, 1.0),
        )
    )


def _label_of(kind: str, label: str) -> str:
    return f"{kind}-{label.replace(':', '-')}"


def _stage(context: StepContext, name: str) -> Path:
    """Return an empty folder for what is made on the way; it goes with the step's checkpoints."""
    folder = context.checkpoints / name
    if folder.exists():  # of an attempt that did not finish
        shutil.rmtree(folder)
    folder.mkdir()
    return folder
