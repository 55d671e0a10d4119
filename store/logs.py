"""Logs: one JSON object a line, with the ids bound to the work at hand.

A log line never holds a file name from an upload, a key, or pixel data.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from store.settings import Settings

_TALKATIVE = ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "python_multipart", "PIL")


def configure_logs(settings: Settings) -> None:
    """Send our own logs, and those of the libraries, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Both would print local variables beside a traceback, and with them keys and names.
    rendering: list[Any] = [
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
        structlog.processors.JSONRenderer(),
    ]
    if settings.log_format == "console":
        plain = structlog.dev.plain_traceback
        rendering = [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *rendering,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These would write whole addresses, headers and file names, and so names and secrets.
    for talkative in _TALKATIVE:
        logging.getLogger(talkative).setLevel(max(logging.WARNING, root.level))
    # Our own middleware writes a line a request; theirs would hold the query, and so names.
    logging.getLogger("uvicorn.access").disabled = True
    # They would write down where webhooks go, which a receiver may take for a secret.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
