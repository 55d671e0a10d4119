"""Settings about people: whose tokens are believed, what they allow, and how a browser signs in."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from store.roles import Role

_ROLES: tuple[str, ...] = get_args(Role)


class IdentitySettings(BaseSettings):
    """The part of the settings that is about who comes in.

    OpenID Connect is off while no issuer is named, and on the page while no client id is.
    """

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    oidc_issuer: str | None = None
    """Issuer of the bearer tokens that are believed, exactly as it calls itself; null: only API
    keys are."""
    oidc_audience: str | None = None
    """What the tokens' ``aud`` has to name: this service, as the issuer knows it."""
    oidc_groups_claim: str = Field(default="groups", min_length=1)
    """The claim with a person's groups. ``realm_access.roles`` looks into an object, unless there
    is a claim of that very name."""
    oidc_groups: Annotated[dict[str, list[str]], NoDecode] = Field(default={})
    """What each group may do, as JSON: ``{"group": ["workspace:role"]}``."""
    oidc_jwks_cache_seconds: float = Field(default=300, ge=10, le=86400)
    """How long the issuer's keys are used before they are asked for again."""
    oidc_leeway_seconds: float = Field(default=30, ge=0, le=300)
    """How far the issuer's clock and ours may differ."""
    oidc_ca_file: Path | None = None
    """Certificates (PEM) that the issuer's is checked against; null: those that are well known."""
    oidc_client_id: str | None = Field(default=None, min_length=1)
    """As whom the issuer knows this service's page; null: people cannot sign in on it."""
    oidc_client_secret: SecretStr | None = None
    """What the issuer gave this service beside the client id; null: it is a public client."""
    oidc_scopes: str = "openid profile email"
    """What the page asks the issuer for. Some issuers tell groups only when asked for a scope of
    their own."""
    oidc_public_url: str | None = None
    """Address of this service in people's browsers, to which the issuer sends them back; null: the
    one under which they came."""
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    """How long a browser stays signed in at most."""
    session_idle_hours: float = Field(default=2, gt=0, le=24 * 30)
    """After how long without a request a browser is signed out."""

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_is_safe(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.query or parts.fragment or not is_trustworthy(url):
            raise ValueError("must be an https:// address without query (http:// only on loopback)")
        return url

    @field_validator("oidc_public_url")
    @classmethod
    def _public_url_is_an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if not is_trustworthy(url) or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must be https://host[:port] alone (http:// only on loopback)")
        return url.rstrip("/")

    @field_validator("oidc_scopes")
    @classmethod
    def _scopes_ask_for_an_id_token(cls, scopes: str) -> str:
        # OpenID Connect Core 1.0, 3.1.2.1
        if "openid" not in scopes.split():
            raise ValueError("must hold `openid`")
        return " ".join(scopes.split())

    @field_validator("oidc_groups", mode="before")
    @classmethod
    def _groups_are_json(cls, given: Any) -> Any:
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except (ValueError, RecursionError):
                raise ValueError('must be JSON, such as {"group": ["workspace:role"]}') from None
        if isinstance(given, dict):
            return {k: [v] if isinstance(v, str) else v for k, v in given.items()}
        return given

    @field_validator("oidc_groups")
    @classmethod
    def _groups_name_roles(cls, groups: dict[str, list[str]]) -> dict[str, list[str]]:
        for group, places in groups.items():
            for place in places:
                workspace, _, role = place.rpartition(":")
                if not workspace or role not in _ROLES:
                    raise ValueError(
                        f"{place!r}, which the group {group!r} has, is not `workspace:role`; the"
                        f" roles are {', '.join(_ROLES)}"
                    )
        return groups

    @model_validator(mode="after")
    def _an_issuer_alone_lets_nobody_in(self) -> Self:
        if self.oidc_issuer is not None and not (self.oidc_audience and self.oidc_groups):
            raise ValueError("oidc_issuer needs oidc_audience and oidc_groups beside it")
        if self.oidc_client_id is not None and self.oidc_issuer is None:
            raise ValueError("oidc_client_id needs oidc_issuer beside it")
        return self

    def roles_of(self, groups: list[str]) -> dict[str, frozenset[Role]]:
        """Return the roles that groups bring, by the name of the workspace."""
        found: dict[str, set[Any]] = {}
        for group in groups:
            for place in self.oidc_groups.get(group, []):
                workspace, _, role = place.rpartition(":")
                found.setdefault(workspace, set()).add(role)
        return {workspace: frozenset(roles) for workspace, roles in found.items()}

    def roles_in(self, workspace: str) -> frozenset[Role]:
        """Return the roles that any group brings in a workspace of this name."""
        return self.roles_of(list(self.oidc_groups)).get(workspace, frozenset())


def is_trustworthy(url: str) -> bool:
    """Say whether what an address answers can be believed: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    if parts.scheme == "https":
        return True
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and is_here
