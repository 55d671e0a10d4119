"""Headers for browsers, CORS, and the names under which the service answers."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.app import create_app
from store.settings import Settings

PORTAL = "https://portal.example.org"
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture
def build(settings: Settings, database: Any, objects: Any, admin_key: str) -> Any:
    def made(**more: Any) -> TestClient:
        changed = settings.model_copy(update=more)
        app = create_app(changed, database=database, objects=objects)
        headers = {"Authorization": f"Bearer {admin_key}"}
        return TestClient(app, raise_server_exceptions=False, headers=headers)

    return made


def test_every_answer_tells_browsers_to_be_careful(
    client: Any, anonymous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.keys.service.KeyService.page", lambda *_: 1 / 0)
    paths = [
        "/v1/jobs",
        "/v1/jobs/none",
        "/nothing",
        "/livez",
        "/metrics",
        "/",
        "/docs",
        "/v1/keys",
    ]
    statuses = set()
    for path in paths:
        answer = client.get(path, headers={"Accept": "text/html"})
        statuses.add(answer.status_code)
        assert EVERYWHERE.items() <= dict(answer.headers).items(), path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["cache-control"], path
        assert "access-control-allow-origin" not in answer.headers
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
    assert statuses == {200, 404, 500}


def test_https_alone_is_said_where_the_operator_says_so(build: Any) -> None:
    answer = build(hsts_seconds=31536000).get("/v1/jobs")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_no_script_of_another_origin_is_let_in_unless_the_operator_names_it(
    client: Any, build: Any
) -> None:
    asking = {
        "Origin": PORTAL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key,content-type",
    }
    assert client.options("/v1/jobs", headers=asking).status_code == 405
    let_in = build(cors_origins=[PORTAL])
    preflight = let_in.options("/v1/jobs", headers=asking)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PORTAL
    assert "access-control-allow-credentials" not in preflight.headers
    answer = let_in.get("/v1/jobs/none", headers={"Origin": PORTAL})
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert answer.headers["vary"] == "Origin"
    shown = answer.headers["access-control-expose-headers"]
    for name in ("Location", "ETag", "Retry-After", "X-Request-ID", "Repr-Digest"):
        assert name in shown
    for origin in ("https://portal.example.org.evil.example", "http://portal.example.org", "null"):
        other = let_in.get("/v1/jobs", headers={"Origin": origin})
        assert "access-control-allow-origin" not in other.headers
        assert let_in.options("/v1/jobs", headers=asking | {"Origin": origin}).status_code == 400


def test_what_broke_inside_can_be_read_by_the_portals_script_too(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.keys.service.KeyService.page", lambda *_: 1 / 0)
    answer = build(cors_origins=[PORTAL]).get("/v1/keys", headers={"Origin": PORTAL})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == PORTAL


@pytest.mark.parametrize("origin", ["*", "portal.example.org", f"{PORTAL}/", f"{PORTAL}/x", "null"])
def test_an_origin_that_is_none_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(cors_origins=[origin])


def test_lists_are_separated_by_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_CORS_ORIGINS", f"{PORTAL}, http://localhost:5173")
    monkeypatch.setenv("GRAFT_TRUSTED_HOSTS", "graft.example.org,*.hospital.example")
    settings = Settings()
    assert settings.cors_origins == [PORTAL, "http://localhost:5173"]
    assert settings.trusted_hosts == ["graft.example.org", "*.hospital.example"]
    with pytest.raises(ValidationError, match="no host name"):
        Settings(trusted_hosts=["https://graft.example.org"])


def test_it_answers_under_its_own_names_alone_and_probes_under_any(build: Any) -> None:
    client = build(trusted_hosts=["graft.example.org", "*.hospital.example", "[::1]"])
    for host, status in [
        ("graft.example.org", 200),
        ("GRAFT.example.org:8443", 200),
        ("graft.example.org.", 200),
        ("a.hospital.example", 200),
        ("[::1]:8000", 200),
        ("hospital.example", 421),
        ("evil-hospital.example", 421),
        ("graft.example.org.evil.example", 421),
        ("", 421),
    ]:
        answer = client.get("/v1/jobs", headers={"Host": host})
        assert answer.status_code == status, host
        assert client.get("/livez", headers={"Host": host}).status_code == 200
    assert answer.json()["code"] == "host_unknown"
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_address_is_made_of_the_hosts_name_that_the_client_sent(hospital: Any) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    dataset = hospital.ready_dataset()
    answer = hospital.client.post(
        "/v1/jobs", json={"dataset_id": dataset, "real_counts": [10]}, headers=evil
    )
    assert answer.headers["location"].startswith("/v1/jobs/")
    for path in (answer.headers["location"], "/v1/datasets", "/", "/docs", "/openapi.json"):
        shown = hospital.client.get(path, headers=evil)
        assert "evil" not in shown.text + repr(shown.headers)
