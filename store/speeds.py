"""How long work takes on the devices of the workers: measured by them, and told by their steps."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from gan_core import __version__
from gan_core.spec import Speed, Speeds
from gan_core.spec.speeds import learned
from gan_core.spec.steps import STEP_VERSIONS
from store.clock import now_of
from store.step_tables import Step
from store.tables import MeasuredSpeed
from store.upserting import insert_into
from store.workers import WorkerRegister

_KEPT = 0.7
"""What weight is left to what was known, each time that something is learned."""


def version_of(workload: str) -> str:
    """Return the version of the code that carries out a workload here.

    Names of workloads begin with the kind of step (``train fastgan …``).
    """
    versions: dict[str, int] = {str(kind): number for kind, number in STEP_VERSIONS.items()}
    return f"{__version__}+{versions.get(workload.split(maxsplit=1)[0], 0)}"


class SpeedBook:
    """What was measured. All workspaces share the devices, and so what is known of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(self, device: str, workload: str, *, seconds: float, units: float) -> None:
        """Take in a measurement.

        What is known of the same version of the code weighs with it, by its units; what is known
        of another version is replaced.

        Args:
            device: Its name.
            workload: Its name.
            seconds: That the units took; nothing is noted unless both are above 0.
            units: How many were carried out.
        """
        if seconds <= 0 or units <= 0:
            return
        version = version_of(workload)
        statement = insert_into(self._session, MeasuredSpeed).values(
            device=device,
            workload=workload,
            version=version,
            seconds=seconds,
            units=units,
            measured_at=now_of(self._session),
        )
        new = statement.excluded
        kept = case((MeasuredSpeed.version == version, _KEPT), else_=0.0)
        # One statement: two workers may note the same at the same time.
        self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["device", "workload"],
                set_={
                    "version": new.version,
                    "seconds": MeasuredSpeed.seconds * kept + new.seconds,
                    "units": MeasuredSpeed.units * kept + new.units,
                    "measured_at": new.measured_at,
                },
            )
        )

    def note_step(self, step: Step) -> None:
        """Learn from a step that has succeeded at its first attempt.

        Later attempts may have gone on from a checkpoint, or begun anew: their seconds do not tell.
        Nor do those of a training that may end before its last epoch: it has units that it was
        planned with, and perhaps never came to.
        """
        if step.params.get("stop_early"):
            return
        if step.workload is None or not step.units or step.attempt != 1:
            return
        device = WorkerRegister(self._session).device_of(step.worker_id)
        if device is None or step.started_at is None or step.finished_at is None:
            return
        ran = (step.finished_at - step.started_at).total_seconds()
        seconds = learned(ran, step.units)
        self.note(device.name, step.workload, seconds=seconds, units=step.units)

    def unmeasured(self, device: str, workloads: Collection[str]) -> list[str]:
        """Return those of some workloads of which nothing is known of this code on a device."""
        rows = self._session.scalars(
            select(MeasuredSpeed).where(MeasuredSpeed.device == device)
        ).all()
        known = {row.workload: row.version for row in rows}
        return [workload for workload in workloads if known.get(workload) != version_of(workload)]

    def speeds(self) -> Speeds:
        """Return the devices at hand, and what is known of them."""
        devices = WorkerRegister(self._session).devices()
        names = sorted({device.name for device in devices.values()})
        rows = self._session.scalars(
            select(MeasuredSpeed).where(MeasuredSpeed.device.in_(names))
        ).all()
        return Speeds.of(
            devices,
            [
                Speed(row.device, row.workload, row.seconds / row.units, row.units, row.measured_at)
                for row in rows
            ],
        )
