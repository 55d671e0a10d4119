"""The app with people let in by an issuer on loopback."""

from __future__ import annotations

from collections.abc import Iterator
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

GROUPS = {
    "students": ["default:reader"],
    "physicians": ["default:researcher"],
    "leaders": ["default:admin"],
    "radiology": ["Röntgen 2:researcher"],
    "nowhere": ["closed long ago:admin"],
}


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def oidc_settings(settings: Settings, issuer: FakeIssuer) -> Settings:
    given = {
        "oidc_issuer": issuer.url,
        "oidc_audience": AUDIENCE,
        "oidc_groups": GROUPS,
        # Here all who are refused come from one address; how many may is tested elsewhere.
        "limit_refused_per_minute": None,
    }
    return Settings.model_validate(settings.model_dump() | given)


@pytest.fixture
def people_app(
    oidc_settings: Settings, database: Database, objects: Objects, admin_key: str
) -> FastAPI:
    assert admin_key
    with database.write() as session:
        add_workspace(session, "Röntgen 2")
    return create_app(oidc_settings, database=database, objects=objects)


@pytest.fixture
def person(people_app: FastAPI) -> Iterator[Any]:
    """Asks with a token: ``person(token, method, path, workspace=…)``."""
    with TestClient(people_app, raise_server_exceptions=False, follow_redirects=False) as client:

        def ask(
            token: str, method: str = "GET", path: str = "/v1/me", workspace: str | None = None
        ) -> Any:
            headers = {b"Authorization": f"Bearer {token}".encode()}
            if workspace is not None:
                headers[b"Graft-Workspace"] = workspace.encode()
            return client.request(method, path, headers=headers)

        yield ask
