"""``python -m worker.cleaning``: delete what was deleted, what has expired, and what nobody needs.

The housekeeper of every worker starts it: at once where files are to be deleted, and each hour for
all the rest (``--all``). Any number may run at the same time.

It is a process of its own, because the object store's library has threads. The Celery parent, in
which the housekeeper lives, forks a new pool process whenever one dies, and its threads would not
survive that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import structlog

from store.database import Database
from store.logs import configure_logs
from store.objects import Objects
from store.orphans import remove_orphans
from store.removals import carry_out, remove_spent_uploads
from store.retention import expire, prune
from store.settings import Settings, keep_files_private
from store.upload_expiry import expire_uploads
from worker.copies import remove_copies
from worker.parent_death import die_with_parent

log = structlog.get_logger("worker.cleaning")  # also where it is the main module

_PAUSE_AFTER_FAILURE = 60.0
_STOP_SECONDS = 3.0


def clean(settings: Settings, database: Database, objects: Objects, *, everything: bool) -> None:
    """Clean up once.

    Args:
        settings: How long what is kept.
        database: What there is.
        objects: Where to delete.
        everything: Not only what is waiting to be deleted: also look for what has expired, and for
            objects that nothing refers to.

    Raises:
        OSError: The object store does not answer.
    """
    done = {}
    if everything:
        if settings.retention_days is not None:
            done["expired"] = expire(database, retention_days=settings.retention_days)
        done["pruned"] = prune(database)
        done["uploads_expired"] = expire_uploads(database)
    done["deleted"] = carry_out(database, objects)
    done["uploads"] = remove_spent_uploads(database, objects)
    if everything:
        done["orphans"] = remove_orphans(database, objects)
        done["copies"] = remove_copies(database, settings.resolved_cache_dir())
    if any(done.values()):
        log.info("cleaned", **done)


class CleaningProcess:
    """At most one such process, of a worker.

    Args:
        settings: The worker's. All but the data directory is in the environment already.
    """

    def __init__(self, settings: Settings) -> None:
        self._env = dict(os.environ) | {"GRAFT_DATA_DIR": str(settings.data_dir)}
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0
        self._owes_all = False

    def tend(self, *, has_removals: bool, is_hourly: bool) -> bool:
        """Start it when there is something to do, unless one is at work or has just failed.

        Args:
            has_removals: Whether anything waits to be deleted.
            is_hourly: Whether everything is due; what cannot be done now is made up for later.

        Returns:
            Whether it was started.
        """
        self._owes_all = self._owes_all or is_hourly
        if not (has_removals or self._owes_all):
            return False
        if self.is_running() or time.monotonic() < self._not_before:
            return False
        command = [sys.executable, "-m", "worker.cleaning", "--die-with-parent"]
        if self._owes_all:
            command.append("--all")
        self._process = subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL)
        self._owes_all = False
        return True

    def is_running(self) -> bool:
        """Say whether it is at work."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self._process = None
        if code != 0:
            self._not_before = time.monotonic() + _PAUSE_AFTER_FAILURE
        return False

    def stop(self) -> None:
        """End it. Whatever it was at, another goes on with."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def main() -> int:
    """Clean up once, with the settings of the environment; return 0 when all went well."""
    parser = argparse.ArgumentParser(prog="python -m worker.cleaning", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also look for what has expired")
    parser.add_argument("--die-with-parent", action="store_true")
    arguments = parser.parse_args()
    if arguments.die_with_parent:
        die_with_parent()
    keep_files_private()
    settings = Settings()
    configure_logs(settings)
    database = Database.from_settings(settings)
    try:
        clean(settings, database, Objects.from_settings(settings), everything=arguments.all)
    except Exception as error:  # noqa: BLE001 - the next one goes on where this one ended
        log.warning("cleaning_failed", reason=type(error).__name__)
        return 1
    finally:
        database.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
