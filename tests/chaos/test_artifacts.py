"""The comparison of what two runs left."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from harness.artifacts import differences, prints_of


def leave(folder: Path, *, moment: str = "2026-01-01T10:00:00+00:00", **changes: bytes) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(changes.get("model", b"weights"))
    row = {"arm": "real-only", "accuracy": 0.5, "seconds": hash(moment) % 100}
    rows = {"rows": [row | json.loads(changes.get("row", b"{}"))]}
    (folder / "results.json").write_text(json.dumps(rows))
    (folder / "results.csv").write_text(f"arm,accuracy,seconds\nreal-only,0.5,{len(moment)}.1\n")
    (folder / "report.html").write_text(f"<p>Submitted {moment}, 20 images</p>")
    with zipfile.ZipFile(folder / "synthetic.zip", "w") as archive:
        archive.writestr("malignant/1.png", changes.get("image", b"pixels"))
        archive.writestr("manifest.json", json.dumps({"created_at": moment, "written": 1}))
        sums = changes.get("sum", b"ab") + b"  malignant/1.png\n"
        archive.writestr("SHA256SUMS", sums + f"{len(moment):02d}  manifest.json\n".encode())
    return folder


def test_runs_that_differ_in_their_times_alone_are_equal(tmp_path: Path) -> None:
    one = prints_of(leave(tmp_path / "one"))
    other = prints_of(leave(tmp_path / "other", moment="2026-02-03T11:12:13.123456+00:00"))
    assert len(one) == 7
    assert differences(one, other) == []


def test_every_other_difference_is_found(tmp_path: Path) -> None:
    reference = prints_of(leave(tmp_path / "reference"))
    for name, content, where in (
        ("model", b"other", "model.safetensors"),
        ("row", b'{"accuracy": 0.6}', "results.json"),
        ("image", b"other", "synthetic.zip/malignant/1.png"),
        ("sum", b"cd", "synthetic.zip/SHA256SUMS"),
    ):
        other = prints_of(leave(tmp_path / name, **{name: content}))
        assert differences(reference, other) == [where]


def test_a_file_that_is_missing_is_a_difference(tmp_path: Path) -> None:
    reference = prints_of(leave(tmp_path / "reference"))
    other = leave(tmp_path / "other")
    (other / "model.safetensors").unlink()
    assert differences(reference, prints_of(other)) == ["model.safetensors"]
