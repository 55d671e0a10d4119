"""Three hands write limits, each below the other."""

from __future__ import annotations

from typing import Any

import pytest

from gan_core.spec.errors import GraftError
from store.granting import grant, read_grants
from store.limits import Limits, allowance
from store.repositories import AuditTrail
from store.settings import Settings
from store.tables import Workspace

SETTINGS = Settings(limit_unfinished_jobs=10, limit_requests_per_minute=100)


def test_without_anything_else_the_settings_hold() -> None:
    found = allowance(SETTINGS, None, None)
    assert found.key == Limits(requests_per_minute=100)
    assert found.workspace == Limits(requests_per_minute=6000, unfinished_jobs=10)


def test_the_operator_can_grant_more_and_administrators_choose_less_but_never_more() -> None:
    granted = {"unfinished_jobs": 50, "key_requests_per_minute": 500, "gpu_minutes_per_day": None}
    chosen = {"unfinished_jobs": 20, "requests_per_minute": 9999, "gpu_minutes_per_day": 60}
    limits = {"granted": granted, "chosen": chosen}
    found = allowance(SETTINGS, limits, {"requests_per_minute": 9999, "unfinished_jobs": 3})
    assert found.workspace.unfinished_jobs == 20
    assert found.workspace.requests_per_minute == 6000
    assert found.workspace.gpu_minutes_per_day == 60
    assert found.key == Limits(requests_per_minute=500, unfinished_jobs=3)
    # A grant that is taken back leaves what was chosen no higher than the settings.
    back = allowance(SETTINGS, {"chosen": chosen}, None)
    assert back.workspace.unfinished_jobs == 10


@pytest.mark.parametrize("odd", [[], "x", {"granted": 3}, {"granted": {"unfinished_jobs": "9"}}])
def test_what_a_person_wrote_wrongly_into_the_column_changes_nothing(odd: Any) -> None:
    if isinstance(odd, dict):
        assert allowance(SETTINGS, odd, None) == allowance(SETTINGS, None, None)
    assert allowance(SETTINGS, None, odd) == allowance(SETTINGS, None, None)


def test_an_operator_grants_on_the_database_and_the_trail_tells_of_it(house: Any) -> None:
    with house.database.read() as session:
        name = session.get_one(Workspace, house.workspace_id).name
    grant(
        house.database,
        SETTINGS,
        name,
        read_grants(["unfinished_jobs=7", "requests_per_minute=none"]),
    )
    found = grant(house.database, SETTINGS, name, read_grants(["gpu_minutes_per_day=90"]))
    assert found.workspace == Limits(unfinished_jobs=7, gpu_minutes_per_day=90)
    back = grant(house.database, SETTINGS, name, read_grants(["unfinished_jobs=default"]))
    assert back.workspace.unfinished_jobs == 10
    assert grant(house.database, SETTINGS, name, {}) == back  # looked at only
    with house.database.read() as session:
        trail = AuditTrail(session, house.workspace_id)
        assert [line.action for line in trail.all_lines()] == ["workspace.grant"] * 3
        assert trail.first_broken() is None
    with pytest.raises(GraftError, match="no workspace"):
        grant(house.database, SETTINGS, "nowhere", {})


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x=1",
        "unfinished_jobs",
        "unfinished_jobs=0",
        "unfinished_jobs=-1",
        "unfinished_jobs=٣",
        "unfinished_jobs=1e3",
    ],
)
def test_a_grant_that_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(GraftError, match="no limit"):
        read_grants([word])
