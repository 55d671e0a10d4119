"""The short run: half a dozen faults, as ``make chaos`` strikes a hundred."""

from __future__ import annotations

import pytest
from harness.house import SHORT, Plan
from harness.scene import Size, play
from harness.servers import why_no_postgres

# What comes back within seconds: a broker that was emptied is rung again after a minute only.
QUICK = frozenset(
    {
        "SIGKILL worker parent",
        "SIGKILL training child",
        "SIGTERM worker",
        "SIGKILL API",
        "SIGKILL PostgreSQL",
        "half-open to PostgreSQL",
        "half-open to Valkey",
        "clock jump",
    }
)
SETTINGS = SHORT | {
    "GRAFT_LEASE_SECONDS": "5",
    "GRAFT_HEARTBEAT_SECONDS": "1",
    "GRAFT_SWEEP_SECONDS": "1",
}


# On two idle cores about 80 s; a machine that is shared may take several times as long.
@pytest.mark.timeout(900)
def test_a_service_that_is_hurt_at_random_leaves_what_an_undisturbed_one_does() -> None:
    size = Size(
        faults=7,
        seed=4,
        studies=1,
        jobs=2,
        workspaces=8,
        at_once=2,
        epochs=15,
        patience=300.0,
        longest=300.0,
        names=QUICK,
    )
    plan = Plan(
        settings=SETTINGS,
        workspaces=size.workspaces,
        is_postgres=why_no_postgres() is None,
        has_disk=False,
    )
    outcome = play(plan, size, print)
    for record in outcome.records:
        print(record)
    assert outcome.is_good, "\n".join(
        f"{check.name}: {wrong}" for check in outcome.checks for wrong in check.wrong
    )
