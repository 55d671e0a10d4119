"""A key is replaced while it is in use, and whoever has one can ask what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.keys.schemas import KeyRequest, RotationRequest
from api.keys.service import KeyService
from api.problems import Problem
from store.repositories import AuditTrail, Identity
from store.tables import ApiKey, AuditEvent

DAY = timedelta(days=1)


def _make(client: Any, *scopes: str, **more: Any) -> Any:
    answer = client.post("/v1/keys", json={"name": "portal", "scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def _rotate(client: Any, key_id: str, **asked: Any) -> Any:
    answer = client.post(f"/v1/keys/{key_id}/rotate", json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def _status(client: Any, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    status: int = client.get("/v1/jobs", headers=headers).status_code
    return status


def _moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


def _is_about(moment: datetime, expected: datetime) -> bool:
    return abs(moment - expected) < timedelta(seconds=30)


def test_both_keys_work_during_the_overlap_and_the_new_one_may_do_the_same(
    client: Any, database: Any
) -> None:
    old = _make(client, "researcher")
    with database.write() as session:
        session.get_one(ApiKey, old["id"]).limits = {"requests_per_minute": 7}
    new = _rotate(client, old["id"])
    assert (new["name"], new["scopes"], new["replaces"]) == ("portal", ["researcher"], old["id"])
    assert new["expires_at"] is None
    assert _status(client, old["key"]) == _status(client, new["key"]) == 200
    seen = client.get(f"/v1/keys/{old['id']}").json()
    assert _is_about(_moment(seen["expires_at"]), datetime.now(UTC) + DAY)
    assert "key" not in client.get(f"/v1/keys/{new['id']}").json()
    with database.read() as session:
        assert session.get_one(ApiKey, new["id"]).limits == {"requests_per_minute": 7}
        lines = session.scalars(select(AuditEvent).where(AuditEvent.action == "key.rotate")).all()
        assert [(line.subject, line.detail["replaces"]) for line in lines] == [
            (new["id"], old["id"])
        ]
        assert AuditTrail(session, lines[0].workspace_id).first_broken() is None


def test_without_overlap_the_old_key_is_worthless_at_once(client: Any) -> None:
    old = _make(client, "reader")
    new = _rotate(client, old["id"], overlap_seconds=0)
    assert (_status(client, old["key"]), _status(client, new["key"])) == (401, 200)


def test_an_old_key_never_lasts_longer_than_it_would_have(client: Any) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    old = _make(client, "reader", expires_at=soon.isoformat())
    new = _rotate(client, old["id"], overlap_seconds=7 * 86400)
    assert _moment(client.get(f"/v1/keys/{old['id']}").json()["expires_at"]) == soon
    # The new one lasts as long as the old one was made for.
    assert _is_about(_moment(new["expires_at"]), soon)


def test_a_key_whose_answer_was_lost_is_replaced_once_more_by_one_that_lasts(client: Any) -> None:
    forever = _make(client, "reader")
    lost = _rotate(client, forever["id"], overlap_seconds=60)
    again = _rotate(client, forever["id"], overlap_seconds=3600)
    assert lost["expires_at"] is again["expires_at"] is None
    seen = client.get(f"/v1/keys/{forever['id']}").json()
    assert _is_about(_moment(seen["expires_at"]), datetime.now(UTC) + timedelta(seconds=60))


@pytest.mark.parametrize("seconds", [-1, 30 * 86400 + 1, "soon", None])
def test_an_overlap_beyond_a_month_is_refused(client: Any, seconds: object) -> None:
    old = _make(client, "reader")
    answer = client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": seconds})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_key_that_is_over_is_not_replaced(client: Any) -> None:
    revoked = _make(client, "reader")
    client.delete(f"/v1/keys/{revoked['id']}")
    expired = _make(client, "reader")
    _rotate(client, expired["id"], overlap_seconds=0)
    for key in (revoked, expired):
        answer = client.post(f"/v1/keys/{key['id']}/rotate")
        assert (answer.status_code, answer.json()["code"]) == (409, "key_unusable")
    assert client.post("/v1/keys/key_none/rotate").status_code == 404
    assert client.get("/v1/keys/key_none").status_code == 404


def test_a_rotated_administrator_does_not_count_as_one_who_stays(client: Any) -> None:
    (first,) = client.get("/v1/keys").json()["items"]
    new = _rotate(client, first["id"])
    refused = client.delete(f"/v1/keys/{new['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    assert client.delete(f"/v1/keys/{first['id']}").status_code == 204
    client.headers["Authorization"] = f"Bearer {new['key']}"
    assert client.delete(f"/v1/keys/{new['id']}").json()["code"] == "last_admin"


def test_a_key_can_ask_who_it_is(client: Any) -> None:
    later = datetime.now(UTC) + DAY
    made = _make(client, "researcher", expires_at=later.isoformat())
    me = client.get("/v1/me", headers={"Authorization": f"Bearer {made['key']}"}).json()
    assert me | {"workspace_id": "", "expires_at": ""} == {
        "kind": "key",
        "id": made["id"],
        "name": "portal",
        "workspace_id": "",
        "workspace_name": "default",
        "scopes": ["reader", "researcher"],
        "expires_at": "",
    }
    assert _moment(me["expires_at"]) == later
    assert client.get("/v1/me").json()["scopes"] == ["reader", "researcher", "admin"]


def test_nobody_gives_a_key_what_they_lack(client: Any, database: Any) -> None:
    # Only administrators make keys today; should another role ever do, it must not rise by that.
    target = _make(client, "admin")
    with database.write() as session:
        workspace_id = session.get_one(ApiKey, target["id"]).workspace_id
        service = KeyService(session, Identity(workspace_id, "usr_1", frozenset({"researcher"})))
        for scopes in (["admin"], ["reader", "admin"]):
            with pytest.raises(Problem, match="lack the scope `admin`") as caught:
                service.create(KeyRequest(name="n", scopes=scopes), "pepper")
            assert (caught.value.status, caught.value.code) == (403, "scope_exceeded")
        with pytest.raises(Problem, match="lack the scope `admin`"):
            service.rotate(target["id"], RotationRequest(), "pepper")
        assert service.create(KeyRequest(name="n", scopes=["reader"]), "pepper")
