from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gan_core.packaging.names import folder_names, is_safe_id


def test_plain_names_stay_as_they_are() -> None:
    assert folder_names(["benign", "malignant"]) == {"benign": "benign", "malignant": "malignant"}


def test_accents_and_spaces_become_plain_letters_and_dashes() -> None:
    assert folder_names(["Mélanome in situ"]) == {"Mélanome in situ": "Melanome-in-situ"}


def test_names_that_would_meet_get_a_number() -> None:
    folders = folder_names(["a b", "a-b", "A b"])
    assert sorted(folders.values()) == ["A-b", "a-b-2", "a-b-3"]


def test_names_without_a_letter_and_names_of_devices_are_replaced() -> None:
    assert folder_names(["恶性"]) == {"恶性": "class"}
    assert folder_names(["CON"]) == {"CON": "class-CON"}
    assert folder_names(["..", "/"]) == {"..": "class", "/": "class-2"}


@given(st.lists(st.text(max_size=90), max_size=12))
def test_folders_are_always_safe_and_different(names: list[str]) -> None:
    folders = folder_names(names)
    assert set(folders) == set(names)
    assert len({folder.lower() for folder in folders.values()}) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", f) for f in folders.values())


def test_ids_are_file_names_and_nothing_else() -> None:
    assert is_safe_id("infogan-50-s0-000001")
    for bad in ("", ".", "..", "a..b", "a/b", "a\\b", "ä", "-x", "a\n", "x" * 129):
        assert not is_safe_id(bad)
