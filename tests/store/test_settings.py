"""Settings, and the secret that must not be guessed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gan_core.spec.errors import GraftError
from store.settings import Settings, prepare, write_private

EVERYWHERE = "0.0.0.0"  # noqa: S104
GOOD = "9f8a7b6c5d4e3f201a2b3c4d5e6f7081"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GRAFT_")]:
        monkeypatch.delenv(name)


def test_settings_come_from_the_environment_and_arguments_win(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAFT_PORT", "1234")
    monkeypatch.setenv("GRAFT_HOST", EVERYWHERE)
    settings = Settings(data_dir=tmp_path, port=99)
    assert (settings.port, settings.host) == (99, EVERYWHERE)
    assert settings.resolved_database_url() == f"sqlite:///{tmp_path}/graft.db"
    assert settings.resolved_object_store_url() == f"file://{tmp_path}/objects"


def test_on_loopback_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    first, second = (prepare(Settings(data_dir=data_dir)) for _ in range(2))
    assert first.secret_key == second.secret_key
    assert (data_dir / "secret.key").stat().st_mode & 0o777 == 0o600
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert first.secret_key is not None
    assert first.secret_key.get_secret_value() not in repr(first)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "graft.example.org"])
def test_no_start_without_a_secret_where_others_can_reach_it(tmp_path: Path, host: str) -> None:
    with pytest.raises(GraftError) as caught:
        prepare(Settings(data_dir=tmp_path, host=host))
    assert caught.value.code == "secret_missing"


@pytest.mark.parametrize("secret", ["tiny", "changeme" * 8, "a" * 64, "my-default-" + GOOD])
def test_no_start_with_a_weak_secret_where_others_can_reach_it(tmp_path: Path, secret: str) -> None:
    with pytest.raises(GraftError) as caught:
        prepare(Settings(data_dir=tmp_path, host=EVERYWHERE, secret_key=SecretStr(secret)))
    assert caught.value.code == "secret_too_weak"
    assert secret not in str(caught.value)


def test_a_good_secret_lets_it_listen_everywhere(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, host=EVERYWHERE, secret_key=SecretStr(GOOD))
    assert prepare(settings) == settings


def test_a_data_directory_that_cannot_be_made_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GraftError) as caught:
        prepare(Settings(data_dir=tmp_path / "file" / "data"))
    assert caught.value.code == "data_dir_unusable"


def test_heartbeats_must_keep_the_lease(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="half of lease_seconds"):
        Settings(data_dir=tmp_path, lease_seconds=8, heartbeat_seconds=5)


def test_a_private_file_is_never_replaced(tmp_path: Path) -> None:
    write_private(tmp_path / "k", "one")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "k", "two")
    assert (tmp_path / "k").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_weights_that_cannot_be_read_are_said_to_be_missing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, realesrgan_weights=tmp_path / "none.pth")
    with pytest.raises(GraftError) as missing:
        settings.realesrgan_weights_sha256()
    assert missing.value.code == "weights_missing"
    assert str(tmp_path) not in missing.value.detail
    (tmp_path / "none.pth").write_bytes(b"weights")
    assert settings.realesrgan_weights_sha256() == hashlib.sha256(b"weights").hexdigest()
    assert Settings(data_dir=tmp_path).realesrgan_weights_sha256() is None
