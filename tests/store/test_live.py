"""Where live files lie, and which of them are seen."""

from store.live import COURSE, attempt_prefix, live_prefix, newest_attempt, snapshot_name


def test_the_latest_attempt_with_a_course_is_seen() -> None:
    home = live_prefix("ws_1", "step_1")
    keys = [f"{attempt_prefix('ws_1', 'step_1', n)}{COURSE}" for n in (9, 2, 10)]
    assert all(key.startswith(home) for key in keys)
    sheet = attempt_prefix("ws_1", "step_1", 11) + snapshot_name(0)
    assert newest_attempt([*keys, sheet]) == attempt_prefix("ws_1", "step_1", 10)
    assert newest_attempt([sheet]) is None
    assert newest_attempt([]) is None


def test_workers_and_the_api_call_the_files_the_same() -> None:
    from gan_core.steps import live

    assert live.COURSE == COURSE
    assert live.snapshot_name(7) == snapshot_name(7)
