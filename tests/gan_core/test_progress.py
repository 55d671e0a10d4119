"""What is told of how far a work is."""

from __future__ import annotations

import pytest

from gan_core.progress import Progress, if_slow, part


def test_a_part_of_a_work_is_told_as_its_share_of_the_whole() -> None:
    told: list[Progress] = []
    part(told.append, 0.2, 0.6)(Progress(0.5, "half of it"))
    assert told[0].fraction == pytest.approx(0.4)
    assert told[0].detail == "half of it"


def test_a_preparation_is_told_of_only_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("gan_core.progress.time.monotonic", lambda: now[0])
    told: list[Progress] = []
    report = if_slow(told.append, 10.0)
    now[0] = 9.0
    report(Progress(0.0, "fitting"))
    assert told == []
    now[0] = 11.0
    report(Progress(0.0, "fitting"))
    assert [progress.detail for progress in told] == ["fitting"]
