"""The child process that runs one step."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.progress import never_stop
from gan_core.spec.errors import GraftError
from gan_core.steps import protocol
from tests.support.process_states import lives

RUN = [sys.executable, "-m", "gan_core", "run"]


def zip_of_pictures(path: Path, per_class: int = 6) -> None:
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "test"):
            for name in ("benign", "malignant"):
                for i in range(per_class):
                    pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                    buffer = io.BytesIO()
                    Image.fromarray(pixels).save(buffer, "PNG")
                    archive.writestr(f"{split}/{name}/{i}.png", buffer.getvalue())


def step_folder(tmp_path: Path, kind: str, params: dict, inputs: dict[str, str]) -> Path:
    folder = tmp_path / "step"
    folder.mkdir()
    for path in inputs.values():
        (folder / path).mkdir(parents=True)
    (folder / "step.json").write_text(
        json.dumps(
            {
                "name": kind,
                "kind": kind,
                "key": "0" * 64,
                "params": params,
                "inputs": inputs,
                "settings": {"device": "cpu", "cache_dir": str(tmp_path / "cache"), "threads": 1},
                "context": {},
            }
        )
    )
    return folder


def ingest_folder(tmp_path: Path) -> Path:
    folder = step_folder(tmp_path, "ingest", {"image_size": 32}, {"upload": "inputs/upload"})
    zip_of_pictures(folder / "inputs/upload/upload.zip")
    return folder


def events_of(stdout: str) -> list[dict]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_a_step_ends_with_its_outputs_described_truly(tmp_path: Path) -> None:
    folder = ingest_folder(tmp_path)
    done = subprocess.run([*RUN, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = events_of(done.stdout)[-1]
    assert last["event"] == "done"
    # Two classes in two splits: a sheet of pictures each.
    sheets = {f"preview-{number}.png" for number in range(4)}
    assert {o["name"] for o in last["outputs"]} == {
        *("train.npy", "test.npy", "index.json", "preview.json"),
        *sheets,
    }
    for output in last["outputs"]:
        data = (folder / "outputs" / output["name"]).read_bytes()
        assert output["size"] == len(data)
        assert output["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_failure_that_a_person_can_mend_is_an_event_and_exit_code_3(tmp_path: Path) -> None:
    folder = ingest_folder(tmp_path)
    (folder / "inputs/upload/upload.zip").write_bytes(b"this is no zip")
    done = subprocess.run([*RUN, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    last = events_of(done.stdout)[-1]
    assert last["event"] == "failed"
    assert last["code"] == "not_a_zip"
    assert last["detail"].endswith(".")


def test_what_shows_how_it_came_to_a_failure_goes_along_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = [{"epoch": 1, "generator": 0.5}]

    def diverge(_: object) -> None:
        raise GraftError("diverged", "It diverged.", evidence={"history": history})

    monkeypatch.setattr(protocol, "run_step", diverge)
    monkeypatch.setattr(protocol, "StopRequest", lambda: never_stop)
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # stands in for stdout from then on
    out = sys.stdout
    try:
        code = protocol.main(ingest_folder(tmp_path), parent=None)
    finally:
        sys.stdout = out
    assert code == 3
    (event,) = events_of(capsys.readouterr().out)
    assert event["evidence"] == {"history": history}


def test_a_crash_is_neither_done_nor_failed_and_its_traceback_is_on_stderr(tmp_path: Path) -> None:
    folder = ingest_folder(tmp_path)
    (folder / "step.json").write_text("{")
    done = subprocess.run([*RUN, folder], capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 3, 4)
    assert "JSONDecodeError" in done.stderr


def test_what_an_earlier_attempt_left_among_the_outputs_is_gone(tmp_path: Path) -> None:
    folder = ingest_folder(tmp_path)
    (folder / "outputs").mkdir()
    (folder / "outputs" / "half.npy").write_bytes(b"half")
    done = subprocess.run([*RUN, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (folder / "outputs" / "half.npy").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = (
        "from gan_core.steps.protocol import die_with_parent; import os, pathlib, time;"
        f"die_with_parent(os.getppid()); pathlib.Path({str(ready)!r}).write_text(str(os.getpid()));"
        "time.sleep(60)"
    )
    mother = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", mother])
    deadline = time.monotonic() + 30
    while not ready.exists() or not ready.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pid = int(ready.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline:
        if not lives(pid):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")
