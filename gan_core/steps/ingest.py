"""ingest: an uploaded archive becomes a data set.

What it reads comes from strangers, so its process limits itself before it opens anything
(``confined``).
"""

from __future__ import annotations

import os
from dataclasses import replace

from gan_core.out_of_memory import is_out_of_memory
from gan_core.progress import part
from gan_core.reading import ReadOptions, pack, write_preview
from gan_core.spec.errors import GraftError
from gan_core.steps.context import Output, StepContext, StepSettings
from gan_core.steps.limits import Deadline, ProcessLimits, apply_limits

# An entry (256 MiB, and once more while it is put together) and an image of 50 million pixels.
_BYTES_A_THREAD = 2**30
_SOME_ROOM = 2**30
# Of the step's progress; drawing the preview is the rest.
_PACKED = 0.97


def confined(context: StepContext) -> StepContext:
    """Limit this process for good, before anything is read; see ``gan_core.steps.limits``.

    Not a part of ``run``, which a notebook may call: the process must be there for this step alone.

    Returns:
        The context with which to run the step: it is told to stop when its time is over.
    """
    settings = context.settings
    deadline = Deadline(settings.ingest_max_seconds, _too_slow(settings))
    apply_limits(_limits(settings, context.params["image_size"]))

    def should_stop() -> bool:
        deadline.check()
        return context.should_stop()

    return replace(context, should_stop=should_stop)


def run(context: StepContext) -> list[Output]:
    """Read ``upload/upload.zip``, which may be a tar.gz, into packed arrays and an index.

    Beside them lies what a person may want to see of it: ``preview.json`` and sheets of pictures.

    Raises:
        GraftError: ``ingest_memory``, ``ingest_time``, and what ``pack`` raises.
    """
    settings = context.settings
    options = ReadOptions(
        max_entries=settings.max_entries,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_pixels=settings.max_pixels,
        workers=_threads(settings),
    )
    try:
        index = pack(
            context.inputs["upload"] / "upload.zip",
            context.outputs,
            image_size=context.params["image_size"],
            options=options,
            on_progress=part(context.on_progress, 0.0, _PACKED),
            should_stop=context.should_stop,
        )
        shown = write_preview(
            context.outputs,
            index,
            on_progress=part(context.on_progress, _PACKED, 1.0),
            should_stop=context.should_stop,
        )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) and "can't start new thread" not in str(error):
            raise
        raise _too_large(settings) from error
    return [
        Output("train.npy"),
        Output("test.npy"),
        Output("index.json", media_type="application/json"),
        *(Output(name, media_type=_media_type(name)) for name in shown),
    ]


def _media_type(name: str) -> str:
    return "image/png" if name.endswith(".png") else "application/json"


def _limits(settings: StepSettings, image_size: int) -> ProcessLimits:
    pixels = settings.max_entries * image_size**2 * 3
    return ProcessLimits(
        memory_bytes=settings.ingest_max_memory_bytes,
        seconds=settings.ingest_max_seconds,
        file_bytes=max(pixels, settings.max_unpacked_bytes) + _SOME_ROOM,
    )


def _threads(settings: StepSettings) -> int:
    """As many as there are cores, or as are asked for, and as the memory is enough for."""
    wanted = settings.threads or os.cpu_count() or 1
    return max(1, min(wanted, settings.ingest_max_memory_bytes // _BYTES_A_THREAD))


def _too_slow(settings: StepSettings) -> GraftError:
    return GraftError(
        "ingest_time",
        f"Reading the data set took longer than the {settings.ingest_max_seconds:,} seconds that"
        " this service allows.",
        "Send fewer or smaller images, or ask the service's operator to raise"
        " GRAFT_INGEST_MAX_SECONDS.",
    )


def _too_large(settings: StepSettings) -> GraftError:
    return GraftError(
        "ingest_memory",
        f"Reading the data set took more than the {settings.ingest_max_memory_bytes:,} bytes of"
        " memory that this service allows.",
        "An image in it may be made to do harm. Leave out very large images, or ask the service's"
        " operator to raise GRAFT_INGEST_MAX_MEMORY_BYTES.",
    )
