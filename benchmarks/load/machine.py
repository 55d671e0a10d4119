"""What runs: the service, nginx beside it, and how much memory each process takes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

# Requests are counted as ever; refusing them would spoil the measurement.
LIMITS: dict[str, str] = {
    "GRAFT_LIMIT_REQUESTS_PER_MINUTE": "10000000",
    "GRAFT_LIMIT_WORKSPACE_REQUESTS_PER_MINUTE": "10000000",
}
MIB = 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def service(folder: Path, *options: str) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """Run the embedded service; yields its address, the administrator's key and its process."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "graft", "serve", "--data-dir", str(folder)),
            *("--port", str(port), *options),
        ],
        stdout=subprocess.DEVNULL,
        stderr=(folder.parent / "serve.log").open("wb"),
        env=os.environ | LIMITS,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.3)
        else:
            raise SystemExit("the service did not start; see serve.log")
        yield url, (folder / "admin.key").read_text().strip(), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def nginx(root: Path) -> Iterator[str]:
    """Serve a folder with nginx, one worker, sendfile on."""
    port = free_port()
    work = Path(tempfile.mkdtemp(prefix="graft-nginx-"))
    work.chmod(0o755)
    config = work / "nginx.conf"
    config.write_text(
        f"daemon off; pid {work}/pid; error_log {work}/error.log; worker_processes 1;"
        + (" user root;" if os.geteuid() == 0 else "")
        + " events {} http { access_log off; sendfile on; tcp_nopush on;"
        f" client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;"
        f" fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;"
        f" server {{ listen 127.0.0.1:{port}; root {root}; }} }}"
    )
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(work)])
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(work)


class Memory(threading.Thread):
    """Notes the largest resident memory of every process below one, by its role."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self.largest: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.is_over = threading.Event()

    def run(self) -> None:
        """Look twice a second, until it is over."""
        while not self.is_over.wait(0.5):
            for pid in descendants(self._root):
                role, size = described(pid)
                if role is not None:
                    self.first.setdefault(role, size)
                    self.largest[role] = max(self.largest.get(role, 0.0), size)


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def described(pid: int) -> tuple[str | None, float]:
    """Return what a process of the service does, and its resident MiB."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None, 0.0
    roles = {
        "graft serve": "supervisor",
        "api_process": "api",
        "valkey": "valkey",
        "gan_core": "step",
        "celery": "worker",
        "worker": "worker",
    }
    role = next((name for words, name in roles.items() if words in line), None)
    return role, pages * os.sysconf("SC_PAGE_SIZE") / MIB
