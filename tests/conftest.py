"""What tests of several rooms need: the servers of ``tests/support``."""

from __future__ import annotations

pytest_plugins = ("swift_server",)
