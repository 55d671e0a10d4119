"""What tests of several rooms need: the servers of ``tests/support``, and one option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

pytest_plugins = ("postgres_server", "side_by_side", "swift_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-statements",
        action="store_true",
        help="write what the code asks of its database now to tests/migrations/recorded/: part of"
        " a release that brought a new version of the schema (see recorded_statements.py)",
    )


@pytest.fixture(autouse=True, scope="session")
def _loggers_follow_every_test() -> Iterator[None]:
    """Keep loggers from remembering how the first test that used them had set them up.

    The service keeps them, for speed; ``structlog.testing.capture_logs`` would then see nothing in
    whichever test comes after one that set them up as the service does.
    """
    configure = structlog.configure

    def without_keeping(**given: Any) -> None:
        configure(**given | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", without_keeping)
        yield
