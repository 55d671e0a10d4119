"""Browsers: each with cookies of its own, and without a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from oidc_issuer import AUDIENCE, FakeIssuer, running_issuer

from api.app import create_app
from store.database import Database
from store.objects import Objects
from store.repositories.workspaces import add_workspace
from store.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Here all who are refused come from one address; how many may is tested by itself."""
    return settings.model_copy(update={"limit_refused_per_minute": None})


class Browser:
    """A browser as far as the service can tell: cookies, and the token that its page knows."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.token = ""

    def sign_in(self, key: str, **headers: str) -> Any:
        answer = self.client.post("/v1/session", json={"key": key}, headers=headers)
        if answer.status_code == 201:
            self.token = answer.json()["csrf_token"]
        return answer

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What the page does: the token goes along."""
        headers = {"Graft-CSRF": self.token, "Sec-Fetch-Site": "same-origin"}
        return self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def sign_out(self) -> Any:
        return self.ask("DELETE", "/v1/session")

    def sent_to(self, path: str = "/v1/session/oidc") -> str:
        """Where a browser is sent that begins to sign in with the issuer."""
        answer = self.client.get(path)
        assert answer.status_code == 303
        found: str = answer.headers["location"]
        return found

    def come_back(self, **params: str) -> Any:
        """What the issuer has a browser do."""
        return self.client.get("/v1/session/oidc/callback", params=params)

    @property
    def cookie(self) -> str | None:
        found: str | None = self.client.cookies.get("graft_session")
        return found


@pytest.fixture
def open_browser(app: FastAPI) -> Iterator[Any]:
    """Open one more browser: ``open_browser(app=…, base_url=…)``."""
    with ExitStack() as stack:

        def make(of: FastAPI = app, base_url: str = "http://testserver") -> Browser:
            client = TestClient(of, base_url, raise_server_exceptions=False, follow_redirects=False)
            return Browser(stack.enter_context(client))

        yield make


@pytest.fixture
def browser(open_browser: Any) -> Browser:
    made: Browser = open_browser()
    return made


@pytest.fixture
def signed_in(browser: Browser, admin_key: str) -> Browser:
    """A browser that the administrator has signed in with."""
    assert browser.sign_in(admin_key).status_code == 201
    return browser


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with running_issuer() as running:
        running.has_endpoints = True
        yield running


@pytest.fixture
def make_app(
    settings: Settings, issuer: FakeIssuer, database: Database, objects: Objects, admin_key: str
) -> Any:
    """Make an app on which people can sign in: ``make_app(oidc_scopes=…)``."""
    assert admin_key

    def make(**more: Any) -> FastAPI:
        given = {
            "oidc_issuer": issuer.url,
            "oidc_audience": AUDIENCE,
            "oidc_client_id": "graft page",
            "oidc_client_secret": issuer.secret,
            "oidc_groups": {
                "physicians": ["default:researcher"],
                "leaders": ["default:admin"],
                "both": ["default:reader", "Röntgen 2:admin"],
            },
        }
        made = Settings.model_validate(settings.model_dump() | given | more)
        return create_app(made, database=database, objects=objects)

    return make


@pytest.fixture
def with_oidc(make_app: Any, database: Database) -> FastAPI:
    with database.write() as session:
        add_workspace(session, "Röntgen 2")
    made: FastAPI = make_app()
    return made


@pytest.fixture
def person(with_oidc: FastAPI, open_browser: Any) -> Any:
    return open_browser(with_oidc)
