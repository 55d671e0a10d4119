"""Lets the tests here import the harness as ``python tests/chaos/main.py`` does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
