"""Looking at the pictures of a data set."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile_files import sound_members, zipped
from PIL import Image

from api.datasets.looks import Looks
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import pack, write_preview
from gan_core.spec import DatasetFacts
from store.records import Ingested, StepError
from store.repositories import Identity
from store.repositories.audit import AuditTrail
from store.steps import StepLedger
from store.tables import Dataset


def _ingest_job(dataset: dict[str, Any]) -> str:
    return str(dataset["links"]["ingest"].rsplit("/", 1)[-1])


@pytest.fixture
def shown(hospital: Any, tmp_path: Path) -> str:
    """A data set of two classes of 8, two of which are the same, read as a worker reads it."""
    members = sound_members()
    members.append(("malignant/again.png", members[-1][1]))
    (tmp_path / "set.zip").write_bytes(zipped(members))
    index = pack(tmp_path / "set.zip", tmp_path / "packed", image_size=64)
    names = write_preview(
        tmp_path / "packed", index, on_progress=ignore_progress, should_stop=never_stop
    )
    dataset = hospital.upload()
    claimed = hospital.claim_next(_ingest_job(dataset))
    outputs = [
        hospital.put(claimed, name, "internal", (tmp_path / "packed" / name).read_bytes())
        for name in (*names, "train.npy")
    ]
    facts = DatasetFacts(digest=index.digest, image_size=64, classes=index.counts)
    with hospital.database.write() as session:
        assert StepLedger(session, hospital.objects).complete(
            claimed.id, claimed.token, outputs, ingested=Ingested(facts)
        )
    return str(dataset["id"])


def _lines(hospital: Any) -> list[Any]:
    answer = hospital.client.get("/v1/audit", params={"action": "dataset.preview"})
    found: list[Any] = answer.json()["items"]
    return found


def test_the_preview_says_what_its_sheets_show(hospital: Any, shown: str) -> None:
    view = hospital.client.get(f"/v1/datasets/{shown}").json()
    answer = hospital.client.get(view["links"]["preview"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert [(s["class"], s["split"], s["count"]) for s in body["sheets"]] == [
        ("benign", "train", 6),
        ("benign", "test", 2),
        ("malignant", "train", 7),
        ("malignant", "test", 2),
    ]
    found = body["duplicates"]
    assert (found["exact"], found["near"], found["not_listed"]) == (1, 0, 0)
    (pair,) = found["pairs"]
    assert pair["kind"] == "exact"
    assert pair["first"]["class"] == pair["second"]["class"] == "malignant"
    assert {pair["first"]["entry"], pair["second"]["entry"]} == {16, 17}
    assert [s["code"] for s in body["sentences"]] == ["duplicates_exact"]
    for sheet in [*body["sheets"], found["sheet"]]:
        picture = hospital.client.get(sheet["links"]["content"])
        assert picture.status_code == 200
        assert picture.headers["content-type"] == "image/png"
        assert picture.headers["cache-control"] == "no-store"
        assert picture.headers["x-content-type-options"] == "nosniff"
        with Image.open(io.BytesIO(picture.content)) as image:
            assert image.size == (sheet["columns"] * 96, sheet["rows"] * 96)
            image.load()
            assert image.info["Description"].startswith("Real images")


def test_a_look_at_pictures_is_one_line_of_the_trail(hospital: Any, shown: str) -> None:
    here = f"/v1/datasets/{shown}/preview"
    hospital.client.get(here)
    assert _lines(hospital) == []  # what is said is no picture
    numbers = [0, 1, 2, 3, 4, 0, 1, 2]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: hospital.client.get(f"{here}/{n}"), numbers))
    assert {answer.status_code for answer in answers} == {200}
    (line,) = _lines(hospital)
    assert line["subject"] == shown
    assert line["actor"] == hospital.client.get("/v1/me").json()["id"]


def test_a_later_look_is_another_line(hospital: Any, shown: str) -> None:
    workspace = hospital.client.get("/v1/me").json()["workspace_id"]
    who = Identity(workspace, "key_1", frozenset())
    for seconds, lines in ((60.0, 1), (0.0, 4)):
        looks = Looks(seconds)
        for _ in range(3):
            looks.note(hospital.database, who, shown)
        assert len(_lines(hospital)) == lines


def test_each_person_s_look_is_noted(hospital: Any, shown: str) -> None:
    other = hospital.client.post("/v1/keys", json={"name": "other", "scopes": ["reader"]}).json()
    here = f"/v1/datasets/{shown}/preview/0"
    hospital.client.get(here)
    headers = {"Authorization": f"Bearer {other['key']}"}
    assert hospital.client.get(here, headers=headers).status_code == 200
    assert other["id"] in {line["actor"] for line in _lines(hospital)}
    assert len(_lines(hospital)) == 2


def test_no_picture_is_handed_out_that_the_trail_does_not_know(
    hospital: Any, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no trail today")

    monkeypatch.setattr(AuditTrail, "append", broken)
    for _ in range(2):
        answer = hospital.client.get(f"/v1/datasets/{shown}/preview/0")
        assert answer.status_code == 503
        assert b"PNG" not in answer.content


def test_while_it_is_read_there_is_nothing_to_see_yet(hospital: Any) -> None:
    dataset = hospital.upload()
    assert "preview" not in dataset["links"]
    for path in ("preview", "preview/0"):
        answer = hospital.client.get(f"/v1/datasets/{dataset['id']}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
        assert "retry-after" in answer.headers


def test_a_set_of_an_earlier_version_has_none_and_says_what_to_do(hospital: Any) -> None:
    dataset_id = hospital.ready_dataset()
    assert "preview" not in hospital.client.get(f"/v1/datasets/{dataset_id}").json()["links"]
    for path in ("preview", "preview/0"):
        answer = hospital.client.get(f"/v1/datasets/{dataset_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_preview")
        assert "Upload it again" in answer.json()["hint"]


def test_of_a_rejected_set_there_is_nothing_to_see(hospital: Any) -> None:
    dataset = hospital.upload()
    claimed = hospital.claim_next(_ingest_job(dataset))
    hospital.fail(claimed, StepError("one_class_only", "Only one class.", "Add another."))
    answer = hospital.client.get(f"/v1/datasets/{dataset['id']}/preview")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_preview")
    assert "rejected" in answer.json()["detail"]


def test_other_numbers_and_other_files_are_not_there(hospital: Any, shown: str) -> None:
    here = f"/v1/datasets/{shown}/preview"
    for number, status in (("5", 404), ("9999", 404), ("10000", 422), ("-1", 422), ("x", 422)):
        assert hospital.client.get(f"{here}/{number}").status_code == status, number
    assert hospital.client.get(f"{here}/../train.npy").status_code == 404
    assert hospital.client.get(f"{here}/%2e%2e%2ftrain.npy").status_code in {404, 422}
    assert _lines(hospital) == []


def test_a_stranger_sees_nothing(hospital: Any, shown: str, stranger: Any) -> None:
    for path in ("preview", "preview/0"):
        answer = stranger.get(f"/v1/datasets/{shown}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.json()["detail"] == "There is no such data set."


def test_a_picture_that_the_storage_has_lost_is_gone(hospital: Any, shown: str) -> None:
    with hospital.database.read() as session:
        files = session.get_one(Dataset, shown).files
    for file in files:
        hospital.objects.delete(file["object_key"])
    for path in ("preview", "preview/0"):
        answer = hospital.client.get(f"/v1/datasets/{shown}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, "preview_gone")
    assert _lines(hospital) == []


def test_the_pictures_go_with_the_data_set(hospital: Any, shown: str) -> None:
    assert hospital.client.delete(f"/v1/datasets/{shown}").status_code == 204
    assert hospital.client.get(f"/v1/datasets/{shown}/preview/0").status_code == 404


def test_the_same_upload_again_has_the_same_preview(hospital: Any, shown: str) -> None:
    again = hospital.upload()
    assert again["id"] != shown
    view = hospital.client.get(f"/v1/datasets/{again['id']}").json()
    assert view["status"] == "ready"
    first = hospital.client.get(f"/v1/datasets/{shown}/preview/0").content
    assert hospital.client.get(f"{view['links']['preview']}/0").content == first
