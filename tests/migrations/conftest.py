"""Databases without any tables, of each kind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def new_database(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""
    if dialect == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        return make
    numbers = count(1)
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"
