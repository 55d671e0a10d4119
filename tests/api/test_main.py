"""``python -m api``: the API as the deployed form runs it."""

from __future__ import annotations

import asyncio
import json
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
import uvicorn

import migrations
from api.__main__ import main
from api.app import create_app
from store.bootstrap import ensure_admin
from store.database import Database
from store.objects import Objects
from store.settings import Settings, prepare


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


def test_an_upload_that_a_stop_interrupts_is_answered_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path))
    settings = prepare(Settings())
    migrations.upgrade(settings.resolved_database_url())
    database = Database.from_settings(settings)
    key = ensure_admin(database, settings)
    database.dispose()

    async def upload_until_the_stop() -> bytes:
        app = create_app(settings)
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        head = (
            "POST /v1/datasets HTTP/1.1\r\nHost: graft\r\nContent-Type: application/zip\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: 1000000\r\n\r\n"
        )
        writer.write(head.encode() + b"PK\x03\x04" + bytes(1000))
        await writer.drain()
        await asyncio.sleep(0.3)
        server.should_exit = True
        answer = await reader.read()
        writer.close()
        await serving
        return answer

    head, _, body = asyncio.run(upload_until_the_stop()).partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith("http/1.1 503")
    assert {"content-type: application/problem+json", "retry-after: 5"} <= set(lines)
    assert json.loads(body)["code"] == "stopping"
    assert Objects.from_settings(settings).list("workspaces/") == {}
