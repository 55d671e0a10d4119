"""What no row refers to is found and deleted; what one refers to is not."""

from __future__ import annotations

import os
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from store.objects import Objects
from store.orphans import remove_orphans
from store.removals import promise
from store.retention import expire
from store.tables import Dataset

DAYS = 2 * 86400.0


@pytest.fixture(params=["directory", "bucket"])
def anywhere(request: pytest.FixtureRequest, house: Any) -> Any:
    """The house with its objects in a directory, or in a bucket."""
    if request.param == "directory":
        return house
    return replace(house, objects=request.getfixturevalue("bucket"))


def put(house: Any, tmp_path: Path, key: str) -> str:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    key = key.replace("WS", f"workspaces/{house.workspace_id}")
    house.objects.put_file(key, source)
    return key


def published(house: Any, claimed: Any, tmp_path: Path) -> str:
    """Upload one output and have the step succeed."""
    from store.records import Output
    from store.steps import StepLedger

    key = put(house, tmp_path, f"{claimed.output_prefix}out.bin")
    output = Output("out.bin", "report-html", "text/html", 1, "a" * 64)
    with house.database.write() as session:
        assert StepLedger(session, house.objects).complete(claimed.id, claimed.token, [output])
    return key


def age(house: Any, key: str, seconds: float = DAYS) -> None:
    then = time.time() - seconds
    os.utime(house.objects.local_path(key), (then, then))


def test_only_what_nothing_refers_to_is_deleted(anywhere: Any, tmp_path: Path) -> None:
    house = anywhere
    job_id = house.submit(house.chain("a", "b", "c"))
    lost = house.claim_named(job_id, "a")
    of_a_killed_worker = put(house, tmp_path, f"{lost.output_prefix}out.bin")
    house.let_lease_lapse(lost)
    kept = {published(house, house.claim_named(job_id, "a"), tmp_path)}
    at_work = house.claim_named(job_id, "b")
    kept.add(put(house, tmp_path, f"{at_work.output_prefix}half.bin"))
    waiting = house.steps(job_id)["c"].id
    kept.add(put(house, tmp_path, f"WS/checkpoints/{at_work.id}/latest"))
    kept.add(put(house, tmp_path, f"WS/checkpoints/{waiting}/latest"))
    kept.add(put(house, tmp_path, f"WS/live/{at_work.id}/000001/course.json"))
    kept.add(put(house, tmp_path, "WS/uploads/ds_waiting.zip"))
    kept.add(put(house, tmp_path, "WS/steps/step_packed/1-aa/train.npy"))
    with house.database.write() as session:
        dataset = session.get_one(Dataset, house.dataset_id)
        dataset.upload_key = f"workspaces/{house.workspace_id}/uploads/ds_waiting.zip"
        dataset.files = [
            {
                "name": "train.npy",
                "object_key": f"workspaces/{house.workspace_id}/steps/step_packed/1-aa/train.npy",
                "size": 1,
                "sha256": "1" * 64,
            }
        ]
    orphans = {
        of_a_killed_worker,
        put(house, tmp_path, "WS/steps/step_gone/1-bb/out.bin"),
        put(house, tmp_path, "WS/steps/step_gone/1-bb/deep/out.bin"),
        put(house, tmp_path, "WS/steps/stray"),
        put(house, tmp_path, "WS/uploads/ds_gone.zip"),
        put(house, tmp_path, f"WS/checkpoints/{lost.id}/latest"),
        put(house, tmp_path, "WS/checkpoints/step_gone/latest"),
        # It has succeeded: the same is among its outputs.
        put(house, tmp_path, f"WS/live/{lost.id}/000001/course.json"),
        put(house, tmp_path, "WS/live/step_gone/000001/course.json"),
    }
    kept.add(put(house, tmp_path, "WS/elsewhere/x"))
    kept.add(put(house, tmp_path, "workspaces/ws_unknown/steps/step_x/1-cc/out.bin"))
    assert set(house.objects.list("workspaces/")) == kept | orphans
    assert remove_orphans(house.database, house.objects) == 0
    assert remove_orphans(house.database, house.objects, older_than_seconds=0) == len(orphans)
    assert set(house.objects.list("workspaces/")) == kept
    # The attempt that was uploading all the while is recorded, and all of it is there.
    key = published(house, at_work, tmp_path)
    assert remove_orphans(house.database, house.objects, older_than_seconds=0) == 2
    assert {key, f"{at_work.output_prefix}half.bin"} <= set(house.objects.list("workspaces/"))


