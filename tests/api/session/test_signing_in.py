"""A cookie in the place of a key: how it comes, what it is good for, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.app import create_app
from store.columns import utc_now
from store.page_tables import SignIn
from store.repositories.sign_ins import MOST_AT_ONCE
from store.retention import prune
from store.settings import Settings
from store.tables import ApiKey, AuditEvent


def _rows(database: Any) -> list[SignIn]:
    with database.read() as session:
        return list(session.scalars(select(SignIn)))


def _age(database: Any, **changes: Any) -> None:
    with database.write() as session:
        for row in session.scalars(select(SignIn)):
            for name, value in changes.items():
                setattr(row, name, value)


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


NOT_SIGNED_IN = (401, "not_signed_in")


def test_the_service_says_how_one_can_sign_in(browser: Any) -> None:
    assert browser.client.get("/v1/session/methods").json() == {"key": True, "oidc": None}
    for path in ("/v1/session/oidc", "/v1/session/oidc/callback?code=1&state=2"):
        assert _refusal(browser.client.get(path)) == (404, "oidc_off")
    assert _refusal(browser.client.get("/v1/session/workspace")) == (404, "oidc_off")


def test_a_key_signs_a_browser_in(browser: Any, admin_key: str, database: Any) -> None:
    assert _refusal(browser.client.get("/v1/session")) == NOT_SIGNED_IN
    answer = browser.sign_in(admin_key)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    [cookie] = answer.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict"}, "kept until the browser is closed"
    view = answer.json()
    assert view["me"]["scopes"] == ["reader", "researcher", "admin"]
    assert browser.client.get("/v1/session").json() == view
    assert browser.client.get("/v1/session").headers["cache-control"] == "no-store"
    assert browser.client.get("/v1/me").json() == view["me"]
    assert browser.client.get("/v1/keys").status_code == 200
    made = browser.ask("POST", "/v1/keys", json={"name": "portal"})
    assert made.status_code == 201
    [row] = _rows(database)
    kept = str(vars(row))
    assert browser.cookie not in kept
    assert view["csrf_token"] not in kept
    assert timedelta(hours=11.9) < row.expires_at - utc_now() <= timedelta(hours=12)


def test_by_https_the_cookie_is_bound_to_this_very_host(open_browser: Any, admin_key: str) -> None:
    browser = open_browser(base_url="https://testserver")
    [cookie] = browser.sign_in(admin_key).headers.get_list("set-cookie")
    assert cookie.startswith("__Host-graft_session=")
    assert "Secure" in cookie
    assert browser.client.get("/v1/me").status_code == 200
    # What a neighbour, or somebody on the way, could have set by http is not looked at.
    plain = open_browser(base_url="https://testserver")
    plain.client.cookies.set("graft_session", browser.client.cookies["__Host-graft_session"])
    assert _refusal(plain.client.get("/v1/me")) == (401, "key_missing")


@pytest.mark.parametrize("key", ["nonsense", "graft_x", "ö", "a.b.c"])
def test_what_is_no_key_signs_nobody_in(browser: Any, key: str, database: Any) -> None:
    answer = browser.sign_in(key)
    assert _refusal(answer) == (401, "key_unknown")
    assert "set-cookie" not in answer.headers
    assert key not in answer.text
    assert _rows(database) == []


def test_signing_out_ends_it_for_whoever_has_the_cookie(
    signed_in: Any, open_browser: Any, database: Any
) -> None:
    thief = open_browser()
    thief.client.cookies.set("graft_session", signed_in.cookie)
    thief.token = signed_in.token
    assert thief.ask("GET", "/v1/me").status_code == 200
    answer = signed_in.sign_out()
    assert answer.status_code == 204
    assert 'graft_session=""' in answer.headers["set-cookie"]
    assert signed_in.cookie is None
    assert _refusal(signed_in.client.get("/v1/session")) == NOT_SIGNED_IN
    for method, path in (("GET", "/v1/me"), ("GET", "/v1/session"), ("DELETE", "/v1/session")):
        assert _refusal(thief.ask(method, path)) == NOT_SIGNED_IN
    assert _refusal(thief.ask("POST", "/v1/keys", json={"name": "mine"})) == NOT_SIGNED_IN
    assert _rows(database) == []


def test_signing_in_anew_makes_an_old_cookie_worthless(
    browser: Any, admin_key: str, open_browser: Any
) -> None:
    """Somebody may have planted, or seen, the cookie that was there before (session fixation)."""
    planted = browser.sign_in(admin_key, Cookie="graft_session=planted")
    assert planted.cookies["graft_session"] == browser.cookie != "planted"
    old, old_token = browser.cookie, browser.token
    browser.sign_in(admin_key)
    assert (browser.cookie, browser.token) != (old, old_token)
    other = open_browser()
    other.client.cookies.set("graft_session", old)
    assert _refusal(other.client.get("/v1/me")) == NOT_SIGNED_IN
    assert browser.ask("GET", "/v1/me").status_code == 200


def test_a_key_ends_what_was_signed_in_with_it(
    client: TestClient, open_browser: Any, database: Any
) -> None:
    made = client.post("/v1/keys", json={"name": "n", "scopes": ["researcher"]}).json()
    browser = open_browser()
    browser.sign_in(made["key"])
    with database.write() as session:
        session.get_one(ApiKey, made["id"]).scopes = ["reader"]
    assert browser.client.get("/v1/session").json()["me"]["scopes"] == ["reader"]
    soon = utc_now() + timedelta(minutes=5)
    with database.write() as session:
        session.get_one(ApiKey, made["id"]).expires_at = soon
    assert browser.client.get("/v1/session").json()["expires_at"][:19] == soon.isoformat()[:19]
    with database.write() as session:
        session.get_one(ApiKey, made["id"]).expires_at = utc_now()
    assert _refusal(browser.client.get("/v1/me")) == NOT_SIGNED_IN
    with database.write() as session:
        session.get_one(ApiKey, made["id"]).expires_at = None
    assert browser.client.get("/v1/me").status_code == 200
    assert client.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert _refusal(browser.client.get("/v1/me")) == NOT_SIGNED_IN
    assert _refusal(browser.sign_in(made["key"])) == (401, "key_unknown")


def test_it_runs_out_and_lies_idle(signed_in: Any, database: Any) -> None:
    now = utc_now()
    _age(database, last_seen_at=now - timedelta(hours=1, minutes=59))
    assert signed_in.client.get("/v1/me").status_code == 200
    [row] = _rows(database)
    assert row.last_seen_at is not None
    assert now - row.last_seen_at < timedelta(minutes=1), "it was seen by that"
    _age(database, last_seen_at=now - timedelta(hours=2, seconds=1))
    assert _refusal(signed_in.client.get("/v1/me")) == NOT_SIGNED_IN
    assert _refusal(signed_in.client.get("/v1/session")) == NOT_SIGNED_IN
    _age(database, last_seen_at=now, expires_at=now)
    assert _refusal(signed_in.client.get("/v1/me")) == NOT_SIGNED_IN
    assert prune(database) == 1
    assert _rows(database) == []


def test_only_so_many_browsers_at_once(
    open_browser: Any, admin_key: str, database: Any, stranger: TestClient
) -> None:
    theirs = stranger.headers["Authorization"].removeprefix("Bearer ")
    other = open_browser()
    other.sign_in(theirs)
    first = open_browser()
    first.sign_in(admin_key)
    for _ in range(MOST_AT_ONCE - 1):
        open_browser().sign_in(admin_key)
    assert first.client.get("/v1/me").status_code == 200
    last = open_browser()
    last.sign_in(admin_key)
    assert len(_rows(database)) == MOST_AT_ONCE + 1
    assert _refusal(first.client.get("/v1/me")) == NOT_SIGNED_IN
    assert last.client.get("/v1/me").status_code == 200
    assert other.client.get("/v1/me").status_code == 200


def test_a_key_in_the_header_wins_over_a_cookie(signed_in: Any, client: TestClient) -> None:
    made = client.post("/v1/keys", json={"name": "n", "scopes": ["reader"]}).json()
    bearer = {"Authorization": f"Bearer {made['key']}"}
    assert signed_in.client.get("/v1/me", headers=bearer).json()["id"] == made["id"]
    # And needs no token, for no other site can send it.
    asked = signed_in.client.post("/v1/keys", json={"name": "x"}, headers=bearer)
    assert _refusal(asked) == (403, "scope_missing")
    for wrong in ("Bearer nonsense", "Bearer", "Basic eDp5", ""):
        answer = signed_in.client.get("/v1/me", headers={"Authorization": wrong})
        assert answer.status_code == 401, wrong
    # About the browser itself it says nothing.
    assert signed_in.client.get("/v1/session", headers=bearer).json()["me"]["id"] != made["id"]


def test_a_browser_is_in_the_workspace_of_its_key(
    signed_in: Any, stranger: TestClient, open_browser: Any
) -> None:
    theirs = open_browser()
    theirs.sign_in(stranger.headers["Authorization"].removeprefix("Bearer "))
    here, there = (b.client.get("/v1/session").json()["me"] for b in (signed_in, theirs))
    assert (here["workspace_name"], there["workspace_name"]) == ("default", "theirs")
    assert here["id"] not in theirs.client.get("/v1/keys").text
    elsewhere = {"Graft-Workspace": "theirs"}
    answer = signed_in.client.get("/v1/me", headers=elsewhere)
    assert _refusal(answer) == (403, "workspace_denied")
    assert theirs.client.get("/v1/me", headers=elsewhere).status_code == 200
    # A token of one is none for the other.
    theirs.token = signed_in.token
    assert _refusal(theirs.sign_out()) == (403, "csrf_failed")


def test_signing_in_and_out_is_in_the_trail(signed_in: Any, admin_key: str, database: Any) -> None:
    signed_in.sign_in(admin_key)
    signed_in.sign_out()
    with database.read() as session:
        lines = session.scalars(
            select(AuditEvent).where(AuditEvent.action.like("session.%")).order_by(AuditEvent.id)
        ).all()
        said = [(line.action, line.detail.get("by") or line.detail["why"]) for line in lines]
        assert said == [
            ("session.start", "key"),
            ("session.end", "replaced"),
            ("session.start", "key"),
            ("session.end", "sign-out"),
        ]
        assert len({line.actor for line in lines}) == 1
        names = [line.detail["session"] for line in lines]
        assert names[0] == names[1] != names[2] == names[3]


def test_a_cookie_is_counted_as_its_key_is(settings: Settings, open_browser: Any) -> None:
    limited = settings.model_copy(update={"limit_requests_per_minute": 5})
    app = create_app(limited)
    from store.bootstrap import ensure_admin

    key = ensure_admin(app.state.context.database, limited)
    browser = open_browser(app)
    assert browser.sign_in(str(key)).status_code == 201
    statuses = [browser.client.get("/v1/me").status_code for _ in range(2)]
    bearer = {"Authorization": f"Bearer {key}"}
    statuses += [browser.client.get("/v1/me", headers=bearer).status_code for _ in range(2)]
    assert statuses == [200] * 4
    for answer in (
        browser.client.get("/v1/me"),
        browser.client.get("/v1/session"),
        browser.client.get("/v1/me", headers=bearer),
        browser.sign_in(str(key)),
    ):
        assert _refusal(answer) == (429, "too_many_requests")
        assert answer.headers["retry-after"]


def test_whoever_guesses_keys_or_cookies_is_stopped(settings: Settings, open_browser: Any) -> None:
    app = create_app(settings.model_copy(update={"limit_refused_per_minute": 4}))
    from store.bootstrap import ensure_admin

    key = str(ensure_admin(app.state.context.database, settings))
    good, guesser = open_browser(app), open_browser(app)
    good.sign_in(key)
    assert good.client.get("/v1/me").status_code == 200
    for _ in range(5):  # the page asks so whenever it is opened, which is no guess
        assert open_browser(app).client.get("/v1/session").status_code == 401
    for number in range(2):
        assert guesser.sign_in(f"guess {number}").status_code == 401
        guesser.client.cookies.set("graft_session", f"guess {number}")
        path = ("/v1/me", "/v1/session")[number]
        assert guesser.client.get(path).status_code == 401
    assert _refusal(guesser.client.get("/v1/me")) == (429, "too_many_refusals")
    assert _refusal(guesser.client.get("/v1/session")) == (429, "too_many_refusals")
    assert _refusal(guesser.sign_in("another")) == (429, "too_many_refusals")
    # Whoever shares the address and is signed in is not shut out.
    assert good.client.get("/v1/me").status_code == 200


def test_where_nothing_can_be_written_a_signed_in_browser_may_still_look(
    signed_in: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    _age(database, last_seen_at=utc_now() - timedelta(hours=1))

    def is_full(*_args: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr("store.repositories.sign_ins.SignInRepository.touch", is_full)
    assert signed_in.client.get("/v1/me").status_code == 200


def test_the_contract_speaks_of_the_cookie(app: FastAPI) -> None:
    document = app.openapi()
    scheme = document["components"]["securitySchemes"]["session"]
    assert (scheme["in"], scheme["name"]) == ("cookie", "graft_session")
    assert "Graft-CSRF" in scheme["description"]
    ways = [next(iter(way)) for way in document["paths"]["/v1/jobs"]["get"]["security"]]
    assert ways == ["key", "oidc", "session"]
    assert "security" not in document["paths"]["/v1/session"]["post"]
