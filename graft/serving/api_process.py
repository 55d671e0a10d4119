"""The API's process: ``python -m graft.serving.api_process FD`` with a socket to listen on."""

from __future__ import annotations

import socket
import sys

_GOODBYE_SECONDS = 5


def main() -> None:
    """Serve on the socket that the supervisor holds.

    The supervisor keeps it open, so that a restart of this process refuses no connection.
    """
    import uvicorn

    from api.app import create_app
    from api.serving import server_options
    from gan_core.spec.errors import GraftError
    from store.logs import configure_logs
    from store.settings import Settings, prepare

    listening = socket.socket(fileno=int(sys.argv[1]))
    try:
        settings = prepare(Settings())
        configure_logs(settings)
        app = create_app(settings, sends_webhooks=True)
    except GraftError as error:
        sys.exit(f"error: {error}")
    config = uvicorn.Config(
        app,
        **server_options(),
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
