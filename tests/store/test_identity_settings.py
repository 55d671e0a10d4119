"""Whose tokens are believed is a matter of settings, and a mistake in them is told at the start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from store.settings import Settings

GROUPS = '{"physicians": ["default:researcher", "a: b:reader"], "leaders": "default:admin"}'


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GRAFT_")]:
        monkeypatch.delenv(name)


def _made(tmp_path: Path, **given: Any) -> Settings:
    good = {"oidc_issuer": "https://sso.example/realm", "oidc_audience": "graft"}
    return Settings.model_validate(
        {"data_dir": tmp_path, "oidc_groups": {"a": ["default:reader"]}} | good | given
    )


def test_people_are_not_let_in_by_default(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).oidc_issuer is None


def test_variables_say_what_groups_may_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAFT_OIDC_ISSUER", "https://sso.example/realm/")
    monkeypatch.setenv("GRAFT_OIDC_AUDIENCE", "graft")
    monkeypatch.setenv("GRAFT_OIDC_GROUPS", GROUPS)
    monkeypatch.setenv("GRAFT_OIDC_CA_FILE", "ca.pem")
    settings = Settings(data_dir=tmp_path)
    assert settings.oidc_issuer == "https://sso.example/realm/", "to the letter: it is compared"
    assert settings.roles_of(["physicians", "leaders", "others"]) == {
        "default": {"researcher", "admin"},
        "a: b": {"reader"},
    }
    assert settings.roles_of([]) == {}
    assert settings.oidc_ca_file is not None
    assert settings.oidc_ca_file.is_absolute()


@pytest.mark.parametrize(
    "issuer",
    [
        "http://sso.example",
        "http://192.0.2.1",
        "http://localhost.example",
        "https://user:secret@sso.example",
        "https://sso.example/?tenant=1",
        "https://sso.example/#x",
        "https://",
        "https://[::1",
        "https://sso.example:port",
        "file:///etc/passwd",
        "sso.example",
    ],
)
def test_an_issuer_that_anybody_could_pretend_to_be_is_refused(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(ValidationError, match=r"oidc_issuer"):
        _made(tmp_path, oidc_issuer=issuer)


@pytest.mark.parametrize(
    "issuer", ["https://sso.example:8443/a/b", "http://127.0.0.1:1", "http://[::1]:1/x"]
)
def test_https_and_this_machine_are_fine(tmp_path: Path, issuer: str) -> None:
    assert _made(tmp_path, oidc_issuer=issuer).oidc_issuer == issuer


@pytest.mark.parametrize(
    "groups",
    [
        "{",
        "[" * 10_000,
        "[]",
        '"default:reader"',
        '{"a": "default"}',
        '{"a": ":reader"}',
        '{"a": ["default:owner"]}',
        '{"a": [7]}',
        {"a": {"default": "reader"}},
    ],
)
def test_groups_that_say_nothing_clear_are_refused(tmp_path: Path, groups: Any) -> None:
    with pytest.raises(ValidationError, match=r"oidc_groups"):
        _made(tmp_path, oidc_groups=groups)


@pytest.mark.parametrize("lacking", ["oidc_audience", "oidc_groups"])
def test_an_issuer_without_audience_or_groups_is_a_mistake(tmp_path: Path, lacking: str) -> None:
    with pytest.raises(ValidationError, match="needs oidc_audience and oidc_groups"):
        _made(tmp_path, **{lacking: {} if lacking == "oidc_groups" else None})


def test_people_sign_in_on_the_page_only_with_an_issuer(tmp_path: Path) -> None:
    assert _made(tmp_path, oidc_client_id="page").oidc_client_id == "page"
    with pytest.raises(ValidationError, match="needs oidc_issuer"):
        Settings(data_dir=tmp_path, oidc_client_id="page")


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    made = _made(tmp_path, oidc_client_id="page", oidc_client_secret="hush")
    assert "hush" not in repr(made)


@pytest.mark.parametrize(
    "url",
    [
        "http://graft.example",
        "https://graft.example/below",
        "https://graft.example/?x=1",
        "graft.example",
        "javascript:alert(1)",
    ],
)
def test_people_are_sent_back_to_an_address_to_be_trusted(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="oidc_public_url"):
        _made(tmp_path, oidc_public_url=url)
    good = _made(tmp_path, oidc_public_url="https://graft.example:8443/")
    assert good.oidc_public_url == "https://graft.example:8443"


def test_an_id_token_is_always_asked_for(tmp_path: Path) -> None:
    assert _made(tmp_path, oidc_scopes=" openid   groups ").oidc_scopes == "openid groups"
    with pytest.raises(ValidationError, match="must hold `openid`"):
        _made(tmp_path, oidc_scopes="profile")


def test_the_roles_that_a_workspace_can_have_are_those_of_all_groups(tmp_path: Path) -> None:
    groups = {"a": ["default:reader", "x:admin"], "b": ["default:researcher"]}
    made = _made(tmp_path, oidc_groups=groups)
    assert made.roles_in("default") == {"reader", "researcher"}
    assert made.roles_in("nowhere") == frozenset()
