"""The simulation of benchmarks/null_verdicts.py, with fewer studies."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "null_verdicts.py"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("null_verdicts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["null_verdicts"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_where_no_gan_adds_anything_next_to_no_study_claims_that_one_does(
    simulation: ModuleType,
) -> None:
    found = simulation.simulate(range(1000, 1040))
    assert abs(found.gain) < 0.005
    assert found.helps <= 0.05
    assert found.harms <= 0.10  # 5% of the studies: four of forty is still chance


def test_a_gan_that_knows_the_truth_is_found(simulation: ModuleType) -> None:
    found = simulation.simulate(range(2), fresh=3000, real_count=8, subsets=8)
    assert found.gain > 0.08
    assert found.helps > 0
    assert found.harms == 0.0
