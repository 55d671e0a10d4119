"""Which workers are neighbours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from worker import place
from worker.place import place_of


def test_every_process_of_this_machine_with_the_same_data_directory_is_in_one_place(
    tmp_path: Path,
) -> None:
    code = "import sys, pathlib; from worker.place import place_of"
    code += "; print(place_of(pathlib.Path(sys.argv[1])))"
    said = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == place_of(tmp_path)
    assert len(place_of(tmp_path)) == 32


def test_another_data_directory_is_another_place(tmp_path: Path) -> None:
    assert place_of(tmp_path / "a") != place_of(tmp_path / "b")


def test_after_a_new_start_of_the_machine_it_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place_of(tmp_path)
    monkeypatch.setattr(place, "_read", lambda _: "another-boot")
    assert place_of(tmp_path) != before


def test_another_container_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place_of(tmp_path)
    monkeypatch.setattr(place, "_namespace", lambda: "1234")
    assert place_of(tmp_path) != before


def test_where_a_machine_cannot_be_told_from_others_nobody_is_a_neighbour(tmp_path: Path) -> None:
    assert place._read(str(tmp_path / "none")).startswith("unknown-")
