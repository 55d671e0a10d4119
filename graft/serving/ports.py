"""Ports: held from before the first child starts until after the last has ended."""

from __future__ import annotations

import errno
import socket

from gan_core.spec.errors import GraftError

DEFAULT_PORT = 8471
_TRIED = 50


def listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket.

    Args:
        host: Address to listen on.
        port: The one that was asked for (0: any that is free); None: ``DEFAULT_PORT`` or the
            next that is free.

    Raises:
        GraftError: ``port_in_use``, ``port_not_allowed`` or ``host_unusable``.
    """
    if port is not None:
        return _bind(host, port)
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _TRIED):
        try:
            return _bind(host, candidate)
        except GraftError as error:
            if error.code != "port_in_use":
                raise
    return _bind(host, 0)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose last user has just left can be taken again at once.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise _explained(error, host, port) from error
    return listening


def _explained(error: OSError, host: str, port: int) -> GraftError:
    if error.errno == errno.EADDRINUSE:
        return GraftError(
            "port_in_use",
            f"Port {port} on {host} is in use by another program.",
            "Choose another with --port, or leave it out and a free one is found.",
        )
    if error.errno == errno.EACCES:
        return GraftError(
            "port_not_allowed",
            f"Port {port} may not be used without special rights.",
            "Choose one above 1023 with --port.",
        )
    return GraftError(
        "host_unusable",
        f"The service cannot listen on {host}: {error.strerror or error}.",
        "Choose an address of this machine with --host.",
    )


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def url_of(listening: socket.socket) -> str:
    """Return the address under which a listening socket is reached on this machine."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
