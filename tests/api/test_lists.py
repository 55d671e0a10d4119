"""Filters on lists, and cursors that go on within them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from store.tables import Artifact, Dataset, Job

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _ids(client: Any, path: str, **params: Any) -> list[str]:
    """All pages, two at a time."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = client.get(path, params={"limit": 2, **params, **more})
        assert page.status_code == 200, page.text
        found += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return found


def _made_at_hours(hospital: Any, table: Any, ids: list[str]) -> None:
    """Have each made an hour after the one before, from noon."""
    with hospital.database.write() as session:
        for hour, item in enumerate(ids):
            session.execute(
                update(table)
                .where(table.id == item)
                .values(created_at=NOON + timedelta(hours=hour))
            )


@pytest.mark.parametrize("kind", ["datasets", "jobs", "models"])
def test_lists_can_be_asked_for_a_time(hospital: Any, kind: str) -> None:
    if kind == "datasets":
        ids = [hospital.upload(str(number))["id"] for number in range(5)]
        table: Any = Dataset
    elif kind == "jobs":
        dataset = hospital.ready_dataset()
        ids = [hospital.submit(dataset, name=str(n))["id"] for n in range(5)]
        table = Job
    else:
        gans = [{"name": name} for name in ("infogan", "dcgan", "fastgan", "pggan", "stylegan2")]
        job = hospital.submit(hospital.ready_dataset(), gans=gans)["id"]
        hospital.run(job)
        ids = sorted(item["id"] for item in hospital.client.get("/v1/models").json()["items"])
        table = Artifact
    assert len(ids) == 5
    _made_at_hours(hospital, table, ids)
    params = {"kind": "study"} if kind == "jobs" else {}
    path, client = f"/v1/{kind}", hospital.client
    after, before = (NOON + timedelta(hours=hour) for hour in (0, 4))
    within = _ids(
        client, path, created_after=after.isoformat(), created_before=before.isoformat(), **params
    )
    # Neither end belongs to it, and a page in the middle of it goes on in it.
    assert within == ids[3:0:-1]
    assert _ids(client, path, created_after=(NOON + timedelta(hours=3)).isoformat(), **params) == [
        ids[4]
    ]
    elsewhere = (NOON + timedelta(hours=1)).astimezone().isoformat()
    assert _ids(client, path, created_before=elsewhere, **params) == [ids[0]]


def test_filters_hold_together_with_a_cursor(hospital: Any) -> None:
    wanted = hospital.ready_dataset("wanted")
    other = hospital.ready_dataset("other")
    mine = [hospital.submit(wanted, name=str(number))["id"] for number in range(3)]
    hospital.submit(other)
    hospital.client.post(f"/v1/jobs/{mine[1]}/cancel")
    params = {"dataset_id": wanted, "status": "queued", "kind": "study"}
    assert _ids(hospital.client, "/v1/jobs", **params) == [mine[2], mine[0]]
    assert _ids(hospital.client, "/v1/datasets", status="ready") == [other, wanted]
    assert _ids(hospital.client, "/v1/datasets", status="rejected") == []


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2026-06-01", "2026-06-01T12:00:00", "1780000000", "0001-01-01T00:00:00+14:00"],
)
def test_a_moment_that_is_none_or_lies_nowhere_is_refused(client: Any, moment: str) -> None:
    answer = client.get("/v1/jobs", params={"created_after": moment})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query/created_after"
