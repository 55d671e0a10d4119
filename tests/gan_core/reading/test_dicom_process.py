"""DICOM files are decoded in helper processes."""

import importlib.util
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dicom_files as files
import numpy as np
import pytest

from gan_core.reading.dicom_header import Limits
from gan_core.reading.dicom_process import DicomDecoders
from gan_core.reading.unreadable import UnreadableError

SIDE = 40


def originals() -> dict[str, bytes]:
    """Return a file of every kind, from the fuzz."""
    path = Path(__file__).parents[2] / "fuzz" / "dicom.py"
    spec = importlib.util.spec_from_file_location("dicom_fuzz", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    made: dict[str, bytes] = module.originals()
    return made


@pytest.fixture
def decoders() -> Iterator[DicomDecoders]:
    with DicomDecoders(SIDE) as started:
        yield started


def children() -> set[int]:
    return (
        set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
        | _children_of_other_threads()
    )


def _children_of_other_threads() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set(map(int, (task / "children").read_text().split()))
    return found


def test_pixels_and_what_the_header_says_come_back(decoders: DicomDecoders) -> None:
    many = np.stack([files.blocks(k) for k in range(3)])
    images = decoders.decode(
        files.dicom_file(many, frames=True, PatientID="A", SyntheticData="YES")
    )
    assert images.about.frames == 3
    assert images.about.is_synthetic
    assert images.about.patient
    assert (np.stack(list(images.frames))[..., 0] == many).all()


def test_every_kind_of_file_is_read_by_a_helper_that_can_open_nothing(
    decoders: DicomDecoders,
) -> None:
    for kind, data in originals().items():
        assert decoders.decode(data).about.frames >= 1, kind
    japanese = files.dicom_file(
        files.blocks(1), SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientID="A"
    )
    assert decoders.decode(japanese).about.patient


def test_a_helper_has_no_secret_and_can_open_no_file(
    decoders: DicomDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_SECRET", "hush")
    before = children()
    decoders.decode(files.dicom_file(files.blocks(1)))
    (helper,) = children() - before
    assert b"hush" not in Path(f"/proc/{helper}/environ").read_bytes()
    limits = Path(f"/proc/{helper}/limits").read_text()
    opened = len(list(Path(f"/proc/{helper}/fd").iterdir()))
    assert re.search(rf"Max open files\s+{opened}\s+{opened}", limits)
    assert re.search(r"Max file size\s+0\s+0", limits)


def test_one_reading_hashes_alike_and_another_one_differently(decoders: DicomDecoders) -> None:
    data = files.dicom_file(files.blocks(1), PatientID="A")
    first = decoders.decode(data).about.patient
    assert decoders.decode(data).about.patient == first
    with DicomDecoders(SIDE) as others:
        assert others.decode(data).about.patient != first


def test_an_unreadable_file_has_its_code_and_the_next_one_is_read(decoders: DicomDecoders) -> None:
    with pytest.raises(UnreadableError) as caught:
        decoders.decode(files.dicom_file(files.blocks(1), PixelData=b"ab"))
    assert caught.value.code == "image_damaged"
    # The last frame alone is damaged: those before it must not be kept.
    whole = files.dicom_dataset(np.stack([files.blocks(1), files.blocks(2)]), frames=True)
    good = files.pillow_frame(files.blocks(1), "JPEG2000")
    broken = good[:120] + bytes(len(good) - 120)
    with pytest.raises(UnreadableError) as caught:
        decoders.decode(files.encapsulated(whole, files.JPEG_2000_LOSSLESS, [good, broken]))
    assert caught.value.code == "image_damaged"
    assert decoders.decode(files.dicom_file(files.blocks(1))).about.frames == 1


def test_a_helper_that_is_killed_costs_one_file(decoders: DicomDecoders) -> None:
    before = children()
    data = files.dicom_file(files.blocks(1))
    decoders.decode(data)
    (helper,) = children() - before
    os.kill(helper, signal.SIGKILL)
    with pytest.raises(UnreadableError) as caught:
        decoders.decode(data)
    assert caught.value.code == "decoder_ended"
    assert decoders.decode(data).about.frames == 1


def test_more_time_than_a_file_may_take_ends_the_helper() -> None:
    # Two seconds are many for a file of no frames, and few for these.
    heavy = files.dicom_dataset(files.blocks(1, side=4000), NumberOfFrames=40)
    frame = files.pillow_frame(files.blocks(1, side=4000), "JPEG2000")
    data = files.encapsulated(heavy, files.JPEG_2000_LOSSLESS, [frame] * 40)
    with DicomDecoders(SIDE, limits=Limits(all_pixels=10**9), seconds=2) as decoders:
        began = time.monotonic()
        with pytest.raises(UnreadableError) as caught:
            decoders.decode(data)
        assert caught.value.code == "decoder_ended"
        assert time.monotonic() - began < 60


def test_more_memory_than_a_file_may_take_makes_it_unreadable() -> None:
    large = np.zeros((5000, 5000, 3), np.uint8)
    data = files.dicom_file(large)
    with DicomDecoders(SIDE, memory=300 * 2**20) as decoders:
        with pytest.raises(UnreadableError) as caught:
            decoders.decode(data)
        assert caught.value.code in ("image_damaged", "decoder_ended")
        assert decoders.decode(files.dicom_file(files.blocks(1))).about.frames == 1
    with DicomDecoders(SIDE) as decoders:
        assert decoders.decode(data).about.frames == 1


def test_threads_have_a_helper_each_and_none_is_left_behind() -> None:
    before = children()
    meeting = threading.Barrier(2)

    def read(number: int) -> bool:
        if number < 2:
            meeting.wait(30)
        one = files.blocks(number)
        (frame,) = decoders.decode(files.dicom_file(one)).frames
        return bool((frame[..., 0] == one).all())

    with DicomDecoders(SIDE) as decoders, ThreadPoolExecutor(2) as pool:
        assert all(pool.map(read, range(40)))
        assert 1 <= len(children() - before) <= 2
    assert children() - before == set()


def test_a_module_that_lies_about_cannot_be_loaded_by_a_helper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GDCM's wrapper asks for modules that Python no longer has ("dl").
    (tmp_path / "dl.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    with DicomDecoders(SIDE) as decoders:
        assert decoders.decode(files.dicom_file(files.blocks(1))).about.frames == 1
