from __future__ import annotations

import re
from pathlib import Path

import pytest

import gan_core.report
from gan_core.report.text import ENGLISH

FOLDER = Path(gan_core.report.__file__).parent


def source() -> str:
    files = [path for path in FOLDER.rglob("*") if path.suffix in (".py", ".j2")]
    return "".join(p.read_text("utf-8") for p in files if p.parent.name != "texts")


def test_every_text_that_is_asked_for_is_there() -> None:
    asked = set(re.findall(r"""\b(?:t|text)\(\s*["']([^"'{}]+)["']""", source()))
    assert len(asked) > 60
    assert asked <= set(ENGLISH.messages)


def test_every_text_is_asked_for() -> None:
    code = source()
    # Names such as "figure:roc_auc" are put together when they are asked for.
    plain = {key for key in ENGLISH.messages if ":" not in key}
    put_together = {"axis_loss", "axis_accuracy", "line_train", "line_val"}
    unused = {k for k in plain - put_together if f'"{k}"' not in code and f"'{k}'" not in code}
    assert unused == set()


def test_a_missing_text_is_a_mistake_that_shows() -> None:
    with pytest.raises(KeyError):
        ENGLISH("no such text")


def test_unknown_gans_and_arms_keep_their_names() -> None:
    assert ENGLISH.arm("gan:infogan") == "real + InfoGAN"
    assert ENGLISH.arm("gan:new") == "real + new"
    assert ENGLISH.arm("new-arm") == "new-arm"


def test_counts_read_well_in_headings_and_sentences() -> None:
    assert (ENGLISH.count("50", 50), ENGLISH.phrase("50", 50)) == ("50", "50")
    assert (ENGLISH.count("all", 963), ENGLISH.phrase("all", 963)) == ("all (963)", "all 963")
