"""Everything that the service does with its database, once: what ``--record-statements`` plays.

One portal, one administrator and one worker, over the API where it has an address for something
and over the store where it has none. What they ask for is trivial; every query must be asked.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from driven_house import SPEC, Bell, House
from fastapi.testclient import TestClient

from api.app import create_app
from api.oidc.people import identify
from api.oidc.tokens import Claims
from api.session.cookies import digest_of
from api.session.service import SessionService
from gan_core.spec import DeviceFacts
from store.bootstrap import ensure_admin
from store.columns import new_id, utc_now
from store.database import Database
from store.doorbell import QUEUES
from store.fairness import next_steps
from store.granting import grant, read_grants
from store.identity_settings import IdentitySettings
from store.objects import Objects
from store.orphans import remove_orphans
from store.outbox import relay_outbox
from store.page_tables import SignIn
from store.records import StepError
from store.removals import carry_out, is_pending, remove_spent_uploads
from store.repositories import AuditTrail, JobRepository, KeyRepository
from store.repositories.keys import still_holds
from store.repositories.principals import PrincipalRepository
from store.repositories.sign_ins import MOST_AT_ONCE, signed_in
from store.repositories.workspaces import add_workspace, all_workspaces
from store.retention import expire, prune
from store.settings import Settings
from store.speeds import SpeedBook
from store.step_tables import Step
from store.sweeping import is_at_work, over_among, ring_when_idle, sweep
from store.tables import Job, WorkerSeen, Workspace
from store.upload_expiry import expire_uploads
from store.upload_tables import UploadSession
from store.webhook_queue import Outcome, WebhookQueue
from store.workers import WorkerRegister
from worker.step_log import StepLog

_BROKEN = StepError("diverged", "The training diverged.", "Submit it with another seed.")


def play_whole_house(settings: Settings, database: Database) -> None:
    """Ask everything of an empty, migrated database.

    Args:
        settings: Prepared; with a broker that does not answer and a directory of objects.
        database: Whose statements are recorded.
    """
    key = ensure_admin(database, settings)
    assert key is not None
    assert ensure_admin(database, settings) is None
    app = create_app(settings, database=database)
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        house = House(client, database, Objects.from_settings(settings))
        _keys(house, settings)
        _people(house)
        _browsers(house, settings, key)
        dataset_id = _datasets(house)
        _uploads(house)
        done = _a_job_that_succeeds(house, dataset_id)
        _what_it_left(house, done)
        _models(house, dataset_id)
        _reuse(house, dataset_id)
        _trouble(house, dataset_id)
        _doing_without(house, dataset_id)
        _cancelling(house, dataset_id)
        _sweeping(house, dataset_id)
        _workers(house)
        _lists(house, dataset_id)
        _webhooks(house, dataset_id)
        _limits(house, settings)
        _tidying(house, dataset_id, done)
        _trail(house)


def _keys(house: House, settings: Settings) -> None:
    asked = {"name": "portal", "scopes": ["researcher"], "expires_at": "2999-01-01T00:00:00Z"}
    made = house.ask("POST", "/v1/keys", 201, json=asked)
    theirs = {"Authorization": f"Bearer {made['key']}"}
    house.ask("GET", "/v1/jobs", 200, headers=theirs)
    house.ask("GET", "/v1/keys", 403, headers=theirs)
    page = house.ask("GET", "/v1/keys?limit=1", 200)
    house.ask("GET", f"/v1/keys?limit=1&cursor={page['next_cursor']}", 200)
    house.ask("GET", f"/v1/keys/{made['id']}", 200)
    house.ask("GET", "/v1/me", 200, headers=theirs)
    for _ in range(2):
        house.ask("POST", f"/v1/keys/{made['id']}/rotate", 201)
    for _ in range(2):
        house.ask("DELETE", f"/v1/keys/{made['id']}", 204)
    house.ask("GET", "/v1/jobs", 401, headers=theirs)
    [admin] = [k for k in house.ask("GET", "/v1/keys", 200)["items"] if "admin" in k["scopes"]]
    house.ask("DELETE", f"/v1/keys/{admin['id']}", 409)
    assert settings.secret_key is not None
    with house.database.write() as session:
        workspace = Workspace(id=new_id("ws"), name="another hospital")
        session.add(workspace)
        session.flush()
        pepper = settings.secret_key.get_secret_value()
        KeyRepository(session, workspace.id).add("theirs", ["admin"], pepper)


def _people(house: House) -> None:
    groups = {"physicians": ["default:researcher", "another hospital:reader"]}
    settings = IdentitySettings(oidc_groups=groups)
    claims = Claims("https://sso", "mira", "Mira", ["physicians"], utc_now() + timedelta(hours=1))
    met = [identify(house.database, settings, claims, "default") for _ in range(2)]
    assert met[0].key_id == met[1].key_id
    with house.database.write() as session:
        PrincipalRepository(session, met[0].workspace_id).touch(met[0].key_id, "Mira Kim")
    house.ask("GET", f"/v1/people/{met[0].key_id}", 200)
    identify(house.database, settings, replace(claims, subject="jun"), "default")
    page = house.ask("GET", "/v1/people?limit=1", 200)
    house.ask("GET", f"/v1/people?limit=1&cursor={page['next_cursor']}", 200)
    with house.database.write() as session:
        assert len(all_workspaces(session)) == 2
        add_workspace(session, "a third one")


def _browsers(house: House, settings: Settings, key: str) -> None:
    """Two browsers: an administrator's, and one of a person whom the administrator signs out."""
    browser = TestClient(house.client.app)
    for _ in range(2):
        token = browser.post("/v1/session", json={"key": key}).json()["csrf_token"]
    assert browser.get("/v1/session").status_code == 200
    _unseen(house.database)
    assert browser.get("/v1/jobs", headers={"Graft-Workspace": "default"}).status_code == 200
    assert browser.delete("/v1/session", headers={"Graft-CSRF": token}).status_code == 204
    assert browser.get("/v1/session").status_code == 401
    groups = {"physicians": ["default:researcher"]}
    known = IdentitySettings(oidc_groups=groups)
    claims = Claims("https://sso", "mira", "Mira", ["physicians"], utc_now() + timedelta(hours=1))
    person = identify(house.database, known, claims, None)
    believing = settings.model_copy(update={"oidc_issuer": "https://sso", "oidc_groups": groups})
    with house.database.write() as session:
        for _ in range(MOST_AT_ONCE + 1):
            _view, value = SessionService(session, person, believing, "pepper").start("oidc")
        found = signed_in(session, digest_of(value, "pepper"), believing)
        assert found is not None
        assert found[0].key_id == person.key_id
        assert still_holds(session, found[0])
    house.ask("DELETE", f"/v1/people/{person.key_id}/sign-ins", 204)


