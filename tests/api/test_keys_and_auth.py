"""Keys and scopes; ``test_every_route.py`` tries them on every route."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError


def _make(client: Any, *scopes: str) -> Any:
    return client.post("/v1/keys", json={"name": "n", "scopes": list(scopes)}).json()


def _with(client: Any, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_shown_once_and_works_at_once(client: Any) -> None:
    made = client.post("/v1/keys", json={"name": "portal"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    assert body["scopes"] == ["researcher"]
    assert client.get("/v1/jobs", headers=_with(client, body["key"])).status_code == 200
    listed = client.get("/v1/keys").json()["items"]
    assert body["id"] in {item["id"] for item in listed}
    assert body["key"] not in client.get("/v1/keys").text


def test_a_revoked_key_is_refused(client: Any) -> None:
    made = _make(client, "reader")
    assert client.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert client.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert client.get("/v1/jobs", headers=_with(client, made["key"])).status_code == 401


def test_an_expired_key_is_refused(client: Any, database: Any) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = client.post("/v1/keys", json={"name": "n", "expires_at": later}).json()
    assert client.get("/v1/jobs", headers=_with(client, made["key"])).status_code == 200
    with database.write() as session:
        session.execute(
            text("UPDATE api_keys SET expires_at = '2020-01-01 00:00:00.000000' WHERE id = :id"),
            {"id": made["id"]},
        )
    assert client.get("/v1/jobs", headers=_with(client, made["key"])).status_code == 401
    past = client.post("/v1/keys", json={"name": "n", "expires_at": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["code"]) == (422, "expiry_past")
    for never in ("9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"):
        answer = client.post("/v1/keys", json={"name": "n", "expires_at": never})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_last_administrator_cannot_lock_everyone_out(client: Any) -> None:
    (first,) = client.get("/v1/keys").json()["items"]
    refused = client.delete(f"/v1/keys/{first['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    _make(client, "admin")
    assert client.delete(f"/v1/keys/{first['id']}").status_code == 204


def test_scopes_allow_what_they_say_and_no_more(client: Any, hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    body = {"dataset_id": dataset_id, "real_counts": [10]}
    keys = {scope: _make(client, scope)["key"] for scope in ("reader", "researcher", "admin")}
    allowed = {"reader": (200, 403, 403), "researcher": (200, 202, 403), "admin": (200, 202, 200)}
    for scope, key in keys.items():
        headers = _with(client, key)
        got = (
            client.get("/v1/jobs", headers=headers).status_code,
            client.post("/v1/jobs", json=body, headers=headers).status_code,
            client.get("/v1/keys", headers=headers).status_code,
        )
        assert got == allowed[scope]
    refused = client.get("/v1/keys", headers=_with(client, keys["reader"]))
    assert refused.json()["code"] == "scope_missing"
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    "header", ["Bearer graft_x", "Bearer ", "Basic abc", "Bearer graft_0_" + "0" * 47, "nonsense"]
)
def test_what_is_no_key_is_refused(client: Any, header: str) -> None:
    answer = client.get("/v1/jobs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_with_one_wrong_character_is_refused(client: Any, admin_key: str) -> None:
    for place in (8, 30, len(admin_key) - 1):
        changed = "0" if admin_key[place] != "0" else "1"
        wrong = admin_key[:place] + changed + admin_key[place + 1 :]
        assert client.get("/v1/jobs", headers=_with(client, wrong)).status_code == 401


def test_using_a_key_is_noted(client: Any) -> None:
    client.get("/v1/jobs")
    (item,) = client.get("/v1/keys").json()["items"]
    assert item["last_used_at"] is not None


def test_where_nothing_can_be_written_one_may_still_look(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_args: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr("store.repositories.KeyRepository.touch", is_full)
    assert client.get("/v1/jobs").status_code == 200
