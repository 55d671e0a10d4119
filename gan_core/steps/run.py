"""Run one step from its folder."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from gan_core.out_of_memory import is_out_of_memory
from gan_core.progress import Notice, OnNotice, OnProgress, ShouldStop, ignore_notice
from gan_core.spec.errors import GraftError
from gan_core.spec.steps import StepKind
from gan_core.steps.context import Output, StepContext, StepSettings

StepFunction = Callable[[StepContext], list[Output]]

KEY_FILE = "step.key"
"""Among a step's checkpoints: the key that they were written for."""

KINDS = get_args(StepKind)


def load_step(
    step_dir: Path,
    *,
    on_progress: OnProgress,
    should_stop: ShouldStop,
    on_notice: OnNotice = ignore_notice,
) -> StepContext:
    """Read ``step.json`` and empty what an attempt that did not finish has made and shown.

    Raises:
        GraftError: ``not_a_step`` when the folder has no ``step.json``.
    """
    try:
        step: dict[str, Any] = json.loads((step_dir / "step.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GraftError(
            "not_a_step",
            "The folder has no step.json.",
            "Give a step's folder, or a folder with a study.yaml.",
        ) from None
    outputs, live = step_dir / "outputs", step_dir / "live"
    for folder in (outputs, live):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    checkpoints = step_dir / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    return StepContext(
        name=step["name"],
        kind=step["kind"],
        key=step["key"],
        params=step["params"],
        inputs={label: step_dir / folder for label, folder in step["inputs"].items()},
        outputs=outputs,
        checkpoints=checkpoints,
        settings=StepSettings.model_validate(step["settings"]),
        job=step.get("context", {}),
        on_progress=on_progress,
        should_stop=should_stop,
        on_notice=on_notice,
        live=live,
    )


def _forget_what_others_kept(context: StepContext) -> None:
    """Throw checkpoints away that were written for another key: by other code, say.

    What is made from them would be published under a key that promises something else.
    """
    note = context.checkpoints / KEY_FILE
    kept = note.read_text(encoding="ascii") if note.is_file() else None
    if kept == context.key:
        return
    shutil.rmtree(context.checkpoints)
    context.checkpoints.mkdir()
    note.write_text(context.key, encoding="ascii")


def run_step(context: StepContext) -> list[dict[str, Any]]:
    """Run a step and describe its outputs.

    Checkpoints that do not fit (another version, another kind of machine) are thrown away.

    Returns:
        For each output its ``name``, ``kind``, ``media_type``, ``size`` and ``sha256``.

    Raises:
        GraftError: What a person can mend; ``disk_full`` when there was no room, ``out_of_memory``
            when there was too little.
        Stopped: ``should_stop`` said so; the step can be run again and goes on.
    """
    if context.kind not in KINDS:
        raise GraftError("unknown_step", f"There is no step of the kind {context.kind!r}.")
    if context.settings.threads is not None and context.kind != "ingest":
        import torch

        torch.set_num_threads(context.settings.threads)
    _forget_what_others_kept(context)
    # Each kind imports only what it needs: the package step starts without torch.
    function: StepFunction = import_module(f"gan_core.steps.{context.kind}").run
    try:
        try:
            outputs = function(context)
        except GraftError as error:
            if error.code != "checkpoint_mismatch":
                raise
            # Left by another version or another kind of machine: of no use here, and nothing that
            # the person who asked could delete.
            (context.checkpoints / KEY_FILE).unlink(missing_ok=True)
            _forget_what_others_kept(context)
            context.on_notice(
                Notice(
                    "What an earlier attempt had kept is of another version or kind of machine;"
                    " the step begins anew.",
                    "warning",
                )
            )
            outputs = function(context)
        return [output.described(context.outputs) for output in outputs]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise GraftError(
            "out_of_memory",
            "There was not enough memory for this step.",
            "Ask for fewer or smaller images, or run the worker where there is more memory.",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GraftError(
                "disk_full",
                "There was no room left on the disk.",
                "Free some space where the service keeps its data, then run the job again.",
            ) from error
        raise