def _unseen(database: Database) -> None:
    with database.write() as session:
        for row in session.query(SignIn).all():
            row.last_seen_at = utc_now() - timedelta(minutes=5)


def _datasets(house: House) -> str:
    sent_twice = {"Idempotency-Key": "upload-1"}
    dataset_id, job_id = house.upload("first", **sent_twice)
    assert house.upload("first", **sent_twice) == (dataset_id, job_id)
    house.ask("POST", "/v1/jobs", 409, json=SPEC | {"dataset_id": dataset_id})
    house.run(job_id)
    assert house.ask("GET", f"/v1/datasets/{dataset_id}", 200)["status"] == "ready"
    # The same zip again is not read again.
    house.upload("first")
    # Another one cannot be read.
    _rejected, broken = house.upload("broken")
    claimed = house.claim(broken)
    with house.ledger() as ledger:
        assert ledger.fail(claimed.id, claimed.token, _BROKEN, retryable=False, max_attempts=2)
    page = house.ask("GET", "/v1/datasets?limit=1", 200)
    house.ask("GET", f"/v1/datasets?limit=1&status=ready&cursor={page['next_cursor']}", 200)
    house.ask("GET", "/v1/datasets/ds_none", 404)
    return dataset_id


def _uploads(house: House) -> None:
    """Uploads in parts: one is read, one waits, one is deleted, one is forgotten and expires."""
    upload_id, job_id = house.upload_in_parts("read")
    house.run(job_id)
    remove_spent_uploads(house.database, house.objects)
    waiting, unread = house.upload_in_parts("waiting")
    house.ask("POST", f"/v1/jobs/{unread}/cancel", 202)
    found = house.ask("GET", f"/v1/uploads/{waiting}", 200)
    house.ask("DELETE", f"/v1/datasets/{found['dataset_id']}", 204)
    deleted, _ = house.upload_in_parts("deleted", finish=False)
    for _ in range(2):
        house.ask("DELETE", f"/v1/uploads/{deleted}", 204)
    forgotten, _ = house.upload_in_parts("forgotten", finish=False)
    with house.database.write() as session:
        row = session.get_one(UploadSession, forgotten)
        row.expires_at = utc_now() - timedelta(days=1)
    assert expire_uploads(house.database) == 1
    with house.database.write() as session:
        session.get_one(UploadSession, forgotten).expires_at = utc_now() - timedelta(days=30)
    expire_uploads(house.database)
    open_, _ = house.upload_in_parts("open", finish=False)
    remove_orphans(house.database, house.objects, older_than_seconds=0.0)
    page = house.ask("GET", "/v1/uploads?limit=1", 200)
    sha256 = house.ask("GET", f"/v1/uploads/{open_}", 200)["sha256"]
    cursor = page["next_cursor"]
    house.ask("GET", f"/v1/uploads?status=open&sha256={sha256}&cursor={cursor}", 200)
    house.ask("GET", f"/v1/uploads/{upload_id}", 200)
    house.ask("GET", "/v1/uploads/up_none", 404)


