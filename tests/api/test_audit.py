"""The trail: who may see it, how it is taken along, and that everything that matters is in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from gan_core.spec.errors import GraftError
from graft.client import AuditFilter, Client, Head, verify_lines
from store.repositories import AuditTrail
from store.tables import AuditEvent, Workspace

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"


def actions(client: TestClient, **params: Any) -> list[str]:
    asked = {"order": "oldest", "limit": 200, **params}
    answer = client.get("/v1/audit", params=asked)
    assert answer.status_code == 200, answer.text
    return [line["action"] for line in answer.json()["items"]]


def export(client: TestClient) -> list[bytes]:
    answer = client.get("/v1/audit/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return answer.content.splitlines(keepends=True)


@pytest.fixture
def told(hospital: Any) -> TestClient:
    """A trail of some lines."""
    hospital.finished_job()
    client: TestClient = hospital.client
    return client


def test_everything_that_matters_is_in_the_trail(hospital: Any) -> None:
    client = hospital.client
    job = hospital.finished_job()
    model = hospital.model(job)
    images = client.post(model["links"]["images"], json={"seeds": [1]}).json()["id"]
    client.post(f"/v1/jobs/{images}/cancel")
    again = client.post(f"/v1/jobs/{images}/retry").json()["id"]
    client.post(f"/v1/jobs/{again}/cancel")
    client.get(f"/v1/jobs/{job}/results")
    content = hospital.artifact(job, "report-html")["links"]["content"]
    client.get(content)
    client.get(content, headers={"Range": "bytes=0-9"})
    client.head(content)
    made = client.post("/v1/keys", json={"name": "r", "scopes": ["reader"]}).json()
    for _ in range(3):
        client.get("/v1/keys", headers={"Authorization": f"Bearer {made['key']}"})
    client.delete(f"/v1/keys/{made['id']}")
    client.patch("/v1/limits", json={"limits": {"unfinished_jobs": 7}})
    client.get("/v1/audit/export")
    dataset_id = client.get(f"/v1/jobs/{job}").json()["dataset_id"]
    client.delete(f"/v1/jobs/{images}")
    client.delete(f"/v1/datasets/{dataset_id}?with_jobs=true")
    assert actions(client) == [
        "key.create",
        "dataset.create",
        "job.submit",
        "images.submit",
        "job.cancel",
        "job.retry",
        "job.cancel",
        "results.read",
        "artifact.download",
        "artifact.download",
        "key.create",
        "request.refused",  # three times, told of once a minute
        "key.revoke",
        "workspace.limits",
        "audit.export",
        "job.delete",
        "job.delete",
        "job.delete",
        "dataset.delete",
    ]
    # Looking at things leaves no line, nor does what was refused for another reason.
    [refused] = client.get("/v1/audit", params={"action": "request.refused"}).json()["items"]
    assert refused["actor"] == made["id"]
    assert refused["detail"] == {
        "code": "scope_missing",
        "scope": "admin",
        "method": "GET",
        "route": "/v1/keys",
    }
    assert verify_lines(export(client)).number == 20


def test_pages_go_through_the_trail_in_both_orders(told: TestClient) -> None:
    for order in ("oldest", "newest"):
        numbers: list[int] = []
        cursor = None
        while True:
            params = {"order": order, "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = told.get("/v1/audit", params=params).json()
            numbers += [line["number"] for line in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert numbers == sorted(numbers, reverse=order == "newest")
        assert sorted(numbers) == [1, 2, 3]


def test_lines_are_found_by_what_they_say(told: TestClient) -> None:
    lines = told.get("/v1/audit?order=oldest").json()["items"]
    assert actions(told, action="job.submit") == ["job.submit"]
    assert actions(told, action="job.*") == ["job.submit"]
    assert actions(told, action="%.*") == []
    assert actions(told, subject=lines[1]["subject"]) == ["dataset.create"]
    assert actions(told, actor="system") == ["key.create"]
    assert actions(told, actor=lines[1]["actor"]) == ["dataset.create", "job.submit"]
    moment = lines[2]["at"]
    assert actions(told, **{"from": moment}) == ["job.submit"]
    assert actions(told, to=moment) == ["key.create", "dataset.create"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"cursor": "bGluZSB4"}, 400),
        ({"cursor": "Ã"}, 400),
        ({"cursor": "bGluZSA5OTk5OTk5OTk5OTk5OTk5OTk5OTk"}, 400),
        ({"from": "2026-11-28T00:00:00"}, 422),  # in which time zone?
        ({"order": "sideways"}, 422),
        ({"limit": 0}, 422),
        ({"from": "9999-12-31T23:59:59-23:00"}, 422),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    client: TestClient, params: Any, status: int
) -> None:
    assert client.get("/v1/audit", params=params).status_code == status


def test_only_administrators_see_it_and_only_their_own(
    told: TestClient, stranger: TestClient
) -> None:
    for path in ("/v1/audit", "/v1/audit/export"):
        for scope in ("reader", "researcher"):
            made = told.post("/v1/keys", json={"name": "r", "scopes": [scope]}).json()["key"]
            headers = {"Authorization": f"Bearer {made}"}
            assert told.get(path, headers=headers).status_code == 403
    assert stranger.get("/v1/audit").json() == {"items": [], "next_cursor": None}
    [line] = export(stranger)
    assert json.loads(line)["action"] == "audit.export"


def test_an_export_is_the_whole_trail_up_to_its_own_line(
    told: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.repositories.audit._AT_ONCE", 2)
    answer = told.get("/v1/audit/export")
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["action"] == "audit.export"
    assert answer.headers["graft-audit-head"] == f"4:{lines[-1]['hash']}"
    assert lines == told.get("/v1/audit?order=oldest").json()["items"]
    assert str(verify_lines(answer.iter_lines())) == answer.headers["graft-audit-head"]


def test_what_is_written_meanwhile_does_not_disturb_an_export(
    told: TestClient, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.repositories.audit._AT_ONCE", 1)
    with database.read() as session:
        workspace_id = session.query(Workspace).one().id
    plain = AuditTrail.lines

    def disturbed(trail: AuditTrail, **span: int) -> Any:
        with database.write() as session:
            AuditTrail(session, workspace_id).append("system", "test.meanwhile", "x")
        return plain(trail, **span)

    monkeypatch.setattr(AuditTrail, "lines", disturbed)
    assert verify_lines(export(told)).number == 4


def test_the_database_itself_refuses_to_change_a_line_and_a_changed_one_is_found(
    told: TestClient, database: Any
) -> None:
    whole = export(told)
    if database.engine.dialect.name != "sqlite":
        pytest.skip("how the trigger is taken away is SQLite's way")
    with database.write() as session:
        session.execute(text("DROP TRIGGER audit_events_no_update"))
        session.execute(text("UPDATE audit_events SET actor = 'key_other' WHERE number = 2"))
    with database.read() as session:
        assert AuditTrail(session, session.query(Workspace).one().id).first_broken() == 2
    with pytest.raises(GraftError, match="line 2"):
        verify_lines(export(told))
    assert verify_lines(whole).number == 4


def test_details_hold_no_fractions_of_which_databases_have_ways_of_their_own(
    told: TestClient, database: Any
) -> None:
    with database.write() as session:
        trail = AuditTrail(session, session.query(Workspace).one().id)
        with pytest.raises(TypeError):
            trail.append("system", "x", "y", {"a": [{"b": 0.1}]})
        assert session.query(AuditEvent).count() == 3


def test_the_recipe_in_the_documentation_is_a_program_that_verifies(
    told: TestClient, tmp_path: Path
) -> None:
    page = DOCS.read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    assert len(program.splitlines()) <= 25
    lines = export(told)
    good, bad = tmp_path / "good.ndjson", tmp_path / "bad.ndjson"
    good.write_bytes(b"".join(lines))
    bad.write_bytes(b"".join(lines).replace(b"job.submit", b"job.cancel"))

    def run(path: Path) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert run(good) == (0, f"4:{json.loads(lines[-1])['hash']}\n")
    code, said = run(bad)
    assert code != 0
    assert "line 3" in said


# --- the client ------------------------------------------------------------------------------


@pytest.fixture
def graft(told: TestClient) -> Client:
    """The client, over the app instead of a network."""
    key = told.headers.pop("authorization").removeprefix("Bearer ")

    def carry(request: httpx.Request) -> httpx.Response:
        answer = told.request(
            request.method, str(request.url), content=request.content, headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return Client("http://testserver", key=key, transport=httpx.MockTransport(carry))


def test_the_client_lists_takes_along_and_verifies(graft: Client, tmp_path: Path) -> None:
    page = graft.audit.list(AuditFilter("oldest", action="job.*"), limit=5)
    assert [line.action for line in page.items] == ["job.submit"]
    head = graft.audit.verify()
    assert head.number == 4
    folder = tmp_path / "out"
    folder.mkdir()
    path = graft.audit.save(folder / "trail.ndjson")
    with path.open("rb") as lines:
        assert verify_lines(lines, head).number == 5
    assert [p.name for p in folder.iterdir()] == ["trail.ndjson"]
    with pytest.raises(GraftError, match="noted"):
        graft.audit.verify(Head(3, "0" * 64))


def test_the_client_shows_limits_and_usage(graft: Client) -> None:
    names = {(limit.name, limit.scope) for limit in graft.limits.get()}
    assert names == {
        ("requests_per_minute", "key"),
        ("requests_per_minute", "workspace"),
        ("unfinished_jobs", "workspace"),
    }
    lowered = {limit.name: limit.limit for limit in graft.limits.lower({"unfinished_jobs": 2})}
    assert lowered["unfinished_jobs"] == 2
    assert {used.kind for used in graft.limits.usage()} >= {"upload_bytes"}


def test_the_page_names_every_action_that_is_written_and_no_other() -> None:
    root = DOCS.parents[1]
    sources = "\n".join(
        path.read_text("utf-8")
        for folder in ("api", "store", "worker", "graft")
        for path in (root / folder).rglob("*.py")
    )
    written = set(re.findall(r'\bappend\(\s*[^,()]+,\s*"([a-z]+\.[a-z_]+)"', sources))
    written |= {f"webhook.{what}" for what in re.findall(r'\b_note\("([a-z_]+)"', sources)}
    written |= set(re.findall(r'action="([a-z]+\.[a-z_]+)"', sources))
    table = DOCS.read_text("utf-8").partition("## Looking at it")[0]
    named = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`([a-z]+\.[a-z_]+)`", row)
    }
    assert written == named
