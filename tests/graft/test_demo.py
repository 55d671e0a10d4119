"""``graft demo``: it ends clean however it ends, and goes on where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from graft.serving.data_dir import running_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def demo(real: Any, out: Path, data: Path, spec: Path, log: Path) -> subprocess.Popen[bytes]:
    arguments = ["--data", str(data), "--spec", str(spec), "--out", str(out)]
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "graft", "demo", *arguments],
            env=real.environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def test_ctrl_c_leaves_nothing_and_the_next_run_goes_on_from_the_checkpoint(
    real: Any, tiny_set: Path, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    out, log, spec = tmp_path / "demo", tmp_path / "log", tmp_path / "spec.json"
    gan = tiny_spec["gans"][0] | {"epochs": 300}
    spec.write_text(json.dumps(tiny_spec | {"gans": [gan], "benchmark": {"classifiers": []}}))

    first = demo(real, out, tiny_set, spec, log)
    real.wait_for(lambda: "train  infogan" in log.read_text(), 300, "training")
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=90) == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert real.processes_of(out) == []
    assert running_service(out / ".service") is None
    (step,) = (out / ".service" / "work").iterdir()
    assert list((step / "checkpoints").iterdir())

    second = demo(real, out, tiny_set, spec, log)
    assert second.wait(timeout=600) == 0, log.read_text()
    for name in ("synthetic.zip", "report.html", "results.csv", "results.json"):
        assert (out / name).stat().st_size > 0
    assert real.processes_of(out) == []
    # One job, begun once and ended once: nothing was submitted anew.
    log_text = (out / ".service" / "logs" / "worker-1.log").read_text()
    assert '"outcome": "released"' in log_text


def test_bad_data_is_told_and_nothing_is_left(
    real: Any, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    out, log, spec = tmp_path / "demo", tmp_path / "log", tmp_path / "spec.json"
    spec.write_text(json.dumps(tiny_spec))
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("train/benign/1.png", b"this is no image")
    process = demo(real, out, bad, spec, log)
    assert process.wait(timeout=120) == 1
    said = log.read_text()
    assert "error: The data set was rejected" in said
    assert "Traceback" not in said
    assert real.processes_of(out) == []
