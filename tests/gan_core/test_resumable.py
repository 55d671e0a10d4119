import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest

from gan_core.resumable import ResumableArray, publish

ROWS = np.arange(40, dtype=np.float32).reshape(10, 4)


def array(path: Path, key: str = "a", count: int = 10) -> ResumableArray:
    return ResumableArray(path, (count, 4), np.float32, key)


def test_a_filled_one_is_what_numpy_saves_byte_for_byte(tmp_path: Path) -> None:
    with array(tmp_path / "rows.npy") as rows:
        rows.put(ROWS[:7])
        rows.put(ROWS[7:])
    expected = io.BytesIO()
    np.save(expected, ROWS)
    assert (tmp_path / "rows.npy").read_bytes() == expected.getvalue()
    assert np.array_equal(rows.finished(), ROWS)
    assert not rows.finished().flags.writeable


def test_it_goes_on_where_an_error_ended_it(tmp_path: Path) -> None:
    def fail_after_three() -> None:
        with array(tmp_path / "rows.npy") as rows:
            rows.put(ROWS[:3])
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_three()
    with array(tmp_path / "rows.npy") as rows:
        assert rows.done == 3
        rows.put(ROWS[3:])
    assert np.array_equal(np.load(tmp_path / "rows.npy"), ROWS)


def test_what_a_killed_process_had_not_recorded_is_made_again(tmp_path: Path) -> None:
    rows = array(tmp_path / "rows.npy")
    rows.put(ROWS[:2])
    rows.save()
    rows.put(ROWS[2:6])  # and then it is killed
    assert array(tmp_path / "rows.npy").done == 2


@pytest.mark.parametrize(("key", "count"), [("b", 10), ("a", 10)])
def test_another_work_starts_anew(tmp_path: Path, key: str, count: int) -> None:
    with array(tmp_path / "rows.npy") as rows:
        rows.put(ROWS[:3])
    assert array(tmp_path / "rows.npy", key, count).done == (3 if key == "a" else 0)


def test_an_empty_one_is_an_empty_file(tmp_path: Path) -> None:
    with array(tmp_path / "rows.npy", count=0) as rows:
        pass
    assert rows.finished().shape == (0, 4)


def test_a_full_disk_is_an_ordinary_error(tmp_path: Path) -> None:
    # More than any disk holds; written into holes instead, it would be found out by SIGBUS.
    with pytest.raises(OSError, match=r".+"):
        ResumableArray(tmp_path / "rows.npy", (2**31, 2**14, 2**14, 3), np.uint8, "a")


def test_publishing_keeps_the_source(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    publish(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"x"


def test_publishing_across_disks_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_disk(*_: Path) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", other_disk)
    (tmp_path / "a").write_bytes(b"x")
    publish(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"x"
