"""Every route of the app × everyone who must not get through; the app says which routes there are.

A new route is visited without anybody's doing. One without authorisation fails here unless it is
added to ``visiting.PUBLIC``, and one with a parameter that the fixture ``theirs`` has no id for
fails until it has one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from oidc_issuer import (
    AUDIENCE,
    FakeIssuer,
    hmac_token,
    private_key,
    public_pem,
    running_issuer,
    unsigned_token,
)
from visiting import (
    NO_IDS,
    PUBLIC,
    SAFE,
    Everything,
    Visitor,
    absent,
    calls_of,
    filters_of,
    guarded,
    not_refused,
    told_apart,
)

from api.app import create_app
from api.auth import authorize
from api.roles import needed_scopes, table
from store.access_tables import Principal
from store.columns import new_id, utc_now
from store.database import Database
from store.key_texts import make_key
from store.repositories import KeyRepository
from store.roles import what_scopes_allow
from store.settings import Settings
from store.tables import ApiKey, Workspace
from store.upload_tables import UploadPart, UploadSession
from store.webhook_tables import Webhook, WebhookDelivery, WebhookMessage

# --- keys ---


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Here all who are refused come from one address; how many may is tested elsewhere."""
    return settings.model_copy(update={"limit_refused_per_minute": None})


@pytest.fixture
def pepper(settings: Settings) -> str:
    assert settings.secret_key is not None
    return settings.secret_key.get_secret_value()


@pytest.fixture
def workspace_id(database: Database, admin_key: str) -> str:
    assert admin_key
    with database.read() as session:
        found: str = session.query(Workspace).filter_by(name="default").one().id
        return found


def _key(database: Database, workspace_id: str, pepper: str, *scopes: str, **changes: Any) -> str:
    with database.write() as session:
        row, text = KeyRepository(session, workspace_id).add("n", scopes, pepper)
        for name, value in changes.items():
            setattr(row, name, value)
    return text


def test_there_are_routes_and_each_is_in_the_contract(app: FastAPI) -> None:
    found = guarded(app)
    assert len(found) >= 27
    needed = needed_scopes(app)
    assert [call for call in found if not needed.get(call)] == []
    assert set(calls_of(app)) >= PUBLIC, "what is not there any more need not be listed"


@pytest.mark.parametrize("bearer", [None, "", "nonsense", "graft_x", "x" * 5000])
def test_without_a_key_or_with_something_else_nobody_gets_through(
    app: FastAPI, anonymous: Any, bearer: str | None
) -> None:
    refusals = {"key_missing": 'realm="graft"', "key_unknown": 'error="invalid_token"'}
    assert not_refused(app, Visitor(anonymous, bearer), 401, refusals) == []


