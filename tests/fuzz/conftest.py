"""Lets the tests here import what ``python tests/fuzz/main.py`` imports."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
