"""A plan under way: steps are added in order, and each gets its key and its estimate."""

from __future__ import annotations

from typing import Any

from gan_core.spec.speeds import Speeds, Workload
from gan_core.spec.steps import (
    STEP_VERSIONS,
    DatasetFacts,
    PlannedStep,
    Queue,
    StepInput,
    StepKind,
    step_key,
)


class Graph:
    """The steps of a job.

    Args:
        dataset: What the steps read where they read no other step.
        speeds: What is known of the devices at hand.

    Attributes:
        steps: By name, in the order in which they can be carried out.
    """

    def __init__(self, dataset: DatasetFacts, speeds: Speeds) -> None:
        self.dataset = dataset
        self.speeds = speeds
        self.steps: dict[str, PlannedStep] = {}

    def add(
        self,
        *,
        name: str,
        kind: StepKind,
        queue: Queue,
        params: dict[str, Any],
        inputs: dict[str, StepInput],
        work: Workload,
    ) -> str:
        """Add a step, whose inputs are there already; return its name."""
        digests = {
            label: self.dataset.digest if given.step is None else self.steps[given.step].key
            for label, given in inputs.items()
        }
        estimate = self.speeds.estimate(queue, work)
        self.steps[name] = PlannedStep(
            name=name,
            kind=kind,
            queue=queue,
            params=params,
            inputs=inputs,
            key=step_key(kind, params, digests),
            estimate_seconds=estimate.seconds,
            estimate_source=estimate.source,
            workload=work.name,
            units=work.units,
            code_version=STEP_VERSIONS[kind],
        )
        return name
