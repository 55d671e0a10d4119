"""Tables for people."""

from __future__ import annotations

import pytest

from graft.cli.tables import plain_table


def test_a_name_gives_the_terminal_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    # Clears the screen; puts something into the clipboard (OSC 52); turns the line round.
    plain_table(["id", "name"], [["job_1", "\x1b[2Ja\x1b]52;c;eA==\x07b\x9b2Jc\u202ed"]])
    shown = capsys.readouterr().out
    assert not [c for c in shown if not c.isprintable() and c != "\n"]
    assert "[2Ja" in shown
