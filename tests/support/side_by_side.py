"""How tests are shared out to the processes that run side by side (pytest-xdist)."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# The page's tests look at one study, whose trainings take a minute: it is made once.
_TOGETHER = "tests/dashboard/"


class ByFileOrStudy(LoadFileScheduling):
    """Keep the tests of a file together, and those that share a study."""

    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER if nodeid.startswith(_TOGETHER) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrStudy:
    """Share tests out so, whatever ``--dist`` says."""
    return ByFileOrStudy(config, log)
