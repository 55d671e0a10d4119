"""``graft serve`` with real processes: what it starts, what it refuses, what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from graft.serving.data_dir import LOCK_FILE, running_service

pytestmark = pytest.mark.slow


def refused(real: Any, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "graft", "serve", *options],
        env=real.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_refuses_what_cannot_be_and_leaves_nothing_after_ctrl_c(
    serve: Any, real: Any, tmp_path: Path
) -> None:
    served = serve()
    data_dir = served.data_dir
    assert httpx.get(f"{served.url}/readyz").status_code == 200
    assert (data_dir / "admin.key").stat().st_mode & 0o777 == 0o600
    with served.client() as client:
        assert client.jobs.list().items == []
    port = httpx.URL(served.url).port

    assert "already runs" in refused(real, "--data-dir", str(data_dir))
    assert f"Port {port}" in refused(
        real, "--data-dir", str(tmp_path / "other"), "--port", str(port)
    )
    assert real.processes_of(tmp_path / "other") == []

    assert served.stop(signal.SIGINT) == 0
    assert real.processes_of(data_dir) == []
    assert running_service(data_dir) is None
    assert not (data_dir / "service.json").exists()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_in_an_open_data_directory_nothing_is_open_to_others(
    serve: Any, tmp_path: Path, tiny_set: Path
) -> None:
    data_dir = tmp_path / "open"
    data_dir.mkdir()
    data_dir.chmod(0o755)
    served = serve(data_dir=data_dir)
    with served.client() as client:
        dataset = client.datasets.upload(tiny_set, image_size=64)
        assert client.datasets.wait(dataset, timeout=120).status == "ready"
    written = sorted(data_dir.rglob("*"))
    names = {path.name for path in written}
    assert {"graft.db", "objects", "logs", "api.log", "worker-1.log", "work"} <= names
    assert [path for path in written if path.lstat().st_mode & 0o077] == []
    assert data_dir.stat().st_mode & 0o777 == 0o755


@pytest.mark.chaos
def test_a_killed_service_leaves_no_process_and_no_lock(serve: Any, real: Any) -> None:
    served = serve()
    data_dir = served.data_dir
    served.process.kill()
    served.process.wait()
    real.wait_for(lambda: not real.processes_of(data_dir), 45, "the end of all children")
    assert (data_dir / LOCK_FILE).exists()
    assert running_service(data_dir) is None


@pytest.mark.chaos
def test_children_that_are_killed_are_started_again(serve: Any, real: Any, tiny_set: Path) -> None:
    served = serve()

    def pid_of(word: str) -> int | None:
        for pid in real.processes_of(served.data_dir):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
                parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except FileNotFoundError:
                continue
            if word in line and parent == served.process.pid:
                return pid
        return None

    before = {word: pid_of(word) for word in ("api_process", "worker", "valkey-server")}
    for pid in before.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    for word, pid in before.items():
        real.wait_for(lambda w=word, p=pid: pid_of(w) not in {None, p}, 30, word)
    with served.client() as client:
        dataset = client.datasets.upload(tiny_set, image_size=64)
        assert client.datasets.wait(dataset, timeout=120).status == "ready"


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_step_whose_worker_processes_are_killed_goes_on_and_ends(
    serve: Any, real: Any, tiny_set: Path, tiny_spec: dict[str, Any]
) -> None:
    served = serve(
        GRAFT_LEASE_SECONDS="4",
        GRAFT_HEARTBEAT_SECONDS="1",
        GRAFT_SWEEP_SECONDS="1",
        GRAFT_CHECKPOINT_SECONDS="1",
        # A child that was started ahead cannot be told from the one at work.
        GRAFT_READY_CHILD="false",
    )

    def steps_at_work() -> list[int]:
        def line(pid: int) -> str:
            try:
                return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            except FileNotFoundError:
                return ""

        return [pid for pid in real.processes_of(served.data_dir) if "gan_core" in line(pid)]

    with served.client() as client:
        dataset = client.datasets.wait(client.datasets.upload(tiny_set, image_size=64))
        gan = tiny_spec["gans"][0] | {"epochs": 600}
        spec = tiny_spec | {"gans": [gan], "benchmark": {"classifiers": []}}
        job = client.jobs.submit(spec | {"dataset_id": dataset.id})
        # Of the training: drawing images names the GAN, too.
        real.wait_for(
            lambda: "epoch" in (client.jobs.get(job.id).progress.detail or ""),
            180,
            "training",
        )
        (child,) = steps_at_work()
        pool_process = int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(pool_process, signal.SIGKILL)
        # Nobody would renew its lease: the step's own process must not go on either.
        real.wait_for(lambda: not Path(f"/proc/{child}").exists(), 10, "the child's end")
        done = client.jobs.wait(job, timeout=400)
        assert done.status == "succeeded", done.error
