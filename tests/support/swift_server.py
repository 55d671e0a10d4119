"""A real object store that speaks S3: OpenStack Swift, whole, on loopback.

It is no mock but what people run by the petabyte: its four servers as processes of their own, one
disk, one copy, and the middleware that answers Amazon's protocol and checks its signatures. It
needs no root and no network, and is up in a few seconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from obstore.store import S3Store

_BIN = Path(sysconfig.get_path("scripts"))
_KINDS = ("account", "container", "object", "proxy")
_START_SECONDS = 60.0

_COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
workers = 0
user = {user}
log_level = WARNING
# The discard service: what matters is said on the standard error, which is kept.
log_udp_host = 127.0.0.1
log_udp_port = 9
"""

_STORAGE = """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper s3api tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:s3api]
use = egg:swift#s3api
location = {region}

[filter:tempauth]
use = egg:swift#tempauth
user_hospital_graft = {secret_key} .admin

# Multipart uploads are put together by it.
[filter:slo]
use = egg:swift#slo
"""

# In a process of its own: Swift puts its own networking in the place of Python's.
_RINGS = """
import json, sys
from swift.common.ring import RingBuilder
folder, ports = sys.argv[1], json.loads(sys.argv[2])
for kind in ("account", "container", "object"):
    builder = RingBuilder(2, 1, 0)  # four partitions, one copy
    place = {"region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": ports[kind]}
    builder.add_dev(place | {"device": "disk"})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""


class SwiftServer:
    """Swift in a folder."""

    access_key = "hospital:graft"
    secret_key = "opens-an-empty-store-on-loopback"
    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_KINDS, _free_ports(len(_KINDS)), strict=True))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = count(1)
        self.endpoint = f"http://127.0.0.1:{self._ports['proxy']}"

    def options(self, **changes: Any) -> dict[str, Any]:
        """What ``Objects`` takes as ``s3``."""
        return {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "client_options": {"allow_http": True},
        } | changes

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"bucket-{next(self._numbers)}"
        address = obstore.sign(S3Store(name, **self.options()), "PUT", "", timedelta(minutes=1))
        httpx.put(address).raise_for_status()
        return name

    def start(self) -> None:
        (self._folder / "devices" / "disk").mkdir(parents=True)
        (self._folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_prefix = graft\nswift_hash_path_suffix = graft\n"
        )
        for kind, port in self._ports.items():
            text = (_COMMON + (_PROXY if kind == "proxy" else _STORAGE)).format(
                kind=kind,
                port=port,
                folder=self._folder,
                user=pwd.getpwuid(os.geteuid()).pw_name,
                region=self.region,
                secret_key=self.secret_key,
            )
            (self._folder / f"{kind}.conf").write_text(text)
        subprocess.run(
            [sys.executable, "-c", _RINGS, self._folder, json.dumps(self._ports)], check=True
        )
        for kind in _KINDS:
            with (self._folder / f"{kind}.log").open("wb") as log:
                self._processes.append(
                    subprocess.Popen(
                        [_BIN / f"swift-{kind}-server", self._folder / f"{kind}.conf"],
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        self._wait()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)

    def _wait(self) -> None:
        until = time.monotonic() + _START_SECONDS
        for port in self._ports.values():
            while not _is_open(port):
                is_dead = any(process.poll() is not None for process in self._processes)
                if is_dead or time.monotonic() > until:
                    said = [path.read_text() for path in sorted(self._folder.glob("*.log"))]
                    raise RuntimeError("Swift did not start:\n" + "\n".join(said))
                time.sleep(0.05)


def _free_ports(number: int) -> list[int]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _why_not(folder: Path) -> str | None:
    if importlib.util.find_spec("swift") is None:
        return "OpenStack Swift is not installed here: it is for Linux only"
    try:
        os.setxattr(folder, "user.graft.test", b"x")
    except OSError:
        return f"{folder} keeps no extended attributes, which Swift needs: set TMPDIR to another"
    return None


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SwiftServer]:
    """A running object store; a test takes a bucket of its own from it."""
    folder = Path(tempfile.mkdtemp(prefix="graft-swift-"))
    reason = _why_not(folder)
    if reason is not None:
        shutil.rmtree(folder)
        # Where it is meant to run, a skip would hide that it does not.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    server = SwiftServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
