"""A whole study in this process, without the service: the same steps, one after the other.

For a notebook, for the command line (``python -m gan_core study``), and for a machine with a GPU
that has no queue. A step whose key is already there is not run again, so an interrupted study
goes on and a longer one reuses a shorter one's work.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from gan_core.devices import facts_of
from gan_core.progress import OnProgress, Progress, ShouldStop, ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.spec.errors import GraftError
from gan_core.spec.job import StudySpec
from gan_core.spec.plan import plan_study
from gan_core.spec.profiles import resolve
from gan_core.spec.results import Results
from gan_core.spec.speeds import Speeds
from gan_core.spec.steps import (
    DatasetFacts,
    Plan,
    PlannedStep,
    Queue,
    columns_lost_with,
    inputs_without,
    step_key,
)
from gan_core.steps import StepSettings, load_step, run_step
from gan_core.upscaling import create

# What a person mends on the machine, and what then goes on where it was.
PASSING = ("disk_full", "checkpoint_not_written", "zip_not_written")


def facts(dataset: PackedDataset) -> DatasetFacts:
    """Return what planning has to know of a packed data set."""
    return DatasetFacts(
        digest=dataset.digest, image_size=dataset.image_size, classes=dataset.counts
    )


def _state_of(data: Path, image_size: int) -> str:
    """Return a hash that changes when the files of a data set do (their names, sizes or times)."""
    files = sorted(data.rglob("*")) if data.is_dir() else [data]
    sha256 = hashlib.sha256(f"{image_size}".encode())
    for path in files:
        if path.is_file():
            stat = path.stat()
            name = path.relative_to(data) if path != data else path.absolute()
            sha256.update(f"\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return sha256.hexdigest()


def _sha256(weights: Path | None) -> str | None:
    if weights is None:
        return None
    try:
        with weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GraftError(
            "weights_missing",
            "The Real-ESRGAN weights that the settings name cannot be read.",
            "Name another file, or none, to use the weights that come as a package.",
        ) from error


def _linked(source: Path, target: Path) -> None:
    """Show ``source`` as ``target`` by a hard link, or a copy where the two are on two disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _lay_out(
    step: PlannedStep, folder: Path, sources: dict[str, Path], record: dict[str, Any]
) -> None:
    """Write ``step.json`` and the inputs of one step."""
    inputs = folder / "inputs"
    if inputs.exists():
        shutil.rmtree(inputs)
    for label, source in sources.items():
        (inputs / label).mkdir(parents=True)
        for file in source.iterdir():
            _linked(file, inputs / label / file.name)
    (folder / "step.json").write_text(
        json.dumps(
            {
                "name": step.name,
                "kind": step.kind,
                "key": step.key,
                "params": step.params,
                "inputs": {label: f"inputs/{label}" for label in sources},
                **record,
            }
        ),
        encoding="utf-8",
    )


def _check_upscaler(plan: Plan, out: Path, settings: StepSettings) -> None:
    """See that the upscaler can be had, before hours go into training what it is to upscale."""
    for step in plan.steps:
        if step.kind not in ("upscale", "control"):
            continue
        if not (out / "steps" / step.key / "done.json").exists():
            engine = (step.params if step.kind == "upscale" else step.params["upscale"])["engine"]
            create(
                engine,
                cache_dir=settings.cache_dir,
                weights=settings.realesrgan_weights if engine == "realesrgan" else None,
                device=settings.torch_device(),
            )
            return


