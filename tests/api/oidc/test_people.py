"""From a token to a workspace, roles and an id that the trail knows."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from oidc_issuer import FakeIssuer
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from store.access_tables import Principal
from store.columns import utc_now
from store.tables import AuditEvent


def test_a_person_keeps_one_id_and_is_seen(issuer: FakeIssuer, person: Any, database: Any) -> None:
    first = person(issuer.token()).json()["id"]
    assert person(issuer.token(name="Dr. Mira Kim")).json()["id"] == first
    assert person(issuer.token(sub="another")).json()["id"] != first
    with database.write() as session:
        row = session.get_one(Principal, first)
        assert (row.subject, row.name) == ("mira", "Dr. Mira")
        row.last_seen_at = utc_now() - timedelta(hours=1)
    person(issuer.token(name="Dr. Mira Kim"))
    with database.read() as session:
        row = session.get_one(Principal, first)
        assert row.name == "Dr. Mira Kim"
        assert row.last_seen_at is not None
        assert utc_now() - row.last_seen_at < timedelta(minutes=1)
        entered = session.scalars(
            select(AuditEvent.actor).where(AuditEvent.action == "person.enter")
        ).all()
        assert entered.count(first) == 1


def test_what_a_person_does_is_in_the_trail_under_their_id(
    issuer: FakeIssuer, person: Any, people_app: Any, database: Any
) -> None:
    from fastapi.testclient import TestClient

    token = issuer.token(groups=["leaders"])
    me = person(token).json()["id"]
    client = TestClient(people_app, headers={"Authorization": f"Bearer {token}"})
    assert client.post("/v1/keys", json={"name": "portal"}).status_code == 201
    with database.read() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.actor == me)).all()
        assert [line.action for line in lines] == ["person.enter", "key.create"]


@pytest.mark.parametrize(
    ("groups", "scopes"),
    [
        (["students"], ["reader"]),
        (["physicians"], ["reader", "researcher"]),
        (["leaders"], ["reader", "researcher", "admin"]),
        (["students", "leaders", "unheard of"], ["reader", "researcher", "admin"]),
    ],
)
def test_groups_decide_on_the_scopes(
    issuer: FakeIssuer, person: Any, groups: list[str], scopes: list[str]
) -> None:
    token = issuer.token(groups=groups)
    assert person(token).json()["scopes"] == scopes
    assert person(token, path="/v1/keys").status_code == (200 if "admin" in scopes else 403)


def test_a_person_who_lacks_a_scope_is_told_so(issuer: FakeIssuer, person: Any) -> None:
    answer = person(issuer.token(), path="/v1/keys")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert answer.json()["detail"] == "You lack the scope `admin`."
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("groups", [None, [], ["unheard of"], ["nowhere"], ["Physicians"]])
def test_whoever_is_in_no_group_of_ours_gets_nowhere(
    issuer: FakeIssuer, person: Any, groups: Any, database: Any
) -> None:
    answer = person(issuer.token(groups=groups))
    assert (answer.status_code, answer.json()["code"]) == (403, "no_workspace")
    with database.read() as session:
        assert session.scalar(select(Principal)) is None


def test_whoever_is_in_several_workspaces_chooses_one(issuer: FakeIssuer, person: Any) -> None:
    token = issuer.token(groups=["students", "radiology"])
    unclear = person(token)
    assert (unclear.status_code, unclear.json()["code"]) == (403, "workspace_unclear")
    offered = {w["name"]: w["id"] for w in unclear.json()["workspaces"]}
    assert sorted(offered) == ["Röntgen 2", "default"]
    there = person(token, workspace=quote("Röntgen 2")).json()
    assert (there["workspace_name"], there["scopes"]) == ("Röntgen 2", ["reader", "researcher"])
    assert person(token, workspace=offered["Röntgen 2"]).json() == there
    here = person(token, workspace="default").json()
    assert (here["workspace_name"], here["scopes"]) == ("default", ["reader"])
    assert here["id"] != there["id"], "an actor belongs to one workspace"


def test_a_workspace_of_others_and_one_that_is_not_there_look_the_same(
    issuer: FakeIssuer, person: Any, admin_key: str
) -> None:
    told = set()
    for wanted in (quote("Röntgen 2"), "not there", "ws_0", ""):
        for bearer in (issuer.token(), admin_key):
            answer = person(bearer, workspace=wanted)
            told.add((answer.status_code, answer.json()["code"], answer.json()["detail"]))
    assert [(status, code) for status, code, _ in told] == [(403, "workspace_denied")]
    assert person(admin_key, workspace="default").status_code == 200


def test_two_first_requests_at_once_are_one_person(
    issuer: FakeIssuer, person: Any, database: Any
) -> None:
    token, ids = issuer.token(), []
    threads = [
        threading.Thread(target=lambda: ids.append(person(token).json()["id"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    with database.read() as session:
        assert len(session.scalars(select(Principal)).all()) == 1


def test_whoever_loses_the_race_to_be_first_is_the_same_person(
    issuer: FakeIssuer, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = person(issuer.token()).json()["id"]
    from store.repositories.principals import PrincipalRepository

    real, looked = PrincipalRepository.find, []

    def blind_once(self: Any, *asked: Any) -> Any:
        looked.append(1)
        return None if len(looked) == 1 else real(self, *asked)

    monkeypatch.setattr(PrincipalRepository, "find", blind_once)
    assert person(issuer.token()).json()["id"] == first


def test_where_nothing_can_be_written_a_known_person_may_still_look(
    issuer: FakeIssuer, person: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = person(issuer.token()).json()["id"]
    with database.write() as session:
        session.get_one(Principal, known).last_seen_at = None

    def is_full(*_args: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr("store.repositories.principals.PrincipalRepository.touch", is_full)
    assert person(issuer.token()).status_code == 200


def test_without_an_issuer_a_token_is_an_unknown_key(client: Any, issuer: FakeIssuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    answer = client.get("/v1/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")
    assert issuer.asked == []
