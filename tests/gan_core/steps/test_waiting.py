"""A child that loads first and is told its step afterwards."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import pytest
import torch

from gan_core.steps import waiting
from gan_core.steps.protocol import EXIT_STOPPED


def test_a_step_finds_the_random_state_as_if_nothing_had_been_rehearsed() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    waiting._rehearse()
    assert torch.equal(torch.get_rng_state(), before)


def test_an_input_that_ends_is_a_stop_without_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr(waiting, "_rehearse", lambda: None)
    assert waiting.wait_and_run(parent=None) == EXIT_STOPPED


def test_the_step_is_run_in_its_folder_with_temporary_files_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    seen: list[tuple[Path, str, str]] = []

    def run(folder: Path, *, parent: int | None, confines: bool) -> int:
        assert parent is None
        assert confines, "a step that reads uploads is limited here, too"
        seen.append((folder, str(Path.cwd()), tempfile.gettempdir()))
        return 0

    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"dir": str(tmp_path)}) + "\n"))
    monkeypatch.setattr(waiting, "_rehearse", lambda: None)
    monkeypatch.setattr(waiting, "main", run)
    monkeypatch.setenv("TMPDIR", os.environ.get("TMPDIR", "/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(Path.cwd())
    assert waiting.wait_and_run(parent=None) == 0
    assert seen == [(tmp_path, str(tmp_path), str(tmp_path / "tmp"))]
