"""ingest: an uploaded zip becomes a data set."""

from __future__ import annotations

from gan_core.reading import ReadOptions, pack
from gan_core.steps.context import Output, StepContext


def run(context: StepContext) -> list[Output]:
    """Read ``upload/upload.zip`` into packed arrays and an index."""
    settings = context.settings
    options = ReadOptions(
        max_entries=settings.max_entries,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_pixels=settings.max_pixels,
        workers=settings.threads,
    )
    pack(
        context.inputs["upload"] / "upload.zip",
        context.outputs,
        image_size=context.params["image_size"],
        options=options,
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    return [
        Output("train.npy"),
        Output("test.npy"),
        Output("index.json", media_type="application/json"),
    ]
