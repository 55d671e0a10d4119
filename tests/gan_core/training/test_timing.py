import pytest

from gan_core.training.timing import CheckpointTimer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_save_is_due_when_the_time_has_passed() -> None:
    clock = Clock()
    timer = CheckpointTimer(60, clock=clock)
    clock.now += 59
    assert not timer.is_due()
    clock.now += 1
    assert timer.is_due()


@pytest.mark.parametrize("save_seconds", [0.01, 1.0, 30.0])
def test_slow_saves_take_at_most_a_fiftieth_of_the_time(save_seconds: float) -> None:
    clock = Clock()
    timer = CheckpointTimer(5, clock=clock)
    saving, saves = 0.0, 0
    with timer.saving():  # the first shows what a save costs
        clock.now += save_seconds
    start = clock.now
    while saves < 20:
        clock.now += 0.1  # a step
        if timer.is_due():
            with timer.saving():
                clock.now += save_seconds
            saving += save_seconds
            saves += 1
    assert saving / (clock.now - start) <= 0.02


def test_a_save_that_failed_is_tried_again() -> None:
    clock = Clock()
    timer = CheckpointTimer(5, clock=clock)
    clock.now += 5
    with pytest.raises(OSError, match="full"), timer.saving():
        raise OSError("full")
    assert timer.is_due()


def test_without_a_limit_it_goes_by_seconds_alone() -> None:
    clock = Clock()
    timer = CheckpointTimer(0, share=1, clock=clock)
    with timer.saving():
        clock.now += 9
    assert timer.is_due()


@pytest.mark.parametrize(("seconds", "share"), [(-1, 0.1), (1, 0.0), (1, 1.1)])
def test_settings_without_sense_are_refused(seconds: float, share: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        CheckpointTimer(seconds, share=share)
