"""The ten lines of curl and of Python in docs/api.md, as they stand there, against a service."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROFILE = '"profile": "quick"'


def block(language: str) -> str:
    """Return the first block of a language in the section."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    section = text.split("## From a key to the zip\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)[0]


def made_small(code: str, spec: dict[str, Any], escape: str = "") -> str:
    """Ask for less than the quick profile, which takes minutes; all else is as it stands."""
    wanted = PROFILE.replace('"', f'{escape}"')
    assert code.count(wanted) == 1
    return code.replace(wanted, json.dumps(spec)[1:-1].replace('"', f'{escape}"'))


@pytest.mark.parametrize("language", ["bash", "python"])
def test_it_is_ten_lines(language: str) -> None:
    assert 5 < len([line for line in block(language).splitlines() if line]) <= 10


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_it_goes_from_a_key_to_the_zip(
    serve: Any, tiny_set: Path, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    served = serve()
    python = {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    variables = {"GRAFT": served.url, "KEY": (served.data_dir / "admin.key").read_text().strip()}
    scripts = {
        "curl": ["bash", "-c", made_small(block("bash"), tiny_spec, "\\")],
        "python": [sys.executable, "-c", made_small(block("python"), tiny_spec)],
    }
    for name, command in scripts.items():
        folder = tmp_path / name
        folder.mkdir()
        shutil.make_archive(str(folder / "my-images"), "zip", tiny_set)
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | python | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with zipfile.ZipFile(folder / "synthetic.zip") as archive:
            assert [n for n in archive.namelist() if n.startswith("malignant/")]
    # A bad key ends it at once.
    bad = subprocess.run(
        scripts["curl"],
        cwd=tmp_path / "curl",
        env=os.environ | python | variables | {"KEY": "graft_bad"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert bad.returncode != 0
    with served.client() as client:
        sums = {
            artifact.sha256
            for job in client.each(client.jobs.list)
            for artifact in client.artifacts.list(job)
        }
    for name in scripts:
        content = (tmp_path / name / "synthetic.zip").read_bytes()
        assert hashlib.sha256(content).hexdigest() in sums