def test_an_unknown_an_expired_and_a_revoked_key_do_not_get_through(
    app: FastAPI, anonymous: Any, database: Database, workspace_id: str, pepper: str
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    keys = {
        "of another secret": make_key("another secret").text,
        "never kept": make_key(pepper).text,
        "expired": _key(database, workspace_id, pepper, "admin", expires_at=past),
        "revoked": _key(database, workspace_id, pepper, "admin", revoked_at=past),
    }
    for what, key in keys.items():
        refusals = {"key_unknown": 'error="invalid_token"'}
        assert not_refused(app, Visitor(anonymous, key), 401, refusals) == [], what


def test_a_key_without_the_scope_does_not_get_through(
    app: FastAPI, anonymous: Any, database: Database, workspace_id: str, pepper: str
) -> None:
    needed = needed_scopes(app)
    for scopes in ([], ["unheard of"], ["reader"], ["researcher"]):
        visitor = Visitor(anonymous, _key(database, workspace_id, pepper, *scopes))
        passed = {call for call, *_ in not_refused(app, visitor, 403, {"scope_missing": "scope="})}
        allowed = {c for c in needed if what_scopes_allow(scopes).issuperset(needed[c])}
        assert passed == allowed, f"with {scopes}"


# --- the ids of somebody else ---


@pytest.fixture
def theirs(hospital: Any, database: Database, workspace_id: str) -> dict[str, str]:
    """Ids of real things of one workspace, by the parameters that name them."""
    job_id = hospital.finished_job()
    now = utc_now()
    about = {"workspace_id": workspace_id}
    webhook = Webhook(
        id=new_id("wh"),
        url="https://portal.example",
        events=[],
        secrets=[],
        created_by="key",
        **about,
    )
    message = WebhookMessage(id=new_id("msg"), type="webhook.test", data={}, **about)
    delivery = WebhookDelivery(
        id=new_id("dlv"), webhook_id=webhook.id, message_id=message.id, status="failed", **about
    )
    upload = UploadSession(
        id=new_id("up"),
        created_by="key",
        media_type="application/zip",
        size=20,
        part_size=10,
        expires_at=now + timedelta(days=1),
        **about,
    )
    part = UploadPart(
        upload_id=upload.id, number=1, size=10, sha256="0" * 64, object_key="no/where", **about
    )
    person = Principal(id=new_id("usr"), issuer="https://sso", subject="mira", **about)
    with database.write() as session:
        for row in (webhook, message, upload, person):
            session.add(row)
        session.flush()
        session.add_all([delivery, part])
        key = session.query(ApiKey).filter(ApiKey.workspace_id == workspace_id).first()
        assert key is not None
        key_id = key.id
    return {
        "dataset_id": hospital.client.get(f"/v1/jobs/{job_id}").json()["dataset_id"],
        "job_id": job_id,
        "artifact_id": hospital.artifact(job_id, "report-html")["id"],
        "model_id": hospital.model(job_id)["id"],
        "key_id": key_id,
        "person_id": person.id,
        "webhook_id": webhook.id,
        "delivery_id": delivery.id,
        "upload_id": upload.id,
        **NO_IDS,
    }


def test_of_a_strangers_things_nothing_can_be_told_on_any_route(
    app: FastAPI, hospital: Any, stranger: Any, theirs: dict[str, str]
) -> None:
    before = _state(hospital.client, theirs)
    key = stranger.headers["Authorization"].removeprefix("Bearer ")
    assert told_apart(app, Visitor(stranger, key), theirs) == []
    assert _state(hospital.client, theirs) == before


def _state(client: Any, theirs: dict[str, str]) -> list[Any]:
    """What its owner sees of each; that there is something is half of what is tested."""
    found = []
    for path, name in (
        ("datasets", "dataset_id"),
        ("jobs", "job_id"),
        ("artifacts", "artifact_id"),
        ("models", "model_id"),
        ("people", "person_id"),
    ):
        answer = client.get(f"/v1/{path}/{theirs[name]}")
        assert answer.status_code == 200
        found.append(answer.json())
    key = client.get(f"/v1/keys/{theirs['key_id']}").json()
    return [*found, key | {"last_used_at": None}]


def test_of_a_strangers_things_nothing_can_be_told_by_a_filter_or_in_a_body(
    app: FastAPI, stranger: Any, theirs: dict[str, str]
) -> None:
    found = filters_of(app)
    assert len(found) >= 3
    key = stranger.headers["Authorization"].removeprefix("Bearer ")
    visitor = Visitor(stranger, key)
    for call, name in found:
        assert name in theirs, f"nothing to try {name} of {call} with"
        real = visitor.ask(call, Everything(), **{name: theirs[name]})
        nobodys = visitor.ask(call, Everything(), **{name: absent(theirs[name])})
        assert real.content.replace(theirs[name].encode(), b"") == nobodys.content.replace(
            absent(theirs[name]).encode(), b""
        ), (call, name)
        assert real.status_code == nobodys.status_code
        if call[0] == "GET":
            assert real.json()["items"] == []
    for given in (theirs["dataset_id"], absent(theirs["dataset_id"])):
        answer = stranger.post("/v1/jobs", json={"dataset_id": given, "real_counts": [10]})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_lists_hold_nothing_of_a_stranger(
    app: FastAPI, stranger: Any, theirs: dict[str, str]
) -> None:
    lists = [path for method, path in guarded(app) if method == "GET" and "{" not in path]
    assert len(lists) >= 5
    for path in lists:
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        for name in theirs.keys() - NO_IDS.keys():
            assert theirs[name] not in answer.text, path


# --- browsers ---


@pytest.fixture
def browser(app: FastAPI, admin_key: str) -> Iterator[TestClient]:
    """A browser that an administrator has signed in with; what it is told is in its headers."""
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as made:
        assert made.post("/v1/session", json={"key": admin_key}).status_code == 201
        yield made


def _unsafe(app: FastAPI) -> set[str]:
    return {method for method, _path in guarded(app)} - SAFE


@pytest.mark.parametrize("token", [None, "", "nonsense", "0" * 64])
def test_a_cookie_without_its_token_does_nothing(
    app: FastAPI, browser: TestClient, token: str | None
) -> None:
    """Another site can have a browser send the cookie, but cannot know the token."""
    unsafe = _unsafe(app)
    assert unsafe >= {"POST", "PUT", "PATCH", "DELETE"}
    headers = {} if token is None else {"Graft-CSRF": token}
    visitor = Visitor(browser, None, headers)
    assert not_refused(app, visitor, 403, {"csrf_failed": ""}, unsafe) == []
    # The same cookie is good for looking, so it was not refused for itself.
    assert browser.get("/v1/keys").status_code == 200


def test_with_its_token_a_cookie_gets_through_on_every_route(
    app: FastAPI, browser: TestClient
) -> None:
    headers = {"Graft-CSRF": browser.get("/v1/session").json()["csrf_token"]}
    visitor, unsafe = Visitor(browser, None, headers), _unsafe(app)
    passed = not_refused(app, visitor, 403, {"csrf_failed": ""}, unsafe)
    assert {call for call, *_ in passed} == {c for c in guarded(app) if c[0] in unsafe}
    assert {status for _call, status, _code in passed}.isdisjoint({401, 403})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_sends_for_another_site_does_nothing_and_shows_nothing(
    app: FastAPI, browser: TestClient, site: str
) -> None:
    token = browser.get("/v1/session").json()["csrf_token"]
    visitor = Visitor(browser, None, {"Graft-CSRF": token, "Sec-Fetch-Site": site})
    assert not_refused(app, visitor, 403, {"csrf_failed": ""}) == []


def test_a_cookie_that_is_none_any_more_does_not_get_through(
    app: FastAPI, browser: TestClient
) -> None:
    token = browser.get("/v1/session").json()["csrf_token"]
    cookies = dict(browser.cookies)
    assert browser.delete("/v1/session", headers={"Graft-CSRF": token}).status_code == 204
    browser.cookies.update(cookies)
    visitor = Visitor(browser, None, {"Graft-CSRF": token})
    assert not_refused(app, visitor, 401, {"not_signed_in": "Bearer"}) == []


def test_a_browser_of_another_workspace_finds_nothing_of_ours(
    app: FastAPI, stranger: TestClient, theirs: dict[str, str]
) -> None:
    key = stranger.headers.pop("Authorization").removeprefix("Bearer ")
    signed_in = stranger.post("/v1/session", json={"key": key})
    headers = {"Graft-CSRF": signed_in.json()["csrf_token"]}
    assert told_apart(app, Visitor(stranger, None, headers), theirs) == []


# --- people ---


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def with_people(app: FastAPI, settings: Settings, issuer: FakeIssuer) -> TestClient:
    groups = {
        "students": ["default:reader"],
        "physicians": ["default:researcher"],
        "visitors": ["theirs:admin"],
    }
    given = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_groups": groups}
    made = create_app(
        Settings.model_validate(settings.model_dump() | given),
        database=app.state.context.database,
        objects=app.state.context.objects,
    )
    return TestClient(made, raise_server_exceptions=False, follow_redirects=False)


def test_a_token_that_is_not_good_does_not_get_through(
    app: FastAPI, with_people: TestClient, issuer: FakeIssuer, workspace_id: str
) -> None:
    assert workspace_id
    now = int(time.time())
    secret = public_pem(private_key("first"))
    tokens = {
        "expired": issuer.token(exp=now - 3600),
        "for another audience": issuer.token(aud="another"),
        "of another issuer": issuer.token(iss="https://sso.example"),
        "unsigned": unsigned_token(issuer.claims()),
        "signed with the public key as a secret": hmac_token(issuer.claims(), secret, "first"),
        "with an unknown key": issuer.token(headers={"kid": "unknown"}),
        "signed by somebody else": issuer.token(private_key("second")),
        "without a subject": issuer.token(sub=None),
    }
    refusals = dict.fromkeys(("token_invalid", "token_expired"), 'error="invalid_token"')
    for what, token in tokens.items():
        assert not_refused(app, Visitor(with_people, token), 401, refusals) == [], what
    # In no group of ours.
    visitor = Visitor(with_people, issuer.token(groups=["others"]))
    assert not_refused(app, visitor, 403, {"no_workspace": ""}) == []


def test_a_person_without_the_role_does_not_get_through(
    app: FastAPI, with_people: TestClient, issuer: FakeIssuer, workspace_id: str
) -> None:
    assert workspace_id
    needed = needed_scopes(app)
    for group, role in (("students", "reader"), ("physicians", "researcher")):
        visitor = Visitor(with_people, issuer.token(groups=[group]))
        passed = {call for call, *_ in not_refused(app, visitor, 403, {"scope_missing": "scope="})}
        assert passed == {c for c in needed if what_scopes_allow([role]).issuperset(needed[c])}


def test_a_person_of_another_workspace_finds_nothing_of_ours(
    app: FastAPI,
    with_people: TestClient,
    issuer: FakeIssuer,
    stranger: Any,
    theirs: dict[str, str],
) -> None:
    assert stranger
    visitor = Visitor(with_people, issuer.token(groups=["visitors"]))
    assert told_apart(app, visitor, theirs) == []


def test_an_issuer_that_is_silent_is_not_the_callers_fault(
    app: FastAPI, with_people: TestClient, issuer: FakeIssuer
) -> None:
    issuer.status = 500
    visitor = Visitor(with_people, issuer.token())
    assert not_refused(app, visitor, 503, {"issuer_unavailable": ""}) == []


# --- that these tests can fail, and that the page is true ---


def test_a_route_that_forgets_to_authorise_is_found(app: FastAPI, anonymous: Any) -> None:
    app.get("/v1/forgotten")(lambda: {"secret": 1})
    assert not_refused(app, Visitor(anonymous, None), 401, {"key_missing": "Bearer"}) == [
        (("GET", "/v1/forgotten"), 200, "")
    ]
    assert ("GET", "/v1/forgotten") in guarded(app)
    assert needed_scopes(app).get(("GET", "/v1/forgotten")) is None


def test_a_route_that_tells_or_that_nobody_can_try_is_found(
    app: FastAPI, stranger: Any, theirs: dict[str, str]
) -> None:
    needs = [Depends(authorize)]
    app.get("/v1/leaks/{job_id}", dependencies=needs)(lambda job_id: {"it is": job_id})
    app.get("/v1/new/{unheard_of_id}", dependencies=needs)(lambda unheard_of_id: unheard_of_id)
    key = stranger.headers["Authorization"].removeprefix("Bearer ")
    told = told_apart(app, Visitor(stranger, key), theirs)
    assert [(call[1], why) for call, why, *_ in told] == [
        ("/v1/leaks/{job_id}", 200),
        ("/v1/new/{unheard_of_id}", "`theirs` knows nothing of ['unheard_of_id']"),
    ]


def test_the_page_of_roles_is_true(app: FastAPI) -> None:
    page = Path(__file__).parents[2] / "docs" / "roles.md"
    assert page.read_text("utf-8") == table(app), (
        "the routes have changed: python -m api.roles > docs/roles.md"
    )
