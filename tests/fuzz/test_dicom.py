"""A short run of the fuzz of DICOM files."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "dicom_fuzz", Path(__file__).with_name("dicom.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_mutated_files_are_read_or_unreadable_and_nothing_else(fuzz: ModuleType) -> None:
    # In a process of its own: the system knows the most that *any* child of a process has held.
    code = "import dicom, json; print(json.dumps(vars(dicom.decode_mutated(400, seed=1))))"
    here = Path(__file__).parent
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True
    )
    outcome = json.loads(said.stdout)
    assert outcome["wrong"] == []
    assert outcome["cases"] == 400
    # The mutations reach beyond the first check, and leave something to read.
    assert outcome["read"] >= 40
    assert len(outcome["codes"]) >= 4
    assert 0 < outcome["peak_bytes"] < fuzz.MEMORY


def test_what_must_not_be_is_told(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, data: bytes) -> None:
        raise KeyError("the decoder")

    monkeypatch.setattr(fuzz.DicomDecoders, "decode", broken)
    outcome = fuzz.decode_mutated(3, seed=1)
    assert len(outcome.wrong) == 3
    assert "KeyError" in outcome.wrong[0]


def test_a_seed_makes_the_same_files_again(fuzz: ModuleType) -> None:
    import random

    original = fuzz.originals()["grey"]
    one, other = (fuzz.mutated(original, random.Random(5)) for _ in range(2))
    assert one == other
    assert one != original
