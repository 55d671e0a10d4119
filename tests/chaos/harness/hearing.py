"""Does every worker still hear the doorbell, or has one gone silent behind a healthy face?"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from harness.checks import Check
from harness.house import House
from harness.processes import Managed, descendants_of, send

# A ring may have gone to a worker that sleeps meanwhile; it is rung again after a minute.
_PATIENCE = 150.0


def check_hearing(house: House, images: Path) -> list[Check]:
    """Give each worker something to do while all others sleep."""
    check = Check("every worker still hears the doorbell")
    seconds = []
    for number, worker in enumerate(house.workers):
        others = [other for other in house.workers if other is not worker]
        sleepers = [pid for other in others for pid in _all_of(other)]
        for pid in sleepers:
            send(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with house.client(0) as client:
                # Another size each time, so that no earlier reading is used again.
                uploaded = client.datasets.upload(images, name="last", image_size=80 + 16 * number)
                while client.datasets.get(uploaded.id).status == "ingesting":
                    if time.monotonic() - began > _PATIENCE:
                        check.wrong.append(f"{worker.name} took nothing in {_PATIENCE:.0f} s")
                        break
                    time.sleep(0.5)
                else:
                    seconds.append(time.monotonic() - began)
        finally:
            for pid in sleepers:
                send(pid, signal.SIGCONT)
    check.note = ", ".join(f"{value:.0f} s" for value in seconds)
    return [check]


def _all_of(worker: Managed) -> list[int]:
    return [worker.pid, *descendants_of(worker.pid)]
