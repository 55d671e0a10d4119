"""Keys, the first start, and the trail."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from gan_core.spec.errors import GraftError
from store import bootstrap
from store.bootstrap import ensure_admin
from store.columns import new_id, utc_now
from store.key_texts import digest_of, make_key, prefix_of
from store.repositories import AuditTrail, JobRepository, KeyRepository, authenticate
from store.settings import Settings, prepare, write_private
from store.tables import ApiKey, AuditEvent, Job, Workspace


def test_a_key_can_be_told_from_everything_else_without_a_database() -> None:
    key = make_key("pepper")
    assert prefix_of(key.text) == key.prefix
    assert key.digest == digest_of(key.text, "pepper") != digest_of(key.text, "salt")
    for wrong in ("", "graft_", "x" * 65, key.text[:-1], key.text + "0", key.text.upper(), "ü" * 9):
        assert prefix_of(wrong) is None
    assert len({make_key("pepper").text for _ in range(100)}) == 100


def test_ids_are_unique_and_later_ones_sort_later() -> None:
    assert len({new_id("x") for _ in range(1000)}) == 1000
    first = new_id("x")
    import time

    time.sleep(0.002)
    assert first < new_id("x")


def test_only_a_digest_of_a_key_is_kept(house: Any) -> None:
    with house.database.write() as session:
        _row, key = KeyRepository(session, house.workspace_id).add("n", ["reader"], "pepper")
    with house.database.read() as session:
        row = session.scalars(select(ApiKey)).one()
        assert key not in str(vars(row))
        identity = authenticate(session, key, "pepper")
        assert identity is not None
        assert (identity.workspace_id, identity.scopes) == (house.workspace_id, {"reader"})
        assert authenticate(session, key, "another pepper") is None
        assert authenticate(session, make_key("pepper").text, "pepper") is None


def test_the_first_start_makes_one_administrator_and_later_starts_none(
    database: Any, tmp_path: Path
) -> None:
    settings = prepare(Settings(data_dir=tmp_path / "data"))
    key = ensure_admin(database, settings)
    path = tmp_path / "data" / "admin.key"
    assert path.read_text().strip() == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_admin(database, settings) is None


def test_a_start_that_ended_before_its_commit_is_gone_on_with(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = prepare(Settings(data_dir=tmp_path))

    def write_and_end(path: Path, text: str) -> None:
        write_private(path, text)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "write_private", write_and_end)
        with pytest.raises(KeyboardInterrupt):
            ensure_admin(database, settings)
    left = (tmp_path / "admin.key").read_text().strip()
    assert ensure_admin(database, settings) == left
    assert settings.secret_key is not None
    with database.read() as session:
        identity = authenticate(session, left, settings.secret_key.get_secret_value())
        assert identity is not None
        assert identity.scopes == {"admin"}
    assert ensure_admin(database, settings) is None


def test_a_key_file_of_another_database_is_not_overwritten(database: Any, tmp_path: Path) -> None:
    settings = prepare(Settings(data_dir=tmp_path))
    (tmp_path / "admin.key").write_text("of another database")
    with pytest.raises(GraftError) as caught:
        ensure_admin(database, settings)
    assert caught.value.code == "admin_key_exists"
    with database.read() as session:
        assert session.scalars(select(Workspace)).all() == []


def _trail(house: Any, lines: int) -> None:
    for number in range(lines):
        with house.database.write() as session:
            AuditTrail(session, house.workspace_id).append(
                "key_x", "job.submit", f"job_{number}", {"n": number, "a": [15, None]}
            )


def test_the_trail_is_whole(house: Any) -> None:
    _trail(house, 3)
    with house.database.read() as session:
        assert AuditTrail(session, house.workspace_id).first_broken() is None
        numbers = session.scalars(select(AuditEvent.number).order_by(AuditEvent.id)).all()
    assert numbers == [1, 2, 3]


def test_many_that_write_at_once_neither_block_each_other_nor_break_the_trail(house: Any) -> None:
    gate = threading.Barrier(4)
    errors: list[Exception] = []

    def work(number: int) -> None:
        gate.wait()
        try:
            for turn in range(4):
                with house.database.write() as session:
                    job = Job(
                        id=new_id("job"),
                        kind="study",
                        dataset_id=house.dataset_id,
                        spec={},
                        resolved={},
                    )
                    plan = house.chain(f"a{number}{turn}", "b")
                    JobRepository(session, house.workspace_id).add(job, plan, None)
                    AuditTrail(session, house.workspace_id).append("key_x", "job.submit", job.id)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with house.database.read() as session:
        assert AuditTrail(session, house.workspace_id).first_broken() is None
        assert len(session.scalars(select(AuditEvent)).all()) == 16


@pytest.mark.parametrize(
    "change", ["UPDATE audit_events SET actor = 'someone else'", "DELETE FROM audit_events"]
)
def test_the_database_itself_refuses_to_change_the_trail(house: Any, change: str) -> None:
    _trail(house, 1)
    with pytest.raises(DatabaseError, match="append-only"), house.database.write() as session:
        session.execute(text(change))


def test_a_line_that_was_slipped_in_is_found(house: Any) -> None:
    _trail(house, 2)
    with house.database.write() as session:
        session.add(
            AuditEvent(
                workspace_id=house.workspace_id,
                number=3,
                at=utc_now(),
                actor="key_x",
                action="nothing.happened",
                subject="job_x",
                detail={},
                prev_hash="0" * 64,
                hash="f" * 64,
            )
        )
    with house.database.read() as session:
        assert AuditTrail(session, house.workspace_id).first_broken() == 3


def test_moments_come_back_in_utc_and_naive_ones_are_refused(house: Any) -> None:
    moment = datetime(2026, 7, 1, 12, 30, 0, 123456, tzinfo=UTC) + timedelta(hours=1)
    with house.database.write() as session:
        row, _ = KeyRepository(session, house.workspace_id).add("n", ["reader"], "p", moment)
    with house.database.read() as session:
        found = session.get_one(ApiKey, row.id).expires_at
    assert found == moment
    assert found.utcoffset() == timedelta(0)
    with pytest.raises(Exception, match="time zone"), house.database.write() as session:
        session.get_one(ApiKey, row.id).expires_at = datetime(2026, 1, 1)  # noqa: DTZ001