def _a_job_that_succeeds(house: House, dataset_id: str) -> str:
    spec = SPEC | {"dataset_id": dataset_id}
    house.ask("POST", "/v1/jobs?dry_run=true", 200, json=spec)
    once = {"Idempotency-Key": "job-1"}
    job_id: str = house.ask("POST", "/v1/jobs", 202, json=spec, headers=once)["id"]
    assert house.ask("POST", "/v1/jobs", 202, json=spec, headers=once)["id"] == job_id
    house.ask("POST", "/v1/jobs", 422, json=spec | {"name": "x"}, headers=once)
    assert relay_outbox(house.database, Bell(is_silent=True)) == 0
    assert relay_outbox(house.database, Bell()) > 0
    house.ask("GET", f"/v1/jobs/{job_id}/results", 409)
    house.run(job_id)
    assert house.status(job_id) == "succeeded"
    return job_id


def _what_it_left(house: House, job_id: str) -> None:
    for path in ("", "/steps", "/artifacts", "/results", "/events"):
        house.ask("GET", f"/v1/jobs/{job_id}{path}", 200)
    house.ask("GET", f"/v1/jobs/{job_id}/events", 200, headers={"Last-Event-ID": "0"})
    page = house.ask("GET", f"/v1/jobs/{job_id}/log?limit=1", 200)
    house.ask("GET", f"/v1/jobs/{job_id}/log?cursor={page['next_cursor']}", 200)
    page = house.ask("GET", f"/v1/jobs/{job_id}/log?limit=1&order=desc", 200)
    house.ask("GET", f"/v1/jobs/{job_id}/log?order=desc&cursor={page['next_cursor']}", 200)
    house.ask("GET", f"/v1/jobs/{job_id}/steps/none/course", 404)
    [artifact] = house.ask("GET", f"/v1/jobs/{job_id}/artifacts", 200)["items"]
    house.ask("GET", artifact["links"]["self"], 200)
    house.ask("HEAD", artifact["links"]["content"], 200)
    house.ask("GET", artifact["links"]["content"], 200)
    house.ask("GET", "/v1/artifacts/art_none", 404)


def _models(house: House, dataset_id: str) -> None:
    """More images of a trained model, and once more, and then of one whose study is gone."""
    study = house.submit_small(dataset_id, "modelled")
    house.finish_training(house.claim(study))
    house.run(study)
    house.ask("GET", "/v1/models/art_none", 404)
    filters = [f"job_id={study}", f"dataset_id={dataset_id}", "gan=infogan"]
    for chosen in [*filters, "&".join(filters)]:
        [model] = house.ask("GET", f"/v1/models?{chosen}", 200)["items"]
    house.ask("GET", model["links"]["self"], 200)
    images, asked = model["links"]["images"], {"seeds": [3, 5]}
    house.ask("POST", f"{images}?dry_run=true", 200, json=asked)
    once = {"Idempotency-Key": "images-1"}
    job_id = house.ask("POST", images, 202, json=asked, headers=once)["id"]
    assert house.ask("POST", images, 202, json=asked, headers=once)["id"] == job_id
    house.ask("DELETE", f"/v1/jobs/{study}", 204)
    house.run(job_id)
    house.ask("POST", f"/v1/jobs/{job_id}/retry", 202)
    house.ask("GET", "/v1/jobs?kind=images", 200)


