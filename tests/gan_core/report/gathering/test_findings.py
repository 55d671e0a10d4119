from __future__ import annotations

import json
from pathlib import Path

from whole_study import results

from gan_core.report.gathering import gather_findings, gather_runs


def left(folder: Path, file: str, told: object) -> Path:
    folder.mkdir()
    (folder / file).write_text(json.dumps(told))
    return folder


def test_what_a_step_found_is_read_and_what_it_could_not_say_is_left_out(tmp_path: Path) -> None:
    whole = results()
    told = {"quality": whole.quality[0].model_dump(), "privacy": None, "shortcut": None}
    inputs = {
        "inspect-fastgan-10-s0": left(tmp_path / "a", "findings.json", told),
        "control-64": left(tmp_path / "b", "fidelity.json", whole.upscaler[0].model_dump()),
    }
    found = gather_findings(inputs, available=963)
    assert found.quality == whole.quality[:1]
    assert found.upscaler == whole.upscaler
    assert found.privacy == found.shortcuts == found.screening == []


def test_a_screens_column_is_that_of_its_steps_name(tmp_path: Path) -> None:
    told = {"drawn": 9, "kept": 3, "needed": 4, "rejected": {"alike": 6}, "is_short": True}
    more = told | {"rules": {}, "images": []}
    inputs = {"screen-fastgan-all-s2": left(tmp_path / "a", "screening.json", more)}
    (summary,) = gather_findings(inputs, available=963).screening
    assert (summary.gan, summary.real_count, summary.subset) == ("fastgan", 963, 2)
    assert (summary.real_count_label, summary.rejected) == ("all", {"alike": 6})


def test_a_folder_without_its_file_says_nothing(tmp_path: Path) -> None:
    for name in ("inspect-a-10-s0", "screen-a-10-s0", "control-64"):
        (tmp_path / name).mkdir()
    found = gather_findings({path.name: path for path in tmp_path.iterdir()}, available=5)
    assert (found.quality, found.screening, found.upscaler) == ([], [], [])


def test_without_an_evaluation_there_are_no_runs() -> None:
    runs = gather_runs({}, ["probe"])
    assert (runs.rows, runs.scores, runs.ratios) == ([], [], [])
