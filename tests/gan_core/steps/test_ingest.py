"""Reading an upload in a process that may take only so much."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile_files import saved, sound_members, tar_gz, zipped
from PIL import Image

RUN = [sys.executable, "-m", "gan_core", "run"]
LIMITED = "import gan_core.steps.limits as limits; "


def _step(tmp_path: Path, upload: bytes, **settings: Any) -> Path:
    folder = tmp_path / "step"
    (folder / "inputs" / "upload").mkdir(parents=True)
    (folder / "inputs" / "upload" / "upload.zip").write_bytes(upload)
    described = {
        "name": "ingest",
        "kind": "ingest",
        "key": "0" * 64,
        "params": {"image_size": 32},
        "inputs": {"upload": "inputs/upload"},
        "settings": {"device": "cpu", "cache_dir": str(tmp_path), "threads": 2} | settings,
    }
    (folder / "step.json").write_text(json.dumps(described))
    return folder


def _run(folder: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run([*RUN, folder], capture_output=True, text=True, check=False, timeout=120)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    last: dict[str, Any] = json.loads(lines[-1])
    return done.returncode, last


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("upload", [zipped(sound_members()), tar_gz()], ids=["zip", "tar.gz"])
def test_an_upload_is_read_within_the_limits(tmp_path: Path, upload: bytes) -> None:
    folder = _step(tmp_path, upload)
    code, last = _run(folder)
    assert (code, last["event"]) == (0, "done")
    made = {output["name"]: output["media_type"] for output in last["outputs"]}
    assert made["preview.json"] == "application/json"
    assert made["preview-0.png"] == "image/png"
    assert {output["kind"] for output in last["outputs"]} == {"internal"}
    assert made.keys() == {path.name for path in (folder / "outputs").iterdir()}


def test_more_memory_than_allowed_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    large = saved(Image.new("RGB", (7000, 7000)), "BMP")  # 147 MB, of which each needs two copies
    members = [(f"{name}/{k}.bmp", large) for name in ("a", "b") for k in range(2)]
    code, last = _run(_step(tmp_path, zipped(members), ingest_max_memory_bytes=200_000_000))
    assert (code, last["event"], last["code"]) == (3, "failed", "ingest_memory")
    assert "GRAFT_INGEST_MAX_MEMORY_BYTES" in last["hint"]


def test_more_time_than_allowed_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    slow = saved(Image.effect_noise((3000, 3000), 90), "PNG")
    members = [(f"{name}/{k}.png", slow) for name in ("a", "b") for k in range(30)]
    code, last = _run(_step(tmp_path, zipped(members), ingest_max_seconds=1))
    assert (code, last["event"], last["code"]) == (3, "failed", "ingest_time")
    assert not list((tmp_path / "step" / "outputs").iterdir())


def test_a_process_that_does_not_ask_for_the_time_is_ended() -> None:
    done = _python(
        "import time, sys; limits._GRACE_SECONDS = 0.2;"
        "d = limits.Deadline(0.2, None)\nwhile True: time.sleep(0.05)"
    )
    assert done.returncode == limits_module().EXIT_OVERTIME


def test_past_its_limits_a_process_can_allocate_write_and_open_no_more(tmp_path: Path) -> None:
    code = f"""
import resource
limits.apply_limits(limits.ProcessLimits(
    memory_bytes=100 << 20, seconds=50, file_bytes=1 << 20, open_files=32))
kept = bytearray(50 << 20)
def refused(work):
    try: work()
    except (MemoryError, OSError) as error: return type(error).__name__, getattr(error, "errno", 0)
def write():
    with open({str(tmp_path / "large")!r}, "wb", buffering=0) as file:
        while True: file.write(bytes(1 << 19))
print(refused(lambda: bytearray(80 << 20)), refused(write),
      refused(lambda: [open("/dev/null") for _ in range(40)]),
      resource.getrlimit(resource.RLIMIT_CORE))
"""
    done = _python(code)
    assert done.stdout.strip() == "('MemoryError', 0) ('OSError', 27) ('OSError', 24) (0, 0)", (
        done.stderr
    )


def test_a_stricter_limit_of_the_machine_stays(tmp_path: Path) -> None:
    done = _python(
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50));"
        "limits.apply_limits(limits.ProcessLimits(memory_bytes=1<<30, seconds=9, file_bytes=9));"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert done.stdout.strip() == "(50, 50)", done.stderr


def test_threads_do_not_use_up_the_address_space() -> None:
    done = _python(
        "from concurrent.futures import ThreadPoolExecutor as P;"
        "limits.apply_limits(limits.ProcessLimits(memory_bytes=2<<30, seconds=9, file_bytes=9));"
        "import threading; b = threading.Barrier(16)\n"
        "def work(_): b.wait(9); return len(bytearray(50 << 20))\n"
        "print(sum(P(16).map(work, range(16))) >> 20)"
    )
    assert done.stdout.strip() == "800", done.stderr


def test_reading_an_upload_loads_no_torch(tmp_path: Path) -> None:
    folder = _step(tmp_path, zipped(sound_members()))
    code = (
        "import sys; from pathlib import Path; from gan_core.steps.protocol import main;"
        f"code = main(Path({str(folder)!r}), parent=None, confines=True);"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )
    assert _python(code).stderr.splitlines()[-1] == "0 False"


def test_reading_without_a_process_of_its_own_limits_nothing(tmp_path: Path) -> None:
    from gan_core.progress import ignore_progress, never_stop
    from gan_core.steps.run import load_step, run_step

    before = [resource.getrlimit(what) for what in range(resource.RLIMIT_MSGQUEUE)]
    folder = _step(tmp_path, zipped(sound_members()))
    run_step(load_step(folder, on_progress=ignore_progress, should_stop=never_stop))
    assert [resource.getrlimit(what) for what in range(resource.RLIMIT_MSGQUEUE)] == before


def limits_module() -> Any:
    from gan_core.steps import limits

    return limits
