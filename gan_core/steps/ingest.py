"""ingest: an uploaded zip becomes a data set."""

from __future__ import annotations

from gan_core.reading import ReadOptions, pack
from gan_core.steps.context import Output, StepContext


def run(context: StepContext) -> list[Output]:
    """Read ``upload/upload.zip`` into packed arrays and an index."""
    settings = context.settings
    pack(
        context.inputs["upload"] / "upload.zip",
        context.outputs,
        image_size=context.params["image_size"],
        options=ReadOptions(),
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    del settings
    return [
        Output("train.npy"),
        Output("test.npy"),
        Output("index.json", media_type="application/json"),
    ]
