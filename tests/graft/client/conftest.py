"""Lets the tests here start the service that ``tests/fuzz`` starts: a real API on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))
