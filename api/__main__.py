"""``python -m api``: the API alone, as the deployed form runs it.

The address is ``GRAFT_HOST`` and ``GRAFT_PORT``; the migrations have been run before. ``graft
serve`` starts the API in another way, beside everything else that it needs.
"""

from __future__ import annotations

import sys

import uvicorn

from api.app import create_app
from api.serving import server_options
from gan_core.spec.errors import GraftError
from store.bootstrap import ensure_admin
from store.database import Database
from store.logs import configure_logs
from store.settings import Settings, keep_files_private, prepare

# Longer than any request but a download takes; less than the container's stop grace.
_GOODBYE_SECONDS = 20


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    try:
        settings = prepare(Settings())
        keep_files_private()
        configure_logs(settings)
        database = Database.from_settings(settings)
        try:
            ensure_admin(database, settings)
        finally:
            database.dispose()
        app = create_app(settings, sends_webhooks=True)
    except GraftError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        **server_options(),
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
