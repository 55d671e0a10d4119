"""The receiver of ``docs/webhooks.md`` does what the page says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from standardwebhooks.webhooks import Webhook

from store.webhook_secrets import new_secret

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
BODY = '{"type":"job.failed","timestamp":"2026-01-02T03:04:05Z","data":{"id":"job_1"}}'


def signed(secret: str, body: str, message_id: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }


def test_the_receiver_of_the_page_takes_what_is_ours_once_and_refuses_the_rest() -> None:
    (program,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    secret = new_secret()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    statuses = []
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            _wait_until_there(port)
            for content, headers in (
                (BODY, signed(secret, BODY, "msg_1")),
                (BODY, signed(secret, BODY, "msg_1")),
                (BODY + " ", signed(secret, BODY, "msg_2")),
                (BODY, signed(new_secret(), BODY, "msg_3")),
                (BODY, signed(secret, BODY, "msg_4") | {"webhook-timestamp": "1"}),
                (BODY, {}),
            ):
                statuses.append(client.post("/", content=content, headers=headers).status_code)
    finally:
        process.kill()
        printed, _ = process.communicate()
    assert statuses == [204, 204, 401, 401, 401, 401]
    assert printed == "job.failed job_1\n"


def _wait_until_there(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < until, "the receiver does not listen"
            time.sleep(0.05)
        else:
            return
