"""What a training shows on its way, also after it was broken off and after it went back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.progress import Notice, Stopped
from gan_core.training.course import Course
from gan_core.training.loop import TrainConfig, TrainResult, train

IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)

pytestmark = pytest.mark.usefixtures("tiny_gan")


class Onlooker:
    """Keeps how many points and which snapshots there were at each look."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, list[int]]] = []
        self.notices: list[Notice] = []
        self.last: Course | None = None

    def __call__(self, course: Course) -> None:
        self.looks.append((len(course.history), [grid.epoch for grid in course.grids]))
        self.last = course


def run(onlooker: Onlooker, wrong: dict[str, Any] | None = None, **more: Any) -> TrainResult:
    settings = TrainConfig(batch_size=2, epochs=8, snapshots=2, sample_count=2, ema_decay=0.9)
    return train(
        registry.create("tiny", **(wrong or {})),
        IMAGES,
        settings,
        on_course=onlooker,
        on_notice=onlooker.notices.append,
        **more,
    )


def test_every_point_and_snapshot_is_shown_once_it_is_there() -> None:
    seen = Onlooker()
    result = run(seen)
    assert seen.looks[0] == (0, [])
    assert seen.looks[1:] == [(n, [4] * (n >= 4) + [8] * (n == 8)) for n in range(1, 9)]
    assert seen.last is not None
    assert list(seen.last.history) == result.history
    assert (seen.last.epochs, seen.last.chosen_epoch) == (8, None)
    assert seen.notices == []


def test_a_training_that_was_broken_off_shows_at_once_what_it_had(tmp_path: Path) -> None:
    asked = iter(range(1000))
    with pytest.raises(Stopped):
        run(Onlooker(), checkpoint_dir=tmp_path, should_stop=lambda: next(asked) >= 11)
    seen = Onlooker()
    result = run(seen, checkpoint_dir=tmp_path)
    assert seen.looks[0] == (5, [4])
    assert seen.last is not None
    assert list(seen.last.history) == result.history
    assert [n.text for n in seen.notices] == ["The training goes on from a checkpoint, of epoch 5."]


def test_a_training_that_goes_back_takes_back_what_it_had_shown(tmp_path: Path) -> None:
    seen = Onlooker()
    result = run(seen, {"spoiled_at": 11, "up_to_rate": 1.5e-3}, checkpoint_dir=tmp_path)
    counts = [points for points, _ in seen.looks]
    went_back = next(i for i in range(1, len(counts)) if counts[i] < counts[i - 1])
    assert counts[went_back] == 4
    assert seen.last is not None
    assert list(seen.last.history) == result.history
    (notice,) = seen.notices
    assert notice.level == "warning"
    assert notice.text == seen.last.notices[0] == result.notices[0]
