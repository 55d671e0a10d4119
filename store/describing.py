"""A claimed step as its worker needs it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gan_core.spec import DatasetFacts
from gan_core.spec.preview import is_of_preview
from store.records import ClaimedStep, InputFile, InputPart
from store.step_tables import Step
from store.tables import Dataset, Job


def claimed_step(session: Session, job: Job, step: Step, token: str) -> ClaimedStep:
    """Return what a worker must know of a step that it has just been given."""
    dataset = session.get_one(Dataset, job.dataset_id)
    session.flush()
    # In the plan's order: the report and the manifest list them so, always with the same bytes.
    named = session.execute(
        select(Step.name, Step.key).where(Step.job_id == job.id).order_by(Step.position)
    )
    keys = {name: key for name, key in named}  # noqa: C416  # rows, not pairs
    read = [source["step"] for source in step.inputs.values() if source["source"] == "step"]
    made = session.execute(
        select(Step.name, Step.outputs).where(Step.job_id == job.id, Step.name.in_(read))
    )
    left: dict[str, list[Any]] = {name: outputs for name, outputs in made}  # noqa: C416
    inputs: dict[str, tuple[InputFile, ...]] = {}
    for label, source in step.inputs.items():
        if source["source"] == "upload":
            upload = InputFile(
                "upload.zip",
                dataset.upload_key,
                dataset.upload_bytes,
                dataset.upload_sha256,
                tuple(InputPart(**part) for part in dataset.upload_parts or ()),
            )
            inputs[label] = (upload,)
            continue
        is_dataset = source["source"] == "dataset"
        files = _read_by_steps(dataset.files) if is_dataset else left[source["step"]]
        inputs[label] = tuple(
            InputFile(f["name"], f["object_key"], f["size"], f["sha256"]) for f in files
        )
    return ClaimedStep(
        id=step.id,
        job_id=job.id,
        workspace_id=job.workspace_id,
        dataset_id=job.dataset_id,
        name=step.name,
        kind=step.kind,
        queue=step.queue,
        key=step.key,
        params=dict(step.params),
        attempt=step.attempt,
        token=token,
        output_prefix=step.output_prefix or "",
        inputs=inputs,
        step_keys=keys,
        dataset=DatasetFacts.model_validate(dataset.facts) if dataset.facts else None,
        job_created_at=job.created_at,
        request_id=job.request_id,
        traceparent=job.traceparent,
    )


def _read_by_steps(files: list[Any]) -> list[Any]:
    """Leave out a data set's pictures for people: on another machine each would be fetched."""
    return [file for file in files if not is_of_preview(file["name"])]
