"""Signing secrets: unreadable in the database, and replaced with an overlap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from store.webhook_secrets import (
    Sealer,
    SecretUnreadableError,
    kept,
    live_secrets,
    new_secret,
    rotated,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sealed_of(entries: list[dict[str, object]]) -> list[object]:
    return [entry["sealed"] for entry in entries]


def test_a_secret_is_read_again_with_the_services_own_and_with_no_other() -> None:
    secret = new_secret()
    sealed = Sealer("ours").seal(secret)
    assert secret not in sealed
    assert sealed != Sealer("ours").seal(secret)
    assert Sealer("ours").open(sealed) == secret
    for other, text in (("theirs", sealed), ("ours", sealed[:-4] + "AAAA"), ("ours", "nonsense")):
        with pytest.raises(SecretUnreadableError):
            Sealer(other).open(text)


def test_the_key_is_the_same_in_every_version() -> None:
    """A change of the derivation would make every stored secret unreadable."""
    sealed = (
        "gAAAAABrCp_xKWqGxMeb4TM1rEKoEbNEX9Wd1qZGXV_xGcQvoP491WWMPpvp"
        "-t_yE6NdWk34_Pxq9-R8auGLRRCLPkPVjzI9Qs8NdvJOpq7oXQAwzZeI0Kk="
    )
    assert Sealer("ours").open(sealed) == "whsec_c29tZXRoaW5n"


def test_a_rotated_secret_lives_for_the_overlap_and_no_longer() -> None:
    entries = rotated([kept("old", NOW)], "new", NOW, timedelta(hours=24))
    assert sealed_of(entries) == ["new", "old"]
    assert sealed_of(live_secrets(entries, NOW + timedelta(hours=23))) == ["new", "old"]
    assert sealed_of(live_secrets(entries, NOW + timedelta(hours=24))) == ["new"]


def test_a_second_rotation_does_not_prolong_the_life_of_the_first_secret() -> None:
    entries = rotated([kept("1", NOW)], "2", NOW, timedelta(hours=2))
    entries = rotated(entries, "3", NOW + timedelta(hours=1), timedelta(hours=24))
    assert sealed_of(entries) == ["3", "2", "1"]
    assert sealed_of(live_secrets(entries, NOW + timedelta(hours=3))) == ["3", "2"]
    assert sealed_of(rotated(entries, "4", NOW + timedelta(hours=3), timedelta(0))) == ["4"]


def test_without_an_overlap_the_old_secret_ends_at_once() -> None:
    assert sealed_of(rotated([kept("old", NOW)], "new", NOW, timedelta(0))) == ["new"]