def _reuse(house: House, dataset_id: str) -> None:
    house.ask("POST", "/v1/jobs?dry_run=true", 200, json=SPEC | {"dataset_id": dataset_id})
    assert house.submit(dataset_id)["status"] == "succeeded"
    # Of two alike at once, the later finds the earlier one's steps finished when it claims.
    first, second = (house.submit_small(dataset_id, "twin") for _ in range(2))
    house.run(first)
    while queued := house.steps(second, "queued"):
        with house.ledger() as ledger:
            found = ledger.claim(queued[0], worker_id="w", lease_seconds=60, max_attempts=2)
            assert found is None
    assert house.status(second) == "succeeded"


def _trouble(house: House, dataset_id: str) -> None:
    """A step is handed back, tried again, and then fails for good."""
    job_id = house.submit_small(dataset_id, "troubled")
    claimed = house.claim(job_id)
    with house.ledger() as ledger:
        assert not ledger.heartbeat(claimed.id, "not its token", lease_seconds=60).held
        assert ledger.heartbeat(claimed.id, claimed.token, lease_seconds=60).held
        assert not ledger.is_published(claimed.id, claimed.output_prefix)
    with StepLog(house.database, claimed) as told:
        told.notice("The training goes on from a checkpoint.", "info")
    with house.ledger() as ledger:
        assert ledger.release(claimed.id, claimed.token)
    for _ in range(2):
        claimed = house.claim(job_id)
        with house.ledger() as ledger:
            assert ledger.fail(claimed.id, claimed.token, _BROKEN, retryable=True, max_attempts=2)
    assert house.status(job_id) == "failed"
    house.ask("GET", f"/v1/jobs/{job_id}/steps", 200)
    house.ask("GET", f"/v1/jobs/{job_id}/results", 409)
    with house.ledger() as ledger:
        assert ledger.claim(claimed.id, worker_id="w", lease_seconds=60, max_attempts=2) is None
        assert ledger.claim("step_none", worker_id="w", lease_seconds=60, max_attempts=2) is None


def _doing_without(house: House, dataset_id: str) -> None:
    """A step is tried again after a pause; one fails for good, and the report does without it."""
    job_id = house.submit_small(dataset_id, "soft", "train-a", "train-b")
    for pause_seconds in (0.0, 0.001):
        claimed = house.claim(job_id)
        with house.ledger() as ledger:
            assert ledger.fail(
                *(claimed.id, claimed.token, _BROKEN),
                retryable=True,
                max_attempts=3,
                pause_seconds=pause_seconds,
            )
    time.sleep(0.01)
    sweep(house.database, max_attempts=3, ring_again_after=0.0)
    claimed = house.claim(job_id)
    with house.database.read() as session:
        assert next_steps(session, "cpu")
    with house.ledger() as ledger:
        assert ledger.fail(claimed.id, claimed.token, _BROKEN, retryable=False, max_attempts=3)
    house.run(job_id)
    assert house.status(job_id) == "succeeded"


def _cancelling(house: House, dataset_id: str) -> None:
    waiting = house.submit_small(dataset_id, "waiting")
    for _ in range(2):
        house.ask("POST", f"/v1/jobs/{waiting}/cancel", 202)
    running = house.submit_small(dataset_id, "running")
    claimed = house.claim(running)
    assert house.ask("POST", f"/v1/jobs/{running}/cancel", 202)["status"] == "cancelling"
    with house.ledger() as ledger:
        assert ledger.heartbeat(claimed.id, claimed.token, lease_seconds=60).stop
        assert ledger.cancelled(claimed.id, claimed.token)
    assert house.status(running) == "cancelled"
    _dataset, ingest = house.upload("unwanted")
    house.ask("POST", f"/v1/jobs/{ingest}/cancel", 202)
    house.ask("POST", "/v1/jobs/job_none/cancel", 404)


