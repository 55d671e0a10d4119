"""Tokens of a real OpenID Connect provider, which came by the authorization code flow."""

from __future__ import annotations

import importlib
import logging
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.oidc import issuer as issuer_module
from store.database import Database
from store.objects import Objects
from store.settings import Settings

CLIENT_ID = "portal"
CALLBACK = "https://portal.example/signed-in"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start a provider on a port, which is free again when the test is over or asks for it."""
    # The provider's own library warns of itself, whatever the filters say.
    with warnings.catch_warnings(record=True):
        mock: Any = importlib.import_module("oidc_provider_mock")
    User = mock.User
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    users = [
        User(sub="mira", claims={"name": "Dr. Mira Kim", "groups": ["physicians"]}),
        User(sub="lea", claims={"name": "Lea", "groups": ["leaders"]}),
        User(sub="nobody", claims={"email": "nobody@example.org"}),
    ]
    with ExitStack() as stack:

        def run(port: int) -> ExitStack:
            running = stack.enter_context(ExitStack())
            running.enter_context(mock.run_server_in_thread(port, user_claims=users))
            return running

        yield run


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


@pytest.fixture
def asking(
    settings: Settings, database: Database, objects: Objects, admin_key: str, port: int
) -> Iterator[Any]:
    assert admin_key
    given = {
        "oidc_issuer": f"http://localhost:{port}",
        "oidc_audience": CLIENT_ID,
        "oidc_client_id": "graft-page",
        "oidc_client_secret": "any secret",
        "oidc_groups": {"physicians": "default:researcher", "leaders": "default:admin"},
    }
    made = Settings.model_validate(settings.model_dump() | given)
    app = create_app(made, database=database, objects=objects)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def sign_in(port: int, subject: str) -> dict[str, Any]:
    """Do what a portal and a person's browser do (OpenID Connect Core 1.0, 3.1)."""
    with httpx.Client(base_url=f"http://localhost:{port}", trust_env=False) as browser:
        about = browser.get("/.well-known/openid-configuration").json()
        state = secrets.token_urlsafe(8)
        consent = browser.post(
            about["authorization_endpoint"],
            params={
                "client_id": CLIENT_ID,
                "redirect_uri": CALLBACK,
                "response_type": "code",
                "scope": "openid profile",
                "state": state,
            },
            data={"sub": subject},
        )
        back = urlsplit(consent.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
        told = parse_qs(back.query)
        assert told["state"] == [state]
        answer = browser.post(
            about["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": told["code"][0],
                "redirect_uri": CALLBACK,
            },
            auth=(CLIENT_ID, "any secret"),
        )
        tokens: dict[str, Any] = answer.raise_for_status().json()
        return tokens


def _with(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_whoever_signed_in_there_is_known_here(start: Any, port: int, asking: Any) -> None:
    start(port)
    tokens = sign_in(port, "mira")
    me = asking.get("/v1/me", headers=_with(tokens["id_token"])).json()
    assert (me["kind"], me["name"]) == ("person", "Dr. Mira Kim")
    assert me["scopes"] == ["reader", "researcher"]
    assert asking.get("/v1/datasets", headers=_with(tokens["id_token"])).status_code == 200
    assert asking.get("/v1/keys", headers=_with(tokens["id_token"])).status_code == 403
    leader = sign_in(port, "lea")["id_token"]
    made = asking.post("/v1/keys", json={"name": "portal"}, headers=_with(leader))
    assert made.status_code == 201
    people = asking.get("/v1/people", headers=_with(leader)).json()["items"]
    assert {person["subject"] for person in people} == {"mira", "lea"}
    # This provider's access tokens are no JWTs: nobody can tell whose they are.
    opaque = asking.get("/v1/me", headers=_with(tokens["access_token"]))
    assert (opaque.status_code, opaque.json()["code"]) == (401, "key_unknown")


def test_whoever_is_in_no_group_signed_in_for_nothing(start: Any, port: int, asking: Any) -> None:
    start(port)
    answer = asking.get("/v1/me", headers=_with(sign_in(port, "nobody")["id_token"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "no_workspace")


def test_a_provider_that_comes_back_with_other_keys_is_believed_and_its_old_ones_are_not(
    start: Any, port: int, asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(issuer_module, "_PAUSE_AFTER_FAILURE_SECONDS", 0.0)
    running = start(port)
    old = sign_in(port, "mira")["id_token"]
    me = asking.get("/v1/me", headers=_with(old)).json()["id"]
    running.close()
    assert asking.get("/v1/me", headers=_with(old)).status_code == 200, "its keys are known"
    start(port)
    new = sign_in(port, "mira")["id_token"]
    assert asking.get("/v1/me", headers=_with(new)).json()["id"] == me
    refused = asking.get("/v1/me", headers=_with(old))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")


def test_a_browser_signs_in_with_it_and_out_again(start: Any, port: int, asking: Any) -> None:
    start(port)
    asking.follow_redirects = False
    assert asking.get("/v1/session/methods").json()["oidc"]["start"] == "/v1/session/oidc"
    address = asking.get("/v1/session/oidc").headers["location"]
    with httpx.Client(trust_env=False) as elsewhere:
        assert elsewhere.get(address).status_code == 200, "its page, on which one signs in"
        consent = elsewhere.post(address, data={"sub": "lea"})
    back = urlsplit(consent.headers["location"])
    assert (back.netloc, back.path) == ("testserver", "/v1/session/oidc/callback")
    came = asking.get(f"{back.path}?{back.query}")
    assert (came.status_code, came.headers["location"]) == (303, "/")
    view = asking.get("/v1/session").json()
    assert (view["me"]["kind"], view["me"]["name"]) == ("person", "Lea")
    token = {"Graft-CSRF": view["csrf_token"]}
    assert asking.post("/v1/keys", json={"name": "n"}, headers=token).status_code == 201
    again = asking.get(f"{back.path}?{back.query}")
    assert again.json()["code"] == "sign_in_lost"
    assert asking.delete("/v1/session", headers=token).status_code == 204
    assert asking.get("/v1/session").json()["code"] == "not_signed_in"
    # Whoever says no there is not signed in here.
    address = asking.get("/v1/session/oidc").headers["location"]
    with httpx.Client(trust_env=False) as elsewhere:
        refusal = elsewhere.post(address, data={"action": "deny"})
    told = parse_qs(urlsplit(refusal.headers["location"]).query)
    assert told["error"] == ["access_denied"]
    state = parse_qs(urlsplit(address).query)["state"][0]
    page = {"Accept": "text/html"}
    came = asking.get(
        "/v1/session/oidc/callback", params={"error": "access_denied", "state": state}, headers=page
    )
    assert came.headers["location"] == "/?sign_in=sign_in_refused"


def test_a_provider_that_is_down_is_a_503(start: Any, port: int, asking: Any) -> None:
    running = start(port)
    token = sign_in(port, "mira")["id_token"]
    running.close()
    answer = asking.get("/v1/me", headers=_with(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert answer.headers["retry-after"] == "5"
