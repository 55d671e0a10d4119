"""The fuzz itself: a short run is clean, and what goes wrong is found."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def archives() -> Any:
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        return importlib.import_module("archives")
    finally:
        sys.path.pop(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "case"
    made.mkdir()
    return made


def test_a_short_run_finds_nothing_and_reads_some_and_refuses_many(archives: Any) -> None:
    told: list[str] = []
    assert archives.run(150, 3, told.append) == []
    assert "read " in told[-1]
    assert "archive_" in told[-1]


def test_a_case_is_the_same_each_time_and_another_by_its_number_or_seed(archives: Any) -> None:
    assert archives.case_of(1, 7) == archives.case_of(1, 7)
    assert archives.case_of(1, 7) != archives.case_of(1, 9)
    assert archives.case_of(1, 7) != archives.case_of(2, 7)


def test_an_error_that_is_no_refusal_is_found(archives: Any, folder: Path, tmp_path: Path) -> None:
    def read(data: bytes, _kind: str, _folder: Path) -> str:
        if len(data) % 2:
            raise IndexError("list index out of range")
        return "read"

    found = archives.run_cases(1, 0, 20, folder, tmp_path / "note", read=read)
    assert 0 < len(found.wrong) < 20
    assert all("IndexError" in how for _, how in found.wrong)


def test_a_file_that_is_left_behind_is_found(archives: Any, folder: Path, tmp_path: Path) -> None:
    def read(_data: bytes, kind: str, folder: Path) -> str:
        if kind == "archive":
            (folder / "forgotten").touch()
        return "read"

    found = archives.run_cases(1, 0, 10, folder, tmp_path / "note", read=read)
    assert [number for number, _ in found.wrong] == [1, 3, 5, 7, 9]


def test_a_process_that_dies_is_found_and_the_others_are_run_all_the_same(
    archives: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = tmp_path / "crashing.py"
    here = Path(archives.__file__).parent
    crashing.write_text(
        f"import sys; sys.path.insert(0, {str(here)!r}); import os, archives, pathlib\n"
        "def read(data, kind, folder):\n"
        "    if int((folder.parent / 'note').read_text()) == 13: os.abort()\n"
        "    return 'read'\n"
        "plain = archives.run_cases\n"
        "archives.run_cases = lambda *given: plain(*given, read=read)\n"
        "sys.exit(archives.main())\n"
    )
    monkeypatch.setattr(archives, "__file__", os.fspath(crashing))
    told: list[str] = []
    (wrong,) = archives.run(30, 1, told.append)
    assert wrong.startswith("case 13 of seed 1: the process ended with -6")
    assert told[0].startswith("30/30 ")