def _carry_out(
    plan: Plan,
    packed: Path,
    out: Path,
    record: dict[str, Any],
    digest: str,
    *,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> tuple[dict[str, Path], dict[str, GraftError], set[str]]:
    """Carry out a plan's steps in order.

    Returns:
        The folder of each step's outputs by its name, the errors of those that failed, and the
        names of those that left nothing: they, and what could not be done without them.
    """
    done_seconds = 0.0
    outputs: dict[str, Path] = {}
    failures: dict[str, GraftError] = {}
    lost: set[str] = set()
    keys: dict[str, str] = {}
    needs = {planned.name: planned.needs() for planned in plan.steps}
    for planned in plan.steps:
        share = planned.estimate_seconds / plan.estimate_seconds
        before = done_seconds / plan.estimate_seconds
        done_seconds += planned.estimate_seconds

        def report(progress: Progress, before: float = before, share: float = share) -> None:
            on_progress(Progress(before + share * progress.fraction, progress.detail))

        step = _fitted(planned, lost, failures, keys, digest, needs=needs)
        if step is None:
            lost.add(planned.name)
            continue
        keys[step.name] = step.key
        folder = out / "steps" / step.key
        outputs[step.name] = folder / "outputs"
        if (folder / "done.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        sources = {
            label: packed if given.step is None else outputs[given.step]
            for label, given in step.inputs.items()
        }
        _lay_out(step, folder, sources, _with_keys(record, keys))
        on_progress(Progress(before, step.name))
        context = load_step(folder, on_progress=report, should_stop=should_stop)
        try:
            described = run_step(context)
        except GraftError as error:
            if error.code in PASSING:
                raise
            # Its column fails, and the others do not.
            failures[step.name] = error
            lost.add(step.name)
            continue
        (folder / "done.json").write_text(json.dumps(described), encoding="utf-8")
        shutil.rmtree(folder / "inputs")
        shutil.rmtree(folder / "checkpoints")
    return outputs, failures, lost


def run_study(
    data: Path,
    spec: StudySpec,
    out: Path,
    *,
    settings: StepSettings,
    image_size: int = 224,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Results:
    """Run a study and leave its files under ``out``.

    Args:
        data: A zip or a folder of class folders.
        spec: What to do; what is left out is filled from its profile.
        out: Gets ``report.html``, ``results.json``, ``results.csv``, ``synthetic.zip`` and the
            steps' own folders under ``steps/``, by key.
        settings: The machine's settings.
        image_size: Side in pixels at which the data set is kept.
        on_progress: Told the share of the whole study that is done.
        should_stop: Asked often; when it says so, ``Stopped`` is raised and a later call goes on.

    Returns:
        The table (without rows when no benchmark was asked for).

    Raises:
        GraftError: Bad data, a spec that does not fit it, an upscaler that cannot be had, or steps
            that failed so that no table or no images are left. A column that fails alone is named
            in the results' ``failed``.
        Stopped: ``should_stop`` said so.
    """
    out.mkdir(parents=True, exist_ok=True)
    packed, source = out / "dataset", out / "dataset.source"
    state = _state_of(data, image_size)
    if not packed.exists() or not source.exists() or source.read_text(encoding="utf-8") != state:
        # What lies there is of other images; steps are kept by key, so none is used by mistake.
        shutil.rmtree(packed, ignore_errors=True)
        pack(data, packed, image_size=image_size, on_progress=on_progress, should_stop=should_stop)
        source.write_text(state, encoding="utf-8")
    dataset = facts(PackedDataset.open(packed))
    # Nothing is measured: the same command must plan the same steps again.
    device = facts_of(settings.torch_device(), settings.threads)
    speeds = Speeds(devices=dict.fromkeys(get_args(Queue), device))
    resolved = resolve(spec, dataset.train_counts(), data_size=dataset.image_size, speeds=speeds)
    plan = plan_study(resolved, dataset, weights_sha256=_sha256(settings.realesrgan_weights))
    _check_upscaler(plan, out, settings)
    record = {
        "settings": settings.model_dump(mode="json"),
        "context": {
            "job_id": None,
            "dataset_id": None,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "steps": {step.name: step.key for step in plan.steps},
            "dataset": dataset.model_dump(),
        },
    }
    outputs, failures, lost = _carry_out(
        plan, packed, out, record, dataset.digest, on_progress=on_progress, should_stop=should_stop
    )
    for name in ("report", "package"):
        if name not in lost:
            for file in json.loads(_done(outputs, name)):
                if file["kind"] != "internal":
                    shutil.copyfile(outputs[name] / file["name"], out / file["name"])
    if lost & {"report", "package"}:
        # Nothing is left of the table, or of the images; what there is lies in ``out``.
        raise next(iter(failures.values()))
    on_progress(Progress(1.0, "done"))
    results = out / "results.json"
    return Results.model_validate_json(results.read_text(encoding="utf-8"))


def _with_keys(record: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    """Return the record with the keys that steps turned out to have, failures considered."""
    context = record["context"]
    return {**record, "context": {**context, "steps": {**context["steps"], **keys}}}


def _fitted(
    step: PlannedStep,
    lost: set[str],
    failures: dict[str, GraftError],
    keys: dict[str, str],
    dataset_digest: str,
    *,
    needs: dict[str, list[str]],
) -> PlannedStep | None:
    """Return the step with the inputs that there are; None when it cannot do without the others."""
    kept = inputs_without(step.inputs, lost)
    if kept is None or len(kept) == len(step.inputs):
        return None if kept is None else step
    failed = []
    for name, error in failures.items():
        told: dict[str, Any] = {"step": name, "code": error.code, "detail": error.detail}
        columns = columns_lost_with(name, needs)
        failed.append(told | {"hint": error.hint} | ({"lost": columns} if columns else {}))
    params = {**step.params, "failed": failed}
    digests = {
        label: dataset_digest if given.step is None else keys[given.step]
        for label, given in kept.items()
    }
    key = step_key(step.kind, params, digests)
    return step.model_copy(update={"inputs": kept, "params": params, "key": key})


def _done(outputs: dict[str, Path], name: str) -> str:
    if name not in outputs:
        return "[]"
    return (outputs[name].parent / "done.json").read_text(encoding="utf-8")


def read_spec(path: Path) -> dict[str, Any]:
    """Read a spec from a YAML or JSON file.

    Raises:
        GraftError: ``spec_unreadable``.
    """
    import yaml

    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise GraftError(
            "spec_unreadable", "The spec could not be read as YAML or JSON."
        ) from error
    if not isinstance(spec, dict):
        raise GraftError("spec_unreadable", "The spec is not an object with fields.")
    return spec


__all__ = ["facts", "read_spec", "run_study"]
