"""``.ci/run``: its status and its last line are what continuous integration reads."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
PASSED = "===== 12 passed, 1 skipped in 3.21s ====="
FAILED = "===== 1 failed, 11 passed in 70.02s (0:01:10) ====="


def run(folder: Path, make: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder of its own, with these lines of shell in the place of make."""
    (folder / ".ci").mkdir()
    shutil.copy(SCRIPT, folder / ".ci" / "run")
    (folder / "bin").mkdir()
    # These are there, so that nothing is installed from here.
    for name, body in {"make": make, "initdb": "exit 0", "chromium": "exit 0"}.items():
        command = folder / "bin" / name
        command.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        command.chmod(0o755)
    return subprocess.run(
        [folder / ".ci" / "run"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
    )


def test_it_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)


def test_when_all_is_well_the_last_line_is_pytests_summary(tmp_path: Path) -> None:
    done = run(tmp_path, f'echo "make $1"; [ "$1" = lint ] || echo "{PASSED}"')
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "make lint"
    assert done.stdout.splitlines()[-1] == PASSED


def test_a_failed_test_fails_the_run_and_is_still_summed_up(tmp_path: Path) -> None:
    done = run(tmp_path, f'[ "$1" = lint ] || {{ echo "{FAILED}"; echo "make: Error"; exit 2; }}')
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == FAILED


def test_a_linters_complaint_fails_the_run_though_the_tests_pass(tmp_path: Path) -> None:
    done = run(tmp_path, f'[ "$1" = lint ] && exit 3; echo "{PASSED}"')
    assert done.returncode == 3
    assert "make lint failed" in done.stdout
    assert done.stdout.splitlines()[-1] == PASSED


@pytest.mark.parametrize("status", [0, 2])
def test_tests_that_never_ran_are_no_success(tmp_path: Path, status: int) -> None:
    done = run(tmp_path, f'[ "$1" = lint ] || {{ echo "no summary here"; exit {status}; }}')
    assert done.returncode != 0
    assert "no summary" in done.stdout


def test_nothing_waits_for_someone_to_type(tmp_path: Path) -> None:
    done = run(tmp_path, f'cat; [ "$CI" = true ] || exit 9; [ "$1" = lint ] || echo "{PASSED}"')
    assert done.returncode == 0
