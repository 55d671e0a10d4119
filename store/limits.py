"""How much a workspace and each of its keys may use: three hands write it, each below the other.

The settings say what holds for everybody. The operator may grant a workspace more or less than
that (``workspaces.limits["granted"]``); the workspace's own administrators may choose less
(``workspaces.limits["chosen"]``, ``api_keys.limits``), never more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from store.settings import Settings

KEY_REQUESTS = "key_requests_per_minute"
"""What an operator may grant beside the names of ``Limits``: requests of each single key."""


@dataclass(frozen=True)
class Limits:
    """What may be used. Null: as much as there is."""

    requests_per_minute: int | None = None
    upload_bytes_per_day: int | None = None
    """Days and months are those of UTC."""
    unfinished_jobs: int | None = None
    gpu_minutes_per_day: int | None = None
    gpu_minutes_per_month: int | None = None

    def lowered(self, chosen: Mapping[str, Any] | None) -> Limits:
        """Return these limits with what was chosen, where that is less."""
        lower: dict[str, int] = {}
        for name, wanted in _numbers(chosen).items():
            if name in LIMIT_NAMES and wanted is not None:
                allowed = getattr(self, name)
                lower[name] = wanted if allowed is None else min(wanted, allowed)
        return replace(self, **lower)

    def too_high(self, chosen: Mapping[str, Any]) -> str | None:
        """Return the first name of which more was chosen than is allowed; null: none."""
        for name, wanted in _numbers(chosen).items():
            allowed = getattr(self, name, None)
            if wanted is not None and allowed is not None and wanted > allowed:
                return name
        return None


LIMIT_NAMES = tuple(field.name for field in fields(Limits))
GRANT_NAMES = (*LIMIT_NAMES, KEY_REQUESTS)


@dataclass(frozen=True)
class Allowance:
    """What one key may use: its own limits, and those that it shares with its workspace."""

    key: Limits = Limits()
    workspace: Limits = Limits()

    def by_scope(self) -> tuple[tuple[str, Limits], ...]:
        """Return both, named as answers and headers name them."""
        return ("key", self.key), ("workspace", self.workspace)


def granted_to(settings: Settings, workspace_limits: Mapping[str, Any] | None) -> Allowance:
    """Return what the operator lets a workspace, and each of its keys, use."""
    granted = _numbers((workspace_limits or {}).get("granted"))
    of_workspace = Limits(
        requests_per_minute=settings.limit_workspace_requests_per_minute,
        upload_bytes_per_day=settings.limit_upload_bytes_per_day,
        unfinished_jobs=settings.limit_unfinished_jobs,
        gpu_minutes_per_day=settings.limit_gpu_minutes_per_day,
        gpu_minutes_per_month=settings.limit_gpu_minutes_per_month,
    )
    given = {name: number for name, number in granted.items() if name in LIMIT_NAMES}
    of_key = granted.get(KEY_REQUESTS, settings.limit_requests_per_minute)
    return Allowance(Limits(requests_per_minute=of_key), replace(of_workspace, **given))


def allowance(
    settings: Settings,
    workspace_limits: Mapping[str, Any] | None,
    key_limits: Mapping[str, Any] | None,
) -> Allowance:
    """Return what a key may use.

    Args:
        settings: Of the service.
        workspace_limits: As in the workspace's row.
        key_limits: As in the key's row; null also for a person, who has none of their own.
    """
    granted = granted_to(settings, workspace_limits)
    chosen = (workspace_limits or {}).get("chosen")
    return Allowance(granted.key.lowered(key_limits), granted.workspace.lowered(chosen))


def _numbers(given: Any) -> dict[str, int | None]:
    """Return what is a limit of the JSON in a column that a person may have written by hand."""
    if not isinstance(given, Mapping):
        return {}
    return {
        str(name): number
        for name, number in given.items()
        if number is None or (type(number) is int and number >= 1)
    }
