"""``make fuzz``: send and read what nobody should, and see whether anything breaks.

Each half is a module beside this one with a function ``run(cases, seed, report)``: it tells
``report`` a line now and then, and returns a sentence for each thing that must not be (or raises
an AssertionError). Ends with 1 when there is any.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
from pathlib import Path

HALVES = {"api": "http_api", "archives": "archives", "dicom": "dicom"}
_HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Run; return the exit status."""
    asked = _parser().parse_args(arguments)
    sys.path.insert(0, str(_HERE.parent / "support"))
    seed = random.randrange(2**31) if asked.seed is None else asked.seed
    begin = time.monotonic()

    def report(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begin:6.0f} s  {line}\n")
        sys.stdout.flush()

    findings: list[str] = []
    for half in asked.only or HALVES:
        if not (_HERE / f"{HALVES[half]}.py").is_file():
            report(f"{half}: left out, it is not there")
            continue
        report(f"{half}: {asked.cases} cases, seed {seed}")
        try:
            found = importlib.import_module(HALVES[half]).run(asked.cases, seed, report)
        except AssertionError as error:
            found = [str(error)]
        findings += [f"{half}: {sentence}" for sentence in found or ()]
    for sentence in findings:
        report(sentence)
    report(f"{len(findings)} findings; --seed {seed} runs the same again")
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="of each half, at least")
    parser.add_argument("--only", action="append", choices=list(HALVES), help="this half alone")
    parser.add_argument("--seed", type=int, help="left out: another each time")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