def test_what_is_younger_than_a_day_may_be_on_its_way(house: Any, tmp_path: Path) -> None:
    old = put(house, tmp_path, "WS/steps/step_gone/1-bb/out.bin")
    young = put(house, tmp_path, "WS/steps/step_gone/2-bb/out.bin")
    age(house, old)
    age(house, young, 86400 - 600)
    half = house.objects.local_path(old).with_name("cut.bin#3")
    half.write_bytes(b"x")
    os.utime(half, (1000, 1000))
    assert remove_orphans(house.database, house.objects) == 2
    assert set(house.objects.list("workspaces/")) == {young}
    assert not half.exists()


def test_thousands_of_orphans_are_deleted_with_little_memory(house: Any) -> None:
    root = house.objects.local_path(f"workspaces/{house.workspace_id}/steps/")
    for step in range(50):
        folder = root / f"step_{step}" / "1-aa"
        folder.mkdir(parents=True)
        for number in range(100):
            path = folder / f"{number}.png"
            path.touch()
            os.utime(path, (1000, 1000))
    job_id = house.submit(house.chain("a"))
    house.finish(house.claim_named(job_id, "a"))
    tracemalloc.start()
    started = time.monotonic()
    try:
        assert remove_orphans(house.database, house.objects) == 5000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000  # a page of keys and a transaction, not 5,000 keys and what is made
    assert time.monotonic() - started < 60
    assert len(house.objects.list("workspaces/")) == 1


def test_many_sweeps_at_once_do_no_harm(house: Any) -> None:
    import threading

    root = house.objects.local_path(f"workspaces/{house.workspace_id}/steps/")
    for step in range(300):
        path = root / f"step_{step}" / "1-aa" / "out.bin"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1000, 1000))
    raised: list[BaseException] = []

    def sweep() -> None:
        try:
            remove_orphans(house.database, house.objects)
        except BaseException as error:  # noqa: BLE001 - told below
            raised.append(error)

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    assert house.objects.list("workspaces/") == {}


def test_promises_are_kept_in_a_bucket_too(anywhere: Any, tmp_path: Path) -> None:
    from store.removals import carry_out

    house = anywhere
    job_id = house.submit(house.chain("a"))
    key = published(house, house.claim_named(job_id, "a"), tmp_path)
    other = put(house, tmp_path, "WS/steps/step_gone/1-bb/out.bin")
    with house.database.write() as session:
        promise(session, house.workspace_id, [f"workspaces/{house.workspace_id}/steps/"])
    assert carry_out(house.database, house.objects) == 1
    assert set(house.objects.list("workspaces/")) == {key}
    assert other not in house.objects.list("workspaces/")
    with house.database.write() as session:
        session.execute(text("UPDATE jobs SET finished_at = '2020-01-01 00:00:00.000000'"))
    assert expire(house.database, retention_days=30) == 1
    assert carry_out(house.database, house.objects) == 1
    assert house.objects.list("workspaces/") == {}


def test_a_directory_that_is_not_there_yet_has_no_orphans(house: Any, tmp_path: Path) -> None:
    assert remove_orphans(house.database, Objects((tmp_path / "none").as_uri())) == 0


def test_a_folder_that_goes_while_it_is_looked_through_does_no_harm(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house.objects.local_path(f"workspaces/{house.workspace_id}/")
    for name in ("a", "b"):
        (home / name).mkdir(parents=True)
        (home / name / "out.bin#1").touch()
        os.utime(home / name / "out.bin#1", (1000, 1000))
    scan = os.scandir

    def somebody_is_quicker(path: Any) -> Any:
        if str(path) == str(home / "a"):
            (home / "a" / "out.bin#1").unlink()
            (home / "a").rmdir()
        return scan(path)

    monkeypatch.setattr(os, "scandir", somebody_is_quicker)
    assert house.objects.remove_unfinished(f"workspaces/{house.workspace_id}/", 3600) == 1
    assert [path.name for path in home.iterdir()] == ["b"]
