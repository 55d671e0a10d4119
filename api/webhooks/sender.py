"""The sender: a thread of the API's process that delivers what is due.

It runs there, because the API can reach the outside and knows the service's secret; workers, which
hold patients' images, can do neither. Any number may run at once: who sends what is decided by
leases in the database. It has an event loop of its own, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import structlog

from api.webhooks.addresses import AddressRules
from api.webhooks.posting import Poster, trust_of
from store.database import Database
from store.settings import Settings
from store.webhook_queue import ClaimedDelivery, Outcome, WebhookQueue
from store.webhook_secrets import Sealer

AT_ONCE = 32
"""Attempts under way in one process."""
_LOOK_SECONDS = 1.0
_TROUBLE_SECONDS = 10.0
_NOTICE_STOP_SECONDS = 0.1
_GOODBYE_SECONDS = 2.0
_RECORD_TRIES = 4
_log = structlog.get_logger("api.webhooks")
_T = TypeVar("_T")


class WebhookSender:
    """Sends until it is stopped.

    Args:
        database: Where deliveries are.
        poster: Carries out attempts.
        look_seconds: How often to look for what is due.
    """

    def __init__(
        self, database: Database, poster: Poster, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._database = database
        self._poster = poster
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="webhook-rows")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    @classmethod
    def from_settings(cls, settings: Settings, database: Database) -> Self:
        """Return the sender that prepared settings describe.

        Raises:
            GraftError: ``webhook_ca_unreadable``.
        """
        if settings.secret_key is None:
            raise ValueError("prepare the settings first")
        sealer = Sealer(settings.secret_key.get_secret_value())
        rules = AddressRules.from_settings(settings)
        return cls(database, Poster(rules, sealer, trust_of(settings)))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way has two seconds more, and is then given back."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=3 * _GOODBYE_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        asyncio.run(self._send_until_stopped())

    async def _send_until_stopped(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            pause = self._look_seconds
            try:
                for claimed in await self._in_thread(lambda: self._claim(AT_ONCE - len(under_way))):
                    task = asyncio.create_task(self._deliver(claimed))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    pause = 0.0
            except Exception as error:  # noqa: BLE001  # the database may be back the next time
                _log.warning("webhooks_not_claimed", kind=type(error).__name__)
                pause = _TROUBLE_SECONDS
            await self._rest(pause, under_way)
        await self._say_goodbye(under_way)

    async def _rest(self, seconds: float, under_way: set[asyncio.Task[None]]) -> None:
        """Wait until it is time to look again: at once where a place has become free."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and not self._stopping.is_set():
            step = min(left, _NOTICE_STOP_SECONDS)
            if not under_way:
                await asyncio.sleep(step)
                continue
            done, _ = await asyncio.wait(
                under_way, timeout=step, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return

    @staticmethod
    async def _say_goodbye(under_way: set[asyncio.Task[None]]) -> None:
        if under_way:
            await asyncio.wait(under_way, timeout=_GOODBYE_SECONDS)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _claim(self, places: int) -> list[ClaimedDelivery]:
        if places <= 0:
            return []
        with self._database.read() as session:
            due = WebhookQueue(session).due(places)
        claimed = []
        for delivery_id in due:
            # One transaction each: two senders that hold some and want others would wait for ever.
            with self._database.write() as session:
                found = WebhookQueue(session).claim(delivery_id)
            if found is not None:
                claimed.append(found)
        return claimed

    async def _deliver(self, claimed: ClaimedDelivery) -> None:
        try:
            outcome = await self._poster.post(claimed)
        except asyncio.CancelledError:
            await self._give_back(claimed)
            raise
        except Exception as error:  # noqa: BLE001  # one delivery must not end the sender
            # Its text might hold the URL.
            _log.error("webhook_broke", delivery_id=claimed.id, kind=type(error).__name__)
            outcome = Outcome(error="internal")
        await self._record(claimed, outcome)

    async def _record(self, claimed: ClaimedDelivery, outcome: Outcome) -> None:
        """Write down how an attempt ended; where that fails, the lease ends and it is sent again.

        The receiver then gets the message a second time, with the same ``webhook-id``.
        """
        for number in range(1, _RECORD_TRIES + 1):
            try:
                because = await self._in_thread(lambda: self._write_down(claimed, outcome))
            except Exception as error:  # noqa: BLE001  # of any driver
                _log.warning("webhook_not_recorded", kind=type(error).__name__)
                await asyncio.sleep(number)
            else:
                self._log_outcome(claimed, outcome, because)
                return

    def _write_down(self, claimed: ClaimedDelivery, outcome: Outcome) -> str | None:
        with self._database.write() as session:
            return WebhookQueue(session).record(claimed, outcome)

    async def _give_back(self, claimed: ClaimedDelivery) -> None:
        def release() -> None:
            with self._database.write() as session:
                WebhookQueue(session).release(claimed)

        try:
            await self._in_thread(release)
        except Exception as error:  # noqa: BLE001  # its lease will end
            _log.warning("webhook_not_released", kind=type(error).__name__)

    @staticmethod
    def _log_outcome(claimed: ClaimedDelivery, outcome: Outcome, because: str | None) -> None:
        # Never the URL, which may hold a secret of its own.
        _log.info(
            "webhook_sent" if outcome.error is None else "webhook_failed",
            webhook_id=claimed.webhook_id,
            delivery_id=claimed.id,
            type=claimed.type,
            status=outcome.status_code,
            error=outcome.error,
        )
        if because is not None:
            _log.warning("webhook_disabled", webhook_id=claimed.webhook_id, because=because)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
