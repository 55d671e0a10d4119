"""What is asked and answered about browsers that people sign in with."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.me.schemas import Me


class SignInRequest(BaseModel):
    """A key, with which a browser is to be signed in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    key: str = Field(min_length=1, max_length=200)
    """``graft_…``. The browser keeps a cookie in its place."""


class WorkspaceChoice(BaseModel):
    """One of the workspaces that somebody has access to."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    workspace: str = Field(min_length=1, max_length=200)
    """Its id or name."""


class SessionView(BaseModel):
    """A browser that somebody is signed in with."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    csrf_token: str
    """For the header ``Graft-CSRF`` of whatever is not a ``GET`` or ``HEAD``."""
    expires_at: datetime
    """When it ends, however busy it is; without requests earlier."""
    me: Me


class OidcWay(BaseModel):
    """Signing in with an OpenID Connect issuer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    issuer: str
    start: str
    """Where a browser has to go. ``?workspace=`` names the workspace, by name or id, where one has
    access to several."""


class SignInMethods(BaseModel):
    """The ways to sign in that this service offers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key: bool
    """With an API key (``POST /v1/session``)."""
    oidc: OidcWay | None
    """Null: people cannot sign in with an issuer."""


class WorkspaceOffer(BaseModel):
    """A workspace that one may choose."""

    id: str
    name: str


class WorkspaceOffers(BaseModel):
    """The workspaces among which somebody who came from the issuer has to choose."""

    items: list[WorkspaceOffer]
