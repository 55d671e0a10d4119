"""One attempt at a delivery: resolve, look at the addresses, connect to one of them, post.

The name is resolved once. The request goes to the address, with the name in ``Host``, in the TLS
handshake and in the check of the certificate, so that a name server that answers differently the
next time gains nothing. Nothing that the receiver says is kept but the status.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks.webhooks import Webhook as Signer

from api.webhooks.addresses import Address, AddressRules, Target
from gan_core.spec.errors import GraftError
from store.settings import Settings
from store.webhook_queue import ClaimedDelivery, Outcome
from store.webhook_secrets import Sealer, SecretUnreadableError

TOTAL_SECONDS = 15.0
"""For everything, from the name to the status: Standard Webhooks recommends 15 to 30."""
_CONNECT_SECONDS = 5.0
_MOST_ADDRESSES = 4
_ASKS_FOR_PATIENCE = frozenset({429, 502, 503, 504})

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a name and a port to addresses; raises OSError where there are none."""


async def ask_system(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as the system's resolver knows them.

    It may block for half a minute, and nothing can end it: so it is asked in a thread of its own
    that the end of the process does not wait for. Attempts are few, and so are these threads.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def say(found: Sequence[str] | OSError) -> None:
        if answer.done():  # nobody waits any more
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Sequence[str] | OSError
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except OSError as error:
            found = error
        except UnicodeError:
            found = OSError("not a name")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(say, found)

    threading.Thread(target=ask, name="webhook-name", daemon=True).start()
    return await answer


class Poster:
    """Carries out attempts.

    Args:
        rules: Where messages may be sent.
        sealer: For the signing secrets.
        trust: Which authorities receivers' certificates may come from.
        resolve: How names become addresses.
        total_seconds: How long an attempt may take.
    """

    def __init__(
        self,
        rules: AddressRules,
        sealer: Sealer,
        trust: ssl.SSLContext,
        resolve: Resolver = ask_system,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._rules = rules
        self._sealer = sealer
        self._trust = trust
        self._resolve = resolve
        self._total_seconds = total_seconds

    async def post(self, claimed: ClaimedDelivery) -> Outcome:
        """Send a message once; whatever happens is an outcome."""
        body = body_of(claimed)
        try:
            headers = signed_headers(claimed, body, self._sealer, datetime.now(UTC))
            async with asyncio.timeout(self._total_seconds):
                target = self._rules.read(claimed.url)
                addresses = await self._addresses(target)
                return await self._send(target, addresses, headers, body)
        except SecretUnreadableError:
            return Outcome(error="secret_unreadable")
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(error="timeout")
        except GraftError:
            return Outcome(error="address_refused")
        except (httpx.TransportError, OSError, ValueError) as error:
            return Outcome(error=_code_of(error))

    async def _addresses(self, target: Target) -> list[Address]:
        """Return the addresses of a target, all of which may be connected to.

        That a name is not known and that it leads inside are one answer: it is nobody's business
        which names there are in the network of the service.
        """
        if target.literal is not None:
            return [target.literal]
        try:
            found = await self._resolve(target.host, target.port)
            addresses = [ipaddress.ip_address(text) for text in found]
        except (OSError, ValueError):
            addresses = []
        if not addresses or not all(self._rules.may_connect(target, a) for a in addresses):
            raise GraftError("address_refused", "The receiver's address is not allowed.")
        return addresses[:_MOST_ADDRESSES]

    async def _send(
        self, target: Target, addresses: list[Address], headers: dict[str, str], body: bytes
    ) -> Outcome:
        for number, address in enumerate(addresses, 1):
            try:
                return await self._send_to(address, target, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # Nothing was sent, so the next address cannot get it a second time.
                if number == len(addresses):
                    raise
        raise AssertionError("there is always an address")

    async def _send_to(
        self, address: Address, target: Target, headers: dict[str, str], body: bytes
    ) -> Outcome:
        # A client for one request: a connection that was checked for one name must never carry a
        # request for another that has the same address.
        async with httpx.AsyncClient(
            verify=self._trust,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._total_seconds, connect=_CONNECT_SECONDS),
        ) as client:
            extensions = {"sni_hostname": target.host} if target.literal is None else {}
            request = client.build_request(
                "POST",
                target.url.copy_with(host=str(address)),
                content=body,
                headers=headers | {"Host": target.url.netloc.decode("ascii")},
                extensions=extensions,
            )
            # The answer's body is not read at all: it could be long, and is nobody's business.
            response = await client.send(request, stream=True)
            await response.aclose()
            return _judged(response.status_code, response.headers.get("Retry-After"))


def trust_of(settings: Settings) -> ssl.SSLContext:
    """Return the authorities that the settings trust.

    Raises:
        GraftError: ``webhook_ca_unreadable``.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if settings.webhook_ca_file is not None:
        try:
            context.load_verify_locations(cafile=settings.webhook_ca_file)
        except OSError as error:  # ssl.SSLError is one, too
            raise GraftError(
                "webhook_ca_unreadable",
                "The certificates that GRAFT_WEBHOOK_CA_FILE names cannot be read.",
                "Give a file of certificates in PEM form, or unset the variable.",
            ) from error
    return context


def body_of(claimed: ClaimedDelivery) -> bytes:
    """Return the payload, the same at every attempt."""
    happened_at = claimed.happened_at.astimezone(UTC)
    payload = {
        "type": claimed.type,
        "timestamp": happened_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": claimed.data,
    }
    return json.dumps(payload, separators=(",", ":"), sort_keys=True).encode()


def signed_headers(
    claimed: ClaimedDelivery, body: bytes, sealer: Sealer, now: datetime
) -> dict[str, str]:
    """Return the headers of an attempt, signed with every secret that is valid.

    Raises:
        SecretUnreadableError: None of them can be decrypted.
    """
    signatures = []
    for sealed in claimed.sealed_secrets:
        try:
            signer = Signer(sealer.open(sealed))
        except SecretUnreadableError:
            continue
        signatures.append(signer.sign(claimed.message_id, now, body.decode()))
    if not signatures:
        raise SecretUnreadableError
    return {
        "Content-Type": "application/json",
        "User-Agent": "Graft-Webhooks/1",
        "Accept-Encoding": "identity",
        "webhook-id": claimed.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _judged(status: int, retry_after: str | None) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        return Outcome(status, "redirected")
    patience = _seconds_in(retry_after) if status in _ASKS_FOR_PATIENCE else None
    return Outcome(status, "gone" if status == 410 else "status", patience)


def _seconds_in(retry_after: str | None) -> float | None:
    """Read a ``Retry-After`` (RFC 9110, 10.2.3): seconds or a date; null: none that can be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        left = moment.astimezone(UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, left.total_seconds())


def _code_of(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        cause = cause.__cause__ or cause.__context__
    return "connection_failed"
