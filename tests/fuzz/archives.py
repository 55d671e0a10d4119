"""Mutated archives and images through the real reading code.

``python tests/fuzz/archives.py --cases 10000 --seed 1``. Each case is made of its number and the
seed alone, so that one which went wrong can be run again: ``--cases 1 --first NUMBER``.

They are read in child processes under the limits of an ingest. What counts as wrong: a crash, an
exception that is no refusal, a file left behind, more memory than allowed, more time than allowed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE.parents[1], _HERE.parent / "support", _HERE):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from mutations import mutated_archive, mutated_image  # noqa: E402

from gan_core.reading import ReadOptions, pack  # noqa: E402
from gan_core.reading.images import decode, warnings_are_errors  # noqa: E402
from gan_core.reading.unreadable import UnreadableError  # noqa: E402
from gan_core.spec.errors import GraftError  # noqa: E402
from gan_core.steps.limits import ProcessLimits, apply_limits  # noqa: E402

_BATCH = 500
_MEMORY_BYTES = 512 * 2**20
_CASE_SECONDS = 30
_OPTIONS = ReadOptions(
    workers=1,
    max_entries=200,
    max_entry_bytes=20_000_000,
    max_unpacked_bytes=50_000_000,
    max_pixels=2_000_000,
    unreadable_share=0.5,
)

Read = Callable[[bytes, str, Path], str]


@dataclass
class Found:
    """What came of some cases.

    Attributes:
        cases: How many were run.
        wrong: What went wrong: number of the case, and how.
        outcomes: How often each code was given; ``read`` where it was read.
        peak_bytes: The largest process's resident memory.
        slowest_seconds: Of all cases.
    """

    cases: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    peak_bytes: int = 0
    slowest_seconds: float = 0.0

    def add(self, other: Found) -> None:
        self.cases += other.cases
        self.wrong += other.wrong
        self.outcomes += other.outcomes
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)


def case_of(seed: int, number: int) -> tuple[str, bytes]:
    """Return a case: ``archive`` or ``image``, and its bytes."""
    rng = random.Random(f"{seed} {number}")
    kind = "archive" if number % 2 else "image"
    return kind, mutated_archive(rng) if kind == "archive" else mutated_image(rng)


def read_case(data: bytes, kind: str, folder: Path) -> str:
    """Read a case as an ingest would; return the code of its refusal, or ``read``.

    Raises:
        Exception: Anything but a refusal, which is what is looked for.
    """
    try:
        if kind == "image":
            with warnings_are_errors():
                decode(data, 32, max_pixels=_OPTIONS.max_pixels)
            return "read"
        upload = folder / "upload"
        upload.write_bytes(data)
        try:
            pack(upload, folder / "out", image_size=32, options=_OPTIONS)
        finally:
            upload.unlink()
        shutil.rmtree(folder / "out")
    except (GraftError, UnreadableError) as error:
        return error.code
    return "read"


class _TooSlowError(BaseException):
    """No Exception: nothing that reads may take it for one of its own."""


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def run_cases(
    seed: int, first: int, count: int, folder: Path, note: Path, *, read: Read = read_case
) -> Found:
    """Run some cases in this process.

    Args:
        seed: Of all.
        first: Number of the first.
        count: How many.
        folder: Must be empty again after each.
        note: Told each case's number before it is read, for whoever finds this process dead.
        read: What reads; tests give one that goes wrong.
    """
    found = Found()
    signal.signal(signal.SIGALRM, _too_slow)
    for number in range(first, first + count):
        note.write_text(str(number))
        kind, data = case_of(seed, number)
        started = time.monotonic()
        signal.alarm(_CASE_SECONDS)
        try:
            found.outcomes[read(data, kind, folder)] += 1
        except _TooSlowError:
            found.wrong.append((number, f"took more than {_CASE_SECONDS} s"))
        except Exception:  # noqa: BLE001 - what is looked for
            found.wrong.append((number, traceback.format_exc(limit=-4)))
        finally:
            signal.alarm(0)
        found.cases += 1
        found.slowest_seconds = max(found.slowest_seconds, time.monotonic() - started)
        left = sorted(path.name for path in folder.iterdir())
        if left:
            found.wrong.append((number, f"left behind: {left}"))
            shutil.rmtree(folder)
            folder.mkdir()
    found.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def _run_child(seed: int, first: int, count: int) -> Found:
    """Run some cases in a process of their own; if it dies, go on behind the case that did it."""
    whole = Found()
    while count > 0:
        with tempfile.TemporaryDirectory(prefix="graft-fuzz-") as home:
            command = [sys.executable, __file__, "--child", home, "--seed", str(seed)]
            command += ["--first", str(first), "--cases", str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                told = json.loads(done.stdout)
                told["wrong"] = [tuple(entry) for entry in told["wrong"]]
                whole.add(Found(**(told | {"outcomes": Counter(told["outcomes"])})))
                return whole
            note = Path(home) / "note"
            died_at = int(note.read_text()) if note.exists() else first
        how = f"the process ended with {done.returncode}: {done.stderr[-800:]}"
        whole.wrong.append((died_at, how))
        whole.cases += died_at + 1 - first
        count -= died_at + 1 - first
        first = died_at + 1
    return whole


def run(cases: int, seed: int, report: Callable[[str], None], *, first: int = 0) -> list[str]:
    """Run cases in child processes; say what came of them.

    Args:
        cases: How many.
        seed: Another one makes other cases.
        report: Given a line at a time.
        first: Number of the first case.

    Returns:
        A sentence for each that went wrong.
    """
    found = Found()
    wrong: list[str] = []
    started = time.monotonic()
    for at in range(first, first + cases, _BATCH):
        batch = _run_child(seed, at, min(_BATCH, first + cases - at))
        found.add(batch)
        wrong += [f"case {number} of seed {seed}: {how}" for number, how in batch.wrong]
        report(f"{found.cases}/{cases} archives and images, {len(found.wrong)} wrong")
    codes = ", ".join(f"{code} {count}" for code, count in found.outcomes.most_common())
    report(
        f"{found.cases} cases in {time.monotonic() - started:.0f} s; the slowest"
        f" {found.slowest_seconds:.2f} s; at most {found.peak_bytes / 2**20:.0f} MiB; {codes}"
    )
    return wrong


def _child(home: Path, seed: int, first: int, count: int) -> None:
    folder = home / "case"
    folder.mkdir()
    tempfile.tempdir = str(folder)
    apply_limits(ProcessLimits(memory_bytes=_MEMORY_BYTES, seconds=3600, file_bytes=200_000_000))
    print(json.dumps(vars(run_cases(seed, first, count, folder, home / "note"))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        _child(given.child, given.seed, given.first, given.cases)
        return 0
    wrong = run(given.cases, given.seed, print, first=given.first)
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
