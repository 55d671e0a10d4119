"""The example of a portal against the real service, with a real job and real webhooks."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@contextmanager
def portal(environment: dict[str, str], port: int, log: Path) -> Iterator[httpx.Client]:
    """Run the portal as its README says; end it by its own pid."""
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "--app-dir", "examples/portal"),
        *("portal:from_environment", "--port", str(port)),
    ]
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/studies/none").status_code == 404
    except httpx.TransportError:
        return False


def test_a_portal_gets_its_zip_by_webhooks_and_is_not_fooled(
    serve: Any, real: Any, tiny_set: Path, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path / "portal.log"
    served = serve(GRAFT_WEBHOOK_ALLOW_LOOPBACK="true")
    with served.client() as graft:
        key = graft.keys.create("portal", scopes=["researcher"])
        hook = graft.webhooks.create(f"http://127.0.0.1:{port}/graft")
        environment = real.environment() | {
            "GRAFT_URL": served.url,
            "GRAFT_API_KEY": key.key,
            "WEBHOOK_SECRET": hook.secret,
            "PORTAL_DIR": str(tmp_path / "portal"),
            # Longer than the test: what it learns, it learns from messages.
            "PORTAL_FALLBACK_SECONDS": "3600",
        }
        dataset = graft.datasets.wait(graft.datasets.upload(tiny_set, image_size=64), timeout=300)
        with portal(environment, port, log) as client:
            real.wait_for(lambda: is_up(client), 60, "the portal")
            asked = tiny_spec | {"dataset_id": dataset.id}
            study = client.post("/studies", json=asked).raise_for_status().json()

            def has_status(*wanted: str) -> Any:
                found = client.get(f"/studies/{study['id']}").json()
                return found if found["status"] in wanted else None

            real.wait_for(lambda: has_status("queued", "running", "ready"), 60, "the job")
            found = real.wait_for(lambda: has_status("ready", "failed"), 400, "the zip")
            assert found["status"] == "ready", found
            content = client.get(f"/studies/{study['id']}/zip").content
            assert hashlib.sha256(content).hexdigest() == found["sha256"]

            # What was delivered is delivered again, with the same id: nothing happens.
            sent = [
                d
                for d in graft.each(graft.webhooks.deliveries, hook)
                if (d.type, d.status) == ("job.succeeded", "delivered")
            ]
            again = graft.webhooks.replay(hook, sent[0])
            assert again.message_id == sent[0].message_id
            repeated = real.wait_for(
                lambda: _delivered(graft, hook, again.id, 200), 60, "the repeated message"
            )
            assert repeated.status == "delivered"
            # Somebody else's is refused.
            forged = client.post(
                "/graft",
                json={"type": "job.failed", "data": {"id": found["job_id"]}},
                headers={
                    "webhook-id": "msg_1",
                    "webhook-timestamp": "1767323045",
                    "webhook-signature": "v1,AAAA",
                },
            )
            assert forged.status_code == 401
            assert has_status("ready")

        # Started anew, it remembers, and asks for nothing twice.
        with portal(environment | {"PORTAL_FALLBACK_SECONDS": "1"}, port, log) as client:
            real.wait_for(lambda: is_up(client), 60, "the portal, again")
            assert client.get(f"/studies/{study['id']}").json()["status"] == "ready"
        assert len(list(graft.each(graft.jobs.list))) == 1
    path = tmp_path / "synthetic.zip"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert [n for n in archive.namelist() if n.startswith("malignant/")]
    said = log.read_text()
    assert key.key not in said
    assert hook.secret not in said


def _delivered(graft: Any, hook: Any, delivery_id: str, status_code: int) -> Any:
    found = graft.webhooks.delivery(hook, delivery_id)
    return found if found.last_status_code == status_code else None
