"""The files that a training is looked at by while it runs, and that it leaves in the end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.packaging.labels import read_png
from gan_core.phantoms import draw_phantoms
from gan_core.progress import Notice, Stopped
from gan_core.reading import pack
from gan_core.steps import StepContext, live, run_step
from gan_core.steps.live import CourseWriter, snapshot_name
from gan_core.steps.run import load_step
from gan_core.training.course import Course
from gan_core.training.judging import Judgement
from gan_core.training.run import SampleGrid

POINT = {"epoch": 1, "generator": 1.5}


def course(points: int = 1, grids: int = 0, **more: Any) -> Course:
    made = [
        SampleGrid(n + 1, 10 * n + 10, np.full((3, 8, 8, 3), n, np.uint8)) for n in range(grids)
    ]
    given = {"epochs": 9, "judgements": [], "chosen_epoch": None, "notices": []} | more
    return Course(history=[POINT] * points, grids=made, **given)


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    described = {
        "name": "train:dcgan:5:s3",
        "kind": "train",
        "key": "k",
        "params": {},
        "inputs": {},
        "settings": {"device": "cpu", "cache_dir": str(tmp_path / "cache")},
    }
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "snapshot-000007.png").write_bytes(b"of the attempt before")
    (tmp_path / "step.json").write_text(json.dumps(described), "utf-8")
    return load_step(tmp_path, on_progress=lambda _: None, should_stop=lambda: False)


def shown(context: StepContext) -> Any:
    assert context.live is not None
    return json.loads((context.live / "course.json").read_text("utf-8"))


def files(context: StepContext) -> list[str]:
    assert context.live is not None
    return sorted(path.name for path in context.live.iterdir())


def test_what_an_attempt_before_had_shown_is_gone(context: StepContext) -> None:
    assert files(context) == []


def test_curves_and_sheets_lie_there_whole_and_say_that_they_are_synthetic(
    context: StepContext,
) -> None:
    CourseWriter(context, "dcgan, 5 real")(course(points=2, grids=1))
    assert files(context) == ["course.json", "snapshot-000000.png"]
    found = shown(context)
    assert found["points"] == [POINT, POINT]
    assert found["snapshots"] == [
        {"number": 0, "epoch": 1, "step": 10, "columns": 3, "rows": 1, "size": 8, "gap": 2}
    ]
    assert context.live is not None
    pixels, label = read_png((context.live / snapshot_name(0)).read_bytes())
    assert pixels.shape == (8, 3 * 8 + 2 * 2, 3)
    assert label.is_synthetic
    assert label.source == "dcgan, 5 real, snapshot of epoch 1, seeds 0 to 2"


def test_curves_are_written_every_two_seconds_and_snapshots_at_once(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    write = CourseWriter(context, "a")
    write(course(1))
    write(course(2))
    assert len(shown(context)["points"]) == 1
    now[0] += 2
    write(course(3))
    assert len(shown(context)["points"]) == 3
    write(course(4, grids=1))
    assert len(shown(context)["points"]) == 4


def test_what_is_taken_back_is_taken_away_at_once(context: StepContext) -> None:
    write = CourseWriter(context, "a")
    write(course(6, grids=3))
    write(course(4, grids=1))
    assert files(context) == ["course.json", "snapshot-000000.png"]
    assert (len(shown(context)["points"]), len(shown(context)["snapshots"])) == (4, 1)
    # Another way from there: the same number, other images.
    before = (context.live or Path()) / snapshot_name(0)
    old = before.read_bytes()
    write(Course(9, [POINT], [], [SampleGrid(1, 10, np.full((3, 8, 8, 3), 9, np.uint8))], None, []))
    assert before.read_bytes() != old


def test_what_is_no_number_is_null(context: StepContext) -> None:
    judged = Judgement(1, 10, float("nan"), 0.1, 0.5, 0.5, 0.0, 0.6, float("inf"))
    CourseWriter(context, "a")(course(judgements=[judged]))
    (found,) = shown(context)["judgements"]
    assert (found["kid"], found["score"], found["coverage"]) == (None, None, 0.5)


def test_a_folder_that_cannot_be_written_does_not_end_the_training(context: StepContext) -> None:
    write = CourseWriter(context, "a")
    assert context.live is not None
    context.live.rmdir()
    write(course(2, grids=1))
    names = [output.name for output in write.finish(None)]
    assert names == ["course.json", "snapshot-000000.png"]
    assert all((context.outputs / name).is_file() for name in names)


@pytest.mark.timeout(300)
def test_a_training_that_was_broken_off_leaves_the_same_course(tmp_path: Path) -> None:
    counts = {"train": {"benign": 4, "malignant": 9}, "test": {"benign": 2, "malignant": 2}}
    draw_phantoms(tmp_path / "phantoms", counts=counts, image_size=32)
    pack(tmp_path / "phantoms", tmp_path / "packed", image_size=32)

    def trained(folder: Path, *stops: int) -> tuple[Path, list[Notice]]:
        folder.mkdir()
        described = {
            "name": "train:dcgan:6:s0",
            "kind": "train",
            "key": "k",
            "params": {
                "gan": "dcgan",
                "image_size": 32,
                "batch_size": 3,
                "epochs": 6,
                "ema_decay": None,
                "snapshots": 3,
                "rare_class": "malignant",
                "real_count": 6,
                "subset": 0,
                "seed": 0,
                "settings": {"width": 4, "latent_dim": 8},
                "keep": "best",
            },
            "inputs": {"dataset": "../packed"},
            "settings": {"device": "cpu", "cache_dir": str(tmp_path / "cache")},
        }
        (folder / "step.json").write_text(json.dumps(described), "utf-8")
        notices: list[Notice] = []
        for steps in (*stops, 10**6):
            asked = iter(range(10**7))
            context = load_step(
                folder,
                on_progress=lambda _: None,
                should_stop=lambda asked=asked, most=steps: next(asked) >= most,
                on_notice=notices.append,
            )
            if steps < 10**6:
                with pytest.raises(Stopped):
                    run_step(context)
            else:
                made = run_step(context)
        names = {file["name"]: file["kind"] for file in made}
        assert {names[snapshot_name(n)] for n in range(3)} == {"internal"}
        assert names["course.json"] == "internal"
        return folder, notices

    whole, told = trained(tmp_path / "whole")
    # Asked a few times before the first step, too: for fitting and for the judge's features.
    broken, told_of_broken = trained(tmp_path / "broken", 12)
    for name in ("course.json", *(snapshot_name(n) for n in range(3))):
        assert (whole / "outputs" / name).read_bytes() == (broken / "outputs" / name).read_bytes()
    for folder in (whole, broken):
        ended = json.loads((folder / "outputs" / "course.json").read_text("utf-8"))
        assert [point["epoch"] for point in ended["points"]] == [1, 2, 3, 4, 5, 6]
        assert [found["epoch"] for found in ended["judgements"]] == [2, 4, 6]
        best = min(ended["judgements"], key=lambda found: found["score"])
        assert ended["chosen_epoch"] == best["epoch"]
        # What was looked at on the way is the same as what is left, but for how it ended.
        lived = json.loads((folder / "live" / "course.json").read_text("utf-8"))
        assert lived["snapshots"] == ended["snapshots"]
    assert told[0].text.startswith("The training runs on ")
    assert any("best so far" in notice.text for notice in told)
    assert any("goes on from a checkpoint" in notice.text for notice in told_of_broken)
