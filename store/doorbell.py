"""Ringing for a step: a Celery message that holds the step's id and nothing else.

The database is the truth and Redis a doorbell: a ring that is lost is rung again by the sweeper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from store.settings import Settings

TASK_NAME = "graft.run_step"
QUEUES = ("interactive", "gpu", "cpu")
_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 2.0


def listened_to(queues: Sequence[str]) -> list[str]:
    """Return the queues of a worker that was told to work on some.

    Whoever works on ``cpu`` works on ``interactive``, too: what a person waits for at the screen is
    carried out wherever there was no need of a GPU before there was such a queue.
    """
    wanted = set(queues) | ({"interactive"} if "cpu" in queues else set())
    return [queue for queue in QUEUES if queue in wanted]


class DoorbellSilent(Exception):  # noqa: N818  # it is a state of the broker, not an error of ours
    """The broker does not answer."""


def transport_options(settings: Settings) -> dict[str, Any]:
    """Return Celery's ``broker_transport_options``, the same for those who ring and who listen.

    All apps on one broker share the shortest visibility timeout, so it must be the same in all.
    A step that takes longer is delivered once more, and then found taken.
    """
    return {
        "visibility_timeout": settings.max_step_seconds + 3600,
        "socket_keepalive": True,
        "health_check_interval": 30,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }


class Doorbell:
    """Sends messages to the workers' queues. May be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        # A third of a second, which a process that never rings need not wait for.
        from celery import Celery  # noqa: PLC0415

        self._url = settings.redis_url.get_secret_value()
        self._app = Celery("graft-doorbell", broker=self._url, set_as_current=False)
        self._app.conf.update(
            broker_connection_timeout=_CONNECT_SECONDS,
            broker_transport_options=transport_options(settings)
            | {
                "socket_connect_timeout": _CONNECT_SECONDS,
                "socket_timeout": _ANSWER_SECONDS,
                "max_retries": 0,
            },
            task_ignore_result=True,
            result_backend=None,
        )

    def ring(self, queue: str, step_id: str) -> None:
        """Send the message.

        Raises:
            DoorbellSilent: The broker does not answer; nothing was sent.
        """
        from kombu.exceptions import OperationalError  # noqa: PLC0415

        try:
            self._app.send_task(
                TASK_NAME, args=[step_id], queue=queue, retry=False, ignore_result=True
            )
        except (OperationalError, OSError) as error:
            raise DoorbellSilent("the broker does not answer") from error

    def is_answering(self) -> bool:
        """Say whether the broker answers now."""
        from redis import Redis  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        try:
            client = Redis.from_url(
                self._url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_CONNECT_SECONDS
            )
            with client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
