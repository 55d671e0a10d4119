"""The page's files: what is handed out, how it may be kept, and what is not there."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

import dashboard
from api.page_files import PageFiles, page_files

STATIC = Path(dashboard.__file__).parent / "static"


def base() -> str:
    return f"/assets/{page_files().digest}"


def test_the_page_holds_no_script_and_no_style_of_its_own(anonymous: Any) -> None:
    page = anonymous.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)
    assert "<style" not in page.text
    assert not re.search(r"\s(on\w+|style)=", page.text)
    assert not re.search(r"(src|href)=.?(https?:|//)", page.text)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy


def test_everything_that_the_page_names_is_there(anonymous: Any) -> None:
    page = anonymous.get("/", headers={"Accept": "text/html"}).text
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(named) > 10
    for address in named:
        assert anonymous.get(address).status_code == 200, address


def test_every_import_of_a_script_is_there() -> None:
    for script in STATIC.rglob("*.js"):
        imports = r"""(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]"""
        for name in re.findall(imports, script.read_text("utf-8")):
            assert (script.parent / name).resolve().is_file(), f"{script.name} imports {name}"


def test_files_are_kept_for_good_and_sent_small(anonymous: Any) -> None:
    plain = anonymous.get(f"{base()}/js/app.js", headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/javascript")
    assert "immutable" in plain.headers["cache-control"]
    assert plain.headers["x-content-type-options"] == "nosniff"
    packed = anonymous.get(f"{base()}/js/app.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


@pytest.mark.parametrize(
    "address",
    [
        "js/../../__init__.py",
        "../api/app.py",
        "%2e%2e/__init__.py",
        "js",
        "",
        "/etc/passwd",
        "js/app.js%00",
        "index.html/",
    ],
)
def test_nothing_else_is_handed_out(anonymous: Any, address: str) -> None:
    assert anonymous.get(f"{base()}/{address}").status_code == 404


def test_another_version_is_not_there(anonymous: Any) -> None:
    assert anonymous.get("/assets/0000000000000000/js/app.js").status_code == 404


def test_a_changed_file_changes_every_address(tmp_path: Path) -> None:
    for name in ("index.html", "css/tokens.css", "js/app.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{heads}")
    before = PageFiles(tmp_path)
    (tmp_path / "js/app.js").write_text("changed")
    assert PageFiles(tmp_path).digest != before.digest
    assert PageFiles(tmp_path).get(before.digest, "js/app.js") is None


def test_what_is_compressed_is_the_same_at_every_start() -> None:
    first, second = PageFiles(STATIC), PageFiles(STATIC)
    one = first.get(first.digest, "css/parts.css")
    other = second.get(second.digest, "css/parts.css")
    assert one is not None
    assert other is not None
    assert one.compressed is not None
    assert one.compressed == other.compressed
    assert gzip.decompress(one.compressed) == one.content


def _messages(tag: str) -> dict[str, dict[str, Any]]:
    folder = STATIC / "i18n" / tag
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def _values(message: Any) -> set[str]:
    texts = message.values() if isinstance(message, dict) else [message]
    return {name for text in texts for name in re.findall(r"\{(\w+)\}", text)}


def test_both_languages_say_the_same() -> None:
    english, korean = _messages("en"), _messages("ko")
    assert english.keys() == korean.keys()
    for name, messages in english.items():
        assert messages.keys() == korean[name].keys(), name
        for key, message in messages.items():
            assert _values(message) == _values(korean[name][key]), f"{name}.{key}"
            # "other" is all that Korean has; what English has more of says the same.
            if isinstance(message, dict):
                assert "other" in message, f"{name}.{key}"
                assert "other" in korean[name][key], f"{name}.{key}"


def test_every_message_that_a_script_asks_for_is_there() -> None:
    english = _messages("en")
    for script in STATIC.rglob("*.js"):
        for key in re.findall(r"""\bt\(\s*'([a-z_]+\.[A-Za-z0-9_]+)'""", script.read_text("utf-8")):
            name, message = key.split(".", 1)
            assert message in english.get(name, {}), f"{script.name}: {key}"