def _sweeping(house: House, dataset_id: str) -> None:
    database = house.database
    # A worker goes silent twice, which is once too often; another's job is cancelled meanwhile.
    job_id, cancelled = (house.submit_small(dataset_id, name) for name in ("silent", "unwanted"))
    house.claim(job_id, lease_seconds=-1)
    house.claim(cancelled, lease_seconds=-1)
    house.ask("POST", f"/v1/jobs/{cancelled}/cancel", 202)
    assert sweep(database, max_attempts=2).requeued == 1
    house.claim(job_id, lease_seconds=-1)
    assert sweep(database, max_attempts=2).failed == 1
    assert (house.status(job_id), house.status(cancelled)) == ("failed", "cancelled")
    # Its lease lapsed, and another worker was faster than the sweeper.
    job_id = house.submit_small(dataset_id, "overtaken")
    lapsed = house.claim(job_id, lease_seconds=-1)
    with house.ledger() as ledger:
        again = ledger.claim(lapsed.id, worker_id="w2", lease_seconds=60, max_attempts=2)
        assert again is not None
        assert ledger.expire(lapsed.id, max_attempts=2) is None
        assert not ledger.complete(lapsed.id, lapsed.token, [])
    # Nobody heard the ring.
    job_id = house.submit_small(dataset_id, "unheard")
    for slots in (9, 0):
        ring_when_idle(database, "worker@here", ["cpu"], slots=slots, after_seconds=-1)
    assert not is_at_work(database, "nobody")
    relay_outbox(database, Bell())
    assert sweep(database, max_attempts=2, ring_again_after=0.0).rung > 0
    # Its worker died between the last step and the job.
    with database.write() as session:
        for step in JobRepository(session, session.get_one(Job, job_id).workspace_id).steps(job_id):
            step.status, step.finished_at = "succeeded", utc_now()
    assert sweep(database, max_attempts=2).settled == 1
    assert lapsed.id not in over_among(database, [lapsed.id, "step_none"])


def _tidying(house: House, dataset_id: str, done: str) -> None:
    """What is not wanted any more is deleted, what is old expires, and what was lost is found."""
    database, objects = house.database, house.objects
    unwanted, ingest = house.upload("left behind")
    house.ask("DELETE", f"/v1/datasets/{unwanted}", 409)
    house.ask("POST", f"/v1/jobs/{ingest}/cancel", 202)
    house.ask("DELETE", f"/v1/datasets/{unwanted}", 204)
    house.ask("DELETE", f"/v1/datasets/{dataset_id}", 409)
    [failed] = house.ask("GET", "/v1/jobs?status=failed&kind=study&limit=1", 200)["items"]
    house.ask("DELETE", f"/v1/jobs/{failed['id']}", 204)
    again = house.ask("POST", f"/v1/jobs/{done}/retry", 202)["id"]
    house.ask("DELETE", f"/v1/jobs/{again}", 204)
    assert is_pending(database)
    carry_out(database, objects)
    remove_spent_uploads(database, objects)
    remove_orphans(database, objects, older_than_seconds=0.0)
    assert expire(database, retention_days=0.0) > 0
    carry_out(database, objects)
    prune(database)
    house.ask("GET", f"/v1/jobs/{done}/results", 410)
    # The last deletion is still to be carried out: a migration must not lose what is promised.
    [failed] = house.ask("GET", "/v1/jobs?status=failed&kind=study&limit=1", 200)["items"]
    house.ask("DELETE", f"/v1/jobs/{failed['id']}", 204)


def _workers(house: House) -> None:
    about = {"host": "here", "queues": list(QUEUES), "version": "0.1.0"}

    def seen(worker_id: str, step_id: str | None = None) -> None:
        with house.database.write() as session:
            WorkerRegister(session).seen(worker_id, step_id=step_id, **about)

    seen("w1")
    seen("w1", "step_1")
    seen("w2")
    device = DeviceFacts(kind="gpu", name="NVIDIA H100", memory_bytes=80 * 2**30)
    with house.database.write() as session:
        register, book = WorkerRegister(session), SpeedBook(session)
        assert register.describe("w1", device)
        for _ in range(2):
            book.note(device.name, "train infogan 48px batch 8", seconds=1.0, units=100)
        assert book.unmeasured(device.name, ["features"]) == ["features"]
        assert book.speeds().device() == device
    with house.database.write() as session:
        WorkerRegister(session).gone("w2")
    seen("w3")
    with house.database.write() as session:
        assert WorkerRegister(session).living(60)
        session.get_one(WorkerSeen, "w3").seen_at = utc_now() - timedelta(days=2)
    sweep(house.database, max_attempts=2)
    house.ask("GET", "/v1/workers", 200)
    assert "graft_worker_silent_seconds" in house.ask("GET", "/metrics", 200)
    house.ask("GET", "/readyz", 503)  # the broker


