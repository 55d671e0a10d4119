"""DICOM files go in, and DICOM files come out, against the real service."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import dicom_files
import numpy as np
import pytest
from pydicom import dcmread

# On an idle machine about half a minute; a machine that is shared may take several times as long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WAYS = (
    None,
    dicom_files.RLELossless,
    dicom_files.JPEG_LOSSLESS,
    dicom_files.JPEG_LS,
    dicom_files.JPEG_2000_LOSSLESS,
)


def a_hospitals_set(path: Path) -> None:
    """Write 60 grey images of 12 bits by 30 patients, as a PACS would give them away."""
    chance = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(60):
            name = ("benign", "malignant")[k % 2]
            pixels = np.clip(
                dicom_files.blocks(k, side=64, top=3000) + chance.integers(0, 300, (64, 64)),
                0,
                4095,
            ).astype(np.uint16)
            attributes = {
                "BitsStored": 12,
                "WindowCenter": "1600",
                "WindowWidth": "3200",
                "PatientID": f"{dicom_files.PLANTED}{k // 2}",
                "PatientName": dicom_files.PLANTED,
                "BurnedInAnnotation": "YES" if k == 7 else "NO",
            }
            way = WAYS[k % len(WAYS)]
            data = (
                dicom_files.dicom_file(pixels, **attributes)
                if way is None
                else dicom_files.compressed(pixels, way, **attributes)
            )
            archive.writestr(f"{name}/1.2.826.0.{k}", data)


def test_a_hospitals_dicom_files_become_synthetic_ones(
    serve: Any, tiny_spec: dict[str, Any], tmp_path: Path
) -> None:
    a_hospitals_set(tmp_path / "set.zip")
    served = serve()
    with served.client() as client:
        dataset = client.datasets.wait(
            client.datasets.upload(tmp_path / "set.zip", image_size=64), timeout=240
        )
        assert [problem.code for problem in dataset.problems] == ["burned_in_annotation"]
        # Each patient has an image of each class, and is on one side.
        counts = {name: dict(splits) for name, splits in dataset.classes.items()}
        assert counts["benign"] == counts["malignant"] == {"train": 24, "test": 6}
        spec = tiny_spec | {
            "dataset_id": dataset.id,
            "benchmark": {"classifiers": []},
            "screen": {"near_copies": False},
            "output": {"format": "dicom"},
        }
        study = client.jobs.wait(client.jobs.submit(spec), poll_seconds=0.2, timeout=400)
        assert study.status == "succeeded", study.error
        paths = {p.name: p for p in client.artifacts.download_all(study, tmp_path / "out")}
        (listed,) = client.models.list(job_id=study.id).items
        asked = {"seeds": [5, 6], "output": {"format": "dicom"}, "screen": {"near_copies": False}}
        job = client.jobs.wait(client.models.make_images(listed.id, asked), timeout=240)
        assert job.status == "succeeded", job.error
        more = {p.name: p for p in client.artifacts.download_all(job, tmp_path / "more")}
    for zipped, least in ((paths["synthetic.zip"], 8), (more["synthetic.zip"], 2)):
        with zipfile.ZipFile(zipped) as archive:
            lines = [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]
            assert len(lines) >= least
            for line in lines:
                found = dcmread(io.BytesIO(archive.read(line["file_name"])))
                assert found[0x0008, 0x001C].value == "YES"
                # The set is grey: so are its synthetic images.
                assert found.PhotometricInterpretation == "MONOCHROME2"
                assert found.SOPInstanceUID == line["sop_instance_uid"]
        verified = subprocess.run(
            [
                *(sys.executable, "-m", "graft", "verify", str(zipped)),
                *("--models", str(tmp_path / "out"), "--sample", "2"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "2 images made again, all equal" in verified.stdout
    assert served.stop() == 0
    left_behind = [
        path
        for path in served.data_dir.rglob("*")
        if path.is_file() and dicom_files.PLANTED.encode() in path.read_bytes()
    ]
    # The upload itself is kept until retention takes it; nothing else holds a patient's name.
    assert all(path.read_bytes()[:2] == b"PK" for path in left_behind)
