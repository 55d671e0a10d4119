"""Signing in with an issuer: the authorization code flow, and those who disturb it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from oidc_issuer import AUDIENCE, FakeIssuer, private_key, unsigned_token
from sqlalchemy import select

from api.session import cookies
from store.access_tables import Principal
from store.database import Database
from store.tables import AuditEvent

CALLBACK = "/v1/session/oidc/callback"
PAGE = {"Accept": "text/html,*/*"}


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_person_signs_in(person: Any, issuer: FakeIssuer, database: Database) -> None:
    ways = person.client.get("/v1/session/methods").json()
    assert ways["oidc"] == {"issuer": issuer.url, "start": "/v1/session/oidc"}
    started = person.client.get(ways["oidc"]["start"])
    asked = parse_qs(urlsplit(started.headers["location"]).query)
    assert asked["client_id"] == ["graft page"]
    assert asked["redirect_uri"] == [f"http://testserver{CALLBACK}"]
    assert asked["scope"] == ["openid profile email"]
    [cookie] = started.headers.get_list("set-cookie")
    for part in ("HttpOnly", "Path=/v1/session/oidc", "SameSite=lax", "Max-Age=600"):
        assert part in cookie
    assert asked["state"][0] not in cookie, "it is sealed"
    answer = person.come_back(**issuer.consent(started.headers["location"]))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "graft_oidc" not in person.client.cookies
    view = person.client.get("/v1/session").json()
    person.token = view["csrf_token"]
    me = view["me"]
    assert (me["kind"], me["name"], me["scopes"]) == (
        "person",
        "Dr. Mira",
        ["reader", "researcher"],
    )
    assert me["expires_at"] == view["expires_at"]
    assert person.client.get("/v1/datasets").status_code == 200
    assert _refusal(person.client.get("/v1/keys")) == (403, "scope_missing")
    assert person.sign_out().status_code == 204
    with database.read() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.actor == me["id"])).all()
        assert [line.action for line in lines] == [
            "person.enter",
            "session.start",
            "request.refused",
            "session.end",
        ]
        assert lines[1].detail["by"] == "oidc"


def test_by_https_no_neighbouring_host_can_plant_a_sign_in_that_is_under_way(
    open_browser: Any, with_oidc: FastAPI, issuer: FakeIssuer
) -> None:
    person = open_browser(with_oidc, base_url="https://testserver")
    started = person.client.get("/v1/session/oidc")
    [cookie] = started.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-graft_oidc=")
    # RFC 6265bis, 4.1.3.2: without each of these a browser refuses the name.
    assert {"Secure", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()
    back = issuer.consent(started.headers["location"])
    # What somebody began elsewhere, under a name that any host of the domain may set.
    sealed = person.client.cookies["__Host-graft_oidc"].strip('"')
    planted = open_browser(with_oidc, base_url="https://testserver")
    for name in ("graft_oidc", "__Secure-graft_oidc"):
        answer = planted.client.get(CALLBACK, params=back, headers={"Cookie": f"{name}={sealed}"})
        assert _refusal(answer) == (400, "sign_in_lost")
    assert person.come_back(**back).status_code == 303
    assert "__Host-graft_oidc" not in person.client.cookies


def test_who_was_signed_in_before_is_signed_out_though_the_way_back_brings_no_strict_cookie(
    person: Any, issuer: FakeIssuer, open_browser: Any, with_oidc: FastAPI, admin_key: str
) -> None:
    person.sign_in(admin_key)
    thief = open_browser(with_oidc)
    thief.client.cookies.set("graft_session", person.cookie)
    back = issuer.consent(person.sent_to())
    assert thief.client.get("/v1/me").status_code == 200
    person.client.cookies.delete("graft_session")
    assert person.come_back(**back).status_code == 303
    assert _refusal(thief.client.get("/v1/me")) == (401, "not_signed_in")
    assert person.client.get("/v1/session").json()["me"]["kind"] == "person"


def test_the_session_outlives_the_token_but_not_what_it_rests_on(
    person: Any,
    issuer: FakeIssuer,
    make_app: Any,
    open_browser: Any,
) -> None:
    token = {"exp": int(time.time()) + 1, "iat": int(time.time()) - 60}
    person.come_back(**issuer.consent(person.sent_to(), **token))
    time.sleep(1.5)
    assert person.client.get("/v1/me").status_code == 200
    # The operator has changed whom groups let in, or whom the service believes.
    for changes, status in (
        ({}, 200),
        ({"oidc_groups": {"physicians": ["default:reader"]}}, 401),
        ({"oidc_groups": {"physicians": ["Röntgen 2:researcher"]}}, 401),
        ({"oidc_issuer": "https://other.example"}, 401),
        ({"oidc_issuer": None, "oidc_client_id": None}, 401),
    ):
        later = open_browser(make_app(**changes))
        later.client.cookies.set("graft_session", person.cookie)
        assert later.client.get("/v1/me").status_code == status, changes


def test_a_code_is_good_once_and_in_one_browser(
    person: Any, issuer: FakeIssuer, open_browser: Any, with_oidc: FastAPI
) -> None:
    back = issuer.consent(person.sent_to())
    other = open_browser(with_oidc)
    assert _refusal(other.come_back(**back)) == (400, "sign_in_lost")
    other.sent_to()
    assert _refusal(other.come_back(**back)) == (400, "sign_in_lost"), "the other's state"
    # With the other's state but its own code, the verifier does not fit (RFC 7636).
    state = parse_qs(urlsplit(other.sent_to()).query)["state"][0]
    stolen = other.come_back(code=back["code"], state=state)
    assert _refusal(stolen) == (401, "sign_in_refused")
    assert other.cookie is None
    held = dict(person.client.cookies)
    assert person.come_back(**back).status_code == 303
    person.client.cookies.update(held)
    assert _refusal(person.come_back(**back)) == (401, "sign_in_refused"), "it is spent"


@pytest.mark.parametrize("state", ["", "x", None])
def test_without_the_state_nobody_comes_in(
    person: Any, issuer: FakeIssuer, state: str | None
) -> None:
    back = issuer.consent(person.sent_to())
    given = {"code": back["code"]} | ({} if state is None else {"state": state})
    assert _refusal(person.come_back(**given)) == (400, "sign_in_lost")
    assert issuer.redeemed == [], "the issuer is not even asked"


def test_what_no_issuer_sends_is_not_read(person: Any) -> None:
    for name, value in (("state", "ß"), ("code", "x" * 4097), ("iss", "x" * 501)):
        assert _refusal(person.come_back(**{name: value})) == (422, "invalid_request")


def test_a_sign_in_that_took_too_long_is_lost(
    person: Any, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = issuer.consent(person.sent_to())
    real = time.time
    monkeypatch.setattr(cookies.time, "time", lambda: real() + 601)
    assert _refusal(person.come_back(**back)) == (400, "sign_in_lost")


def test_a_sealed_cookie_that_was_changed_or_is_another_is_none(
    person: Any, issuer: FakeIssuer
) -> None:
    back = issuer.consent(person.sent_to())
    sealed = person.client.cookies["graft_oidc"].strip('"')
    for wrong in (sealed[:-9] + "AAAAAAA==", "x", ""):
        answer = person.client.get(
            CALLBACK, params=back, headers={"Cookie": f"graft_oidc={wrong}; graft_choosing=x"}
        )
        assert _refusal(answer) == (400, "sign_in_lost")
    # Sealed for one purpose, shown for another.
    choosing = {"Cookie": f"graft_choosing={sealed}"}
    answer = person.client.get("/v1/session/workspace", headers=choosing)
    assert _refusal(answer) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "another"}, "token_invalid"),
        ({"nonce": None}, "token_invalid"),
        ({"aud": AUDIENCE}, "token_invalid"),
        ({"aud": ["graft page", "x"], "azp": "x"}, "token_invalid"),
        ({"iss": "https://evil.example"}, "token_invalid"),
        ({"exp": 1}, "token_expired"),
        ({"sub": None}, "token_invalid"),
        ({"groups": ["others"]}, "no_workspace"),
        ({"groups": None}, "no_workspace"),
    ],
    ids=str,
)
def test_a_token_that_is_not_good_signs_nobody_in(
    person: Any, issuer: FakeIssuer, changes: dict[str, Any], code: str, database: Database
) -> None:
    answer = person.come_back(**issuer.consent(person.sent_to(), **changes))
    assert answer.json()["code"] == code
    assert answer.status_code in {401, 403}
    assert person.cookie is None
    with database.read() as session:
        assert session.scalar(select(Principal)) is None


def test_a_token_that_nobody_or_somebody_else_signed_signs_nobody_in(
    person: Any, issuer: FakeIssuer
) -> None:
    for number in range(2):
        address = person.sent_to()
        nonce = parse_qs(urlsplit(address).query)["nonce"][0]
        claims = {"aud": "graft page", "nonce": nonce}
        issuer.id_token = (
            unsigned_token(issuer.claims(**claims))
            if number
            else issuer.token(private_key("second"), **claims)
        )
        answer = person.come_back(**issuer.consent(address))
        assert _refusal(answer) == (401, "token_invalid")


def test_an_issuer_that_says_no_is_believed_and_its_words_are_not_repeated(
    person: Any, issuer: FakeIssuer
) -> None:
    state = issuer.consent(person.sent_to())["state"]
    answer = person.come_back(error="<b>access_denied", state=state)
    assert _refusal(answer) == (401, "sign_in_refused")
    assert "<b>" not in answer.text
    back = issuer.consent(person.sent_to())
    assert _refusal(person.come_back(**back, iss="https://evil.example")) == (
        401,
        "sign_in_refused",
    )
    assert issuer.redeemed == []


def test_an_issuer_that_names_itself_has_to(
    issuer: FakeIssuer, with_oidc: FastAPI, open_browser: Any
) -> None:
    issuer.about = {"authorization_response_iss_parameter_supported": True}
    person = open_browser(with_oidc)
    back = issuer.consent(person.sent_to())
    assert _refusal(person.come_back(**back)) == (401, "sign_in_refused")
    back = issuer.consent(person.sent_to())
    assert person.come_back(**back, iss=issuer.url).status_code == 303


UNAVAILABLE = (503, "issuer_unavailable")


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 302},
        {"raw": b"<html>"},
        {"raw": b"[]"},
        {"raw": b"{}"},
        {"raw": b" " * 2_000_000},
        {"secret": "another"},
    ],
    ids=str,
)
def test_an_issuer_that_fails_at_the_last_moment_is_503(
    person: Any, issuer: FakeIssuer, trouble: dict[str, Any]
) -> None:
    back = issuer.consent(person.sent_to())
    for name, value in trouble.items():
        setattr(issuer, name, value)
    assert _refusal(person.come_back(**back)) == UNAVAILABLE


@pytest.mark.parametrize(
    "about",
    [
        {"token_endpoint": None},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://sso.example/authorize"},
    ],
    ids=str,
)
def test_an_issuer_that_names_no_place_to_be_trusted_is_503(
    issuer: FakeIssuer, person: Any, about: dict[str, Any]
) -> None:
    issuer.about = about
    assert _refusal(person.client.get("/v1/session/oidc")) == UNAVAILABLE
    # A browser is told on the page.
    answer = person.client.get("/v1/session/oidc", headers=PAGE)
    assert answer.headers["location"] == "/?sign_in=issuer_unavailable"
    # Tokens of the same issuer are checked as ever.
    bearer = {"Authorization": f"Bearer {issuer.token()}"}
    assert person.client.get("/v1/me", headers=bearer).status_code == 200


def test_a_browser_is_led_to_the_page_whatever_happened(person: Any, issuer: FakeIssuer) -> None:
    for claims, code in (
        (None, "sign_in_lost"),
        ({"groups": ["others"]}, "no_workspace"),
        ({"nonce": "another"}, "token_invalid"),
    ):
        address = person.sent_to()
        params = {"code": "x"} if claims is None else issuer.consent(address, **claims)
        answer = person.client.get(CALLBACK, params=params, headers=PAGE)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/?sign_in={code}")
        assert person.cookie is None


@pytest.mark.parametrize("way", ["post", "none"])
def test_the_secret_goes_as_the_issuer_wants_it(
    make_app: Any,
    issuer: FakeIssuer,
    open_browser: Any,
    way: str,
) -> None:
    if way == "none":
        issuer.secret = None
    issuer.about = {"token_endpoint_auth_methods_supported": [f"client_secret_{way}"]}
    person = open_browser(make_app())
    assert person.come_back(**issuer.consent(person.sent_to())).status_code == 303
    [form] = issuer.redeemed
    assert ("client_secret" in form) == (way == "post")


def test_the_issuer_sends_people_back_to_where_the_operator_says(
    make_app: Any,
    issuer: FakeIssuer,
    open_browser: Any,
) -> None:
    public = "https://graft.hospital.example"
    app = make_app(
        oidc_public_url=f"{public}/",
        oidc_scopes="openid groups",
    )
    person = open_browser(app)
    asked = parse_qs(urlsplit(person.sent_to()).query)
    assert asked["redirect_uri"] == [f"{public}{CALLBACK}"]
    assert asked["scope"] == ["openid groups"]


def test_whoever_guesses_codes_is_stopped(
    make_app: Any,
    issuer: FakeIssuer,
    open_browser: Any,
) -> None:
    person = open_browser(make_app(limit_refused_per_minute=3))
    for _ in range(3):
        state = issuer.consent(person.sent_to())["state"]
        assert person.come_back(code="guess", state=state).status_code == 401
    state = issuer.consent(person.sent_to())["state"]
    answer = person.come_back(code="guess", state=state)
    assert _refusal(answer) == (429, "too_many_refusals")
    assert len(issuer.redeemed) == 3
