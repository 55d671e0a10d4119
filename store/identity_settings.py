"""Settings about people: whose tokens are believed, and what they allow."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from store.roles import Role

_ROLES: tuple[str, ...] = get_args(Role)


class IdentitySettings(BaseSettings):
    """The part of the settings that is about OpenID Connect; off while no issuer is named."""

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

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_is_safe(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.query or parts.fragment or not is_trustworthy(url):
            raise ValueError("must be an https:// address without query (http:// only on loopback)")
        return url

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
        return self

    def roles_of(self, groups: list[str]) -> dict[str, frozenset[Role]]:
        """Return the roles that groups bring, by the name of the workspace."""
        found: dict[str, set[Any]] = {}
        for group in groups:
            for place in self.oidc_groups.get(group, []):
                workspace, _, role = place.rpartition(":")
                found.setdefault(workspace, set()).add(role)
        return {workspace: frozenset(roles) for workspace, roles in found.items()}


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
