"""``python -m api``: the API as the deployed form runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import migrations
from api.__main__ import main


def test_it_does_not_start_without_a_secret_where_others_could_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GRAFT_HOST", "0.0.0.0")  # noqa: S104 - what is tested
    monkeypatch.delenv("GRAFT_SECRET_KEY", raising=False)
    assert main() == 1
    assert "GRAFT_SECRET_KEY" in capsys.readouterr().err


def test_it_makes_a_key_answers_and_leaves_in_order_at_sigterm(tmp_path: Path) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path / 'graft.db'}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"GRAFT_DATA_DIR": str(tmp_path), "GRAFT_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, umask=0o022)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=4) as answer:
                    assert answer.status == 200
                break
            except urllib.error.URLError:
                assert process.poll() is None, "it ended"
                assert time.monotonic() < until, "it never answered"
                time.sleep(0.1)
        key = tmp_path / "admin.key"
        assert key.read_text(encoding="utf-8").startswith("graft_")
        assert key.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "objects").stat().st_mode & 0o777 == 0o700
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
    assert code in {0, -signal.SIGTERM}
