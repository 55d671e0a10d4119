"""What tests of several rooms need: the servers of ``tests/support``, and one option."""

from __future__ import annotations

import pytest

pytest_plugins = ("postgres_server", "swift_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-statements",
        action="store_true",
        help="write what the code asks of its database now to tests/migrations/recorded/: part of"
        " a release that brought a new version of the schema (see recorded_statements.py)",
    )