def _lists(house: House, dataset_id: str) -> None:
    filters = ["status=failed", f"dataset_id={dataset_id}", "kind=study"]
    for chosen in ["", *filters, "&".join(filters)]:
        page = house.ask("GET", f"/v1/jobs?limit=1&{chosen}", 200)
        house.ask("GET", f"/v1/jobs?limit=1&{chosen}&cursor={page['next_cursor']}", 200)


def _webhooks(house: House, dataset_id: str) -> None:
    asked = {"url": "https://portal.example.org/", "events": ["job.running", "job.cancelled"]}
    made = house.ask("POST", "/v1/webhooks", 201, json=asked)
    other = house.ask("POST", "/v1/webhooks", 201, json=asked)
    page = house.ask("GET", "/v1/webhooks?limit=1", 200)
    house.ask("GET", f"/v1/webhooks?limit=1&cursor={page['next_cursor']}", 200)
    path = f"/v1/webhooks/{made['id']}"
    house.ask("GET", path, 200)
    house.ask("PATCH", path, 200, json={"events": [], "description": "portal"})
    house.ask("POST", f"{path}/rotate-secret", 200)
    job_id = house.submit_small(dataset_id, "told of")
    house.claim(job_id)
    house.ask("POST", f"/v1/jobs/{job_id}/cancel", 202)
    tried = house.ask("POST", f"{path}/test", 202)
    outcomes = [
        Outcome(200),
        Outcome(503, "status", retry_after=60.0),
        Outcome(error="timeout"),
    ]
    for outcome in outcomes:
        _send_one(house, outcome)
    page = house.ask("GET", f"{path}/deliveries?limit=1", 200)
    house.ask("GET", f"{path}/deliveries?limit=1&status=pending", 200)
    house.ask("GET", f"{path}/deliveries?limit=1&cursor={page['next_cursor']}", 200)
    house.ask("GET", f"{path}/deliveries/{tried['id']}", 200)
    house.ask("POST", f"{path}/deliveries/{tried['id']}/replay", 202)
    house.ask("POST", f"{path}/replay?since=2026-01-01T00:00:00Z", 202)
    house.ask("DELETE", f"/v1/webhooks/{other['id']}", 204)
    assert _send_one(house, Outcome(410, "gone")) == "gone"
    house.ask("POST", f"{path}/test", 409)
    house.ask("PATCH", path, 200, json={"disabled": False})


def _send_one(house: House, outcome: Outcome) -> str | None:
    """What the sender does with one delivery that is due."""
    with house.database.read() as session:
        (due, *_) = WebhookQueue(session).due(1)
    with house.database.write() as session:
        claimed = WebhookQueue(session).claim(due)
        assert claimed is not None
        WebhookQueue(session).release(claimed)
    with house.database.write() as session:
        claimed = WebhookQueue(session).claim(due)
        assert claimed is not None
    with house.database.write() as session:
        return WebhookQueue(session).record(claimed, outcome)


def _limits(house: House, settings: Settings) -> None:
    grant(house.database, settings, "another hospital", read_grants(["unfinished_jobs=9"]))
    # Whatever has a limit is counted.
    many = {"upload_bytes_per_day": 10**9, "unfinished_jobs": 900, "gpu_minutes_per_day": 10**6}
    many["gpu_minutes_per_month"] = 10**6
    house.ask("PATCH", "/v1/limits", 200, json={"limits": many})
    asked = {"name": "limited", "limits": many}
    theirs = {"Authorization": f"Bearer {house.ask('POST', '/v1/keys', 201, json=asked)['key']}"}
    for headers in ({}, theirs):
        house.upload("limited", **headers)
        house.ask("GET", "/v1/limits", 200, headers=headers)
        house.ask("GET", "/v1/usage", 200, headers=headers)


def _trail(house: House) -> None:
    for order in ("newest", "oldest"):
        page = house.ask("GET", f"/v1/audit?limit=1&order={order}", 200)
        house.ask("GET", f"/v1/audit?order={order}&cursor={page['next_cursor']}", 200)
    wanted = ["action=job.submit", "action=job.*", "actor=system", "subject=job_none"]
    wanted += ["from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z"]
    for chosen in wanted:
        house.ask("GET", f"/v1/audit?{chosen}", 200)
    house.ask("GET", "/v1/audit/export", 200)
    with house.database.read() as session:
        for workspace in session.query(Workspace).all():
            assert AuditTrail(session, workspace.id).first_broken() is None
        assert session.get(Step, "step_none") is None
