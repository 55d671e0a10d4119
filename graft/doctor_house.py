"""What the service stands on, as ``graft doctor`` finds it from this machine."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from store.settings import Settings

State = Literal["ok", "warn", "fail"]
_MOST_SKEW_SECONDS = 5.0
_LIVING_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``fail`` keeps something from working, ``warn`` may."""

    name: str
    state: State
    detail: str
    hint: str = ""
    """What to do; never empty for ``fail``."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def fainted(name: str, error: Exception) -> Finding:
    """Return the finding of a look that went wrong itself."""
    hint = "Look at this first: what depends on it was not looked at."
    return Finding(name, "fail", f"{type(error).__name__}: {error}", hint)


def examine_house(data_dir: Path | None) -> list[Finding]:
    """Look at settings, database, broker, file storage, workers and the service itself."""
    from store.settings import Settings

    try:
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValueError as error:  # pydantic's own says which variable
        first = str(error).splitlines()[1] if "\n" in str(error) else str(error)
        hint = "docs/operating.md lists the settings."
        return [Finding("settings", "fail", f"not valid: {first.strip()}", hint)]
    looks: dict[str, Callable[[Settings], Finding]] = {
        "disk": _disk,
        "secret": _secret,
        "database": _database,
        "migrations": _migrations,
        "clock": _clock,
        "workers": _workers,
        "file storage": _objects,
        "broker": _broker,
        "service": _service,
    }
    findings = []
    for name, look in looks.items():
        try:
            findings.append(look(settings))
        except Exception as error:  # noqa: BLE001 - a doctor does not faint
            findings.append(fainted(name, error))
    return findings


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free for {settings.data_dir}"
    if not os.access(folder, os.W_OK):
        return Finding("disk", "fail", f"{detail}, but it cannot be written", "Choose --data-dir.")
    if free < settings.min_free_bytes:
        hint = "Free some space: workers begin no step (GRAFT_MIN_FREE_BYTES)."
        return Finding("disk", "fail", detail, hint)
    if free < settings.low_free_bytes:
        return Finding("disk", "warn", detail, "Data sets, checkpoints and images need room.")
    return Finding("disk", "ok", detail)


def _secret(settings: Settings) -> Finding:
    from store.settings import SECRET_FILE, is_weak_secret

    hint = "Set GRAFT_SECRET_KEY to 32 random bytes or more, as from `openssl rand -hex 32`."
    if settings.secret_key is None:
        if not settings.is_loopback():
            return Finding("secret", "fail", "GRAFT_SECRET_KEY is not set", hint)
        path = settings.data_dir / SECRET_FILE
        if not path.exists():
            return Finding("secret", "ok", "made at the first `graft serve`")
        if path.stat().st_mode & 0o077:
            mend = f"chmod 600 {path}"
            return Finding("secret", "fail", f"{SECRET_FILE} can be read by others", mend)
        return Finding("secret", "ok", f"{SECRET_FILE}, random, readable by its owner alone")
    if is_weak_secret(settings.secret_key.get_secret_value()):
        state: State = "warn" if settings.is_loopback() else "fail"
        return Finding("secret", state, "short, or looks like a placeholder", hint)
    return Finding("secret", "ok", "long enough, and no placeholder")


def _new_sqlite(settings: Settings) -> bool:
    from sqlalchemy import make_url

    url = make_url(settings.resolved_database_url())
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def _database(settings: Settings) -> Finding:
    from sqlalchemy import make_url

    from store.database import Database

    if _new_sqlite(settings):
        return Finding("database", "ok", "SQLite, made at the first `graft serve`")
    url = make_url(settings.resolved_database_url())
    name = f"{url.get_backend_name()} ({url.render_as_string(hide_password=True)})"
    database = Database.from_settings(settings)
    try:
        is_there = database.is_answering()
    finally:
        database.dispose()
    if not is_there:
        return Finding("database", "fail", f"{name} does not answer", "Look at GRAFT_DATABASE_URL.")
    return Finding("database", "ok", name)


def _asked(settings: Settings, name: str, ask: Callable[[Any], Finding]) -> Finding:
    """Return what a question to the database finds; nothing where there is none that answers."""
    from store.database import Database

    if _new_sqlite(settings):
        return Finding(name, "ok", "nothing yet: there is no database")
    database = Database.from_settings(settings)
    try:
        if not database.is_answering():
            hint = "Look at the database first."
            return Finding(name, "warn", "not known: the database does not answer", hint)
        with database.read() as session:
            return ask(session)
    finally:
        database.dispose()


def _migrations(settings: Settings) -> Finding:
    from store.schema import NEEDED_REVISION, is_behind, revision_of

    def ask(session: Any) -> Finding:
        revision = revision_of(session)
        detail = f"at {revision or 'none'}, this code needs {NEEDED_REVISION}"
        if is_behind(revision):
            hint = "Run `python -m migrations upgrade` (`graft serve` does it by itself)."
            return Finding("migrations", "fail", detail, hint)
        return Finding("migrations", "ok", detail)

    return _asked(settings, "migrations", ask)


def _clock(settings: Settings) -> Finding:
    from store.clock import now_of
    from store.columns import utc_now

    def ask(session: Any) -> Finding:
        skew = abs((now_of(session) - utc_now()).total_seconds())
        detail = f"{skew:.1f} s from the database's"
        if skew > _MOST_SKEW_SECONDS:
            hint = "Have all machines keep time by NTP."
            return Finding("clock", "warn", detail, hint)
        return Finding("clock", "ok", detail)

    return _asked(settings, "clock", ask)


def _workers(settings: Settings) -> Finding:
    from store.schema import is_behind, revision_of
    from store.workers import WorkerRegister

    def ask(session: Any) -> Finding:
        if is_behind(revision_of(session)):
            hint = "Run the migrations first."
            return Finding("workers", "warn", "not known: the schema is too old", hint)
        workers = WorkerRegister(session).living(_LIVING_SECONDS)
        queues = sorted({queue for worker in workers for queue in worker.queues})
        if not workers:
            hint = "Start `graft serve`, or `graft worker` where it is to compute."
            return Finding("workers", "warn", "none has given a sign of life lately", hint)
        paused = sorted({worker.paused for worker in workers if worker.paused})
        detail = f"{len(workers)} alive, on the queues {', '.join(queues)}"
        if paused:
            return Finding("workers", "warn", f"{detail}; paused: {'; '.join(paused)}", paused[0])
        return Finding("workers", "ok", detail)

    return _asked(settings, "workers", ask)


def _objects(settings: Settings) -> Finding:
    """Write, read and delete a small object."""
    from store.objects import Objects
    from store.room import local_objects

    folder = local_objects(settings)
    if folder is not None and not folder.exists():
        return Finding("file storage", "ok", "a directory, made at the first `graft serve`")
    where = urlsplit(settings.resolved_object_store_url())
    name = "a directory" if folder is not None else f"{where.scheme}://{where.netloc}"
    hint = "Look at GRAFT_OBJECT_STORE_URL, GRAFT_S3_… and the rights of the key or directory."
    content = secrets.token_bytes(64)
    key = f"doctor/{secrets.token_hex(8)}"
    what = "written"
    try:
        objects = Objects.from_settings(settings)
        with TemporaryDirectory() as scratch:
            path = Path(scratch) / "probe"
            path.write_bytes(content)
            objects.put_file(key, path)
        what = "read"
        is_same = b"".join(objects.iterate(key)) == content
        what = "deleted from"
        objects.delete(key)
    except OSError as error:
        detail = f"{name} cannot be {what}: {type(error).__name__}"
        return Finding("file storage", "fail", detail, hint)
    if not is_same:
        return Finding("file storage", "fail", f"{name} gave back other bytes", hint)
    return Finding("file storage", "ok", f"{name}: written, read and deleted")


def _broker(settings: Settings) -> Finding:
    from store.doorbell import Doorbell

    if "redis_url" not in settings.model_fields_set:
        return Finding("broker", "ok", "started by `graft serve` itself; see Valkey")
    host = urlsplit(settings.redis_url.get_secret_value()).hostname
    doorbell = Doorbell(settings)
    try:
        is_there = doorbell.is_answering()
    finally:
        doorbell.close()
    if not is_there:
        hint = "Look at GRAFT_REDIS_URL: address, password, and whether the server runs."
        return Finding("broker", "fail", f"the one on {host} does not answer", hint)
    return Finding("broker", "ok", f"the one on {host} answers")


def _service(settings: Settings) -> Finding:
    import httpx

    from graft.serving.data_dir import running_service

    service = running_service(settings.data_dir)
    if service is None:
        return Finding("service", "ok", "not running here; `graft serve` starts it")
    detail = f"{service.url}, process {service.pid}, version {service.version}"
    hint = f"Its logs are in {settings.data_dir / 'logs'}."
    try:
        # Ours, on this machine: no proxy stands between.
        with httpx.Client(timeout=10.0, trust_env=False) as client:
            answer = client.get(f"{service.url}/readyz").json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding("service", "fail", f"{detail}: {type(error).__name__}", hint)
    reasons = "; ".join(f"{one['code']}: {one['detail']}" for one in answer.get("reasons", []))
    status = answer.get("status")
    if status == "ready":
        return Finding("service", "ok", f"{detail}: ready")
    if status == "degraded":
        return Finding("service", "warn", f"{detail}: degraded: {reasons}", hint)
    return Finding("service", "fail", f"{detail}: not ready: {reasons}", hint)
