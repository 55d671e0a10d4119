"""A real Orthanc on free loopback ports, with a storage of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """Where a running Orthanc listens.

    Attributes:
        url: Of its REST API.
        dicom_port: Of C-STORE and the like.
        has_dicomweb: Whether the plug-in for STOW-RS is installed.
    """

    url: str
    dicom_port: int
    has_dicomweb: bool


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def orthanc_server() -> Iterator[Orthanc]:
    """Start an Orthanc, and stop it again.

    Skips the test where there is none.
    """
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        pytest.skip("Orthanc is not installed here")
    http, dicom = _free_port(), _free_port()
    with TemporaryDirectory(prefix="graft-orthanc-") as folder:
        settings = Path(folder) / "orthanc.json"
        settings.write_text(
            json.dumps(
                {
                    "Name": "graft tests",
                    "StorageDirectory": f"{folder}/storage",
                    "IndexDirectory": f"{folder}/index",
                    "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
                    "HttpPort": http,
                    "DicomPort": dicom,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "DicomAlwaysAllowStore": True,
                    "DicomCheckCalledAet": False,
                    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                }
            )
        )
        process = subprocess.Popen(
            [program, str(settings)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{http}"
        try:
            _wait(process, url)
            yield Orthanc(url, dicom, PLUGIN.exists())
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert process.poll() is None, "Orthanc ended at once"
        try:
            if httpx.get(f"{url}/system", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("Orthanc does not answer")
