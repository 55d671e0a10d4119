"""A real service, started as a person would start it, and a tiny data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from served_instance import (
    TINY_SPEC,
    Served,
    end,
    environment,
    processes_of,
    start,
    wait_for,
    write_tiny_set,
)


@pytest.fixture(scope="session")
def real() -> SimpleNamespace:
    """Ways to look at real processes."""
    return SimpleNamespace(environment=environment, processes_of=processes_of, wait_for=wait_for)


@pytest.fixture(scope="session")
def tiny_spec() -> dict[str, Any]:
    """Two epochs, eight images, one classifier."""
    return TINY_SPEC


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 + 40 training and 12 + 12 test images, 64 pixels wide, easy to tell apart."""
    return write_tiny_set(tmp_path_factory.mktemp("tiny") / "set")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start services that are gone after the test whatever happens in it."""
    started: list[Served] = []

    def make(*options: str, data_dir: Path | None = None, **variables: str) -> Served:
        folder = data_dir or tmp_path / "data"
        served = start(folder, tmp_path / "serve.log", *options, **variables)
        started.append(served)
        return served

    yield make
    for served in started:
        end(served)
