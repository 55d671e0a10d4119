"""One attempt: signed, pinned to an address that was looked at, and never longer than it may."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from webhook_receiver import Authority, Receiver, receiving

from api.webhooks.addresses import AddressRules
from api.webhooks.posting import Poster, ask_system, trust_of
from gan_core.spec.errors import GraftError
from store.settings import Settings
from store.webhook_queue import ClaimedDelivery, Outcome
from store.webhook_secrets import Sealer, new_secret

SEALER = Sealer("the service's own secret")
SECRET = new_secret()
HERE = AddressRules(allow_loopback=True)
TRUST = trust_of(Settings())


class Names:
    """A name server that answers what it is told, one answer after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answer


def claimed(url: str, *secrets: str) -> ClaimedDelivery:
    return ClaimedDelivery(
        id="dlv_1",
        token="t",
        webhook_id="wh_1",
        url=url,
        sealed_secrets=[SEALER.seal(secret) for secret in secrets or (SECRET,)],
        message_id="msg_1",
        type="job.succeeded",
        data={"status": "succeeded", "id": "job_1"},
        happened_at=datetime(2026, 5, 4, 3, 2, 1, 987_654, tzinfo=UTC),
    )


def post(
    url: str,
    *secrets: str,
    rules: AddressRules = HERE,
    names: Names | None = None,
    trust: ssl.SSLContext = TRUST,
    seconds: float = 5.0,
) -> Outcome:
    poster = Poster(rules, SEALER, trust, names or Names(["127.0.0.1"]), seconds)
    return asyncio.run(poster.post(claimed(url, *secrets)))


def test_a_message_is_what_the_specification_says_and_its_signature_can_be_verified() -> None:
    with receiving(Receiver()) as receiver:
        assert post(receiver.url(path="/hook?from=graft")) == Outcome(204)
    (got,) = receiver.got
    assert got.path == "/hook?from=graft"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "msg_1"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 30
    assert json.loads(got.body) == {
        "type": "job.succeeded",
        "timestamp": "2026-05-04T03:02:01.987Z",
        "data": {"id": "job_1", "status": "succeeded"},
    }
    assert Webhook(SECRET).verify(got.body, got.headers)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body + b" ", got.headers)


def test_while_a_secret_is_rotated_the_old_and_the_new_one_both_verify() -> None:
    new = new_secret()
    with receiving(Receiver()) as receiver:
        post(receiver.url(), new, SECRET)
    (got,) = receiver.got
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    for secret in (new, SECRET):
        Webhook(secret).verify(got.body, got.headers)


def test_a_secret_is_what_the_specification_asks_for() -> None:
    assert SECRET.startswith("whsec_")
    assert 24 <= len(base64.b64decode(SECRET.removeprefix("whsec_"))) <= 64


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (299, None),
        (301, "redirected"),
        (400, "status"),
        (410, "gone"),
        (500, "status"),
    ],
)
def test_two_hundreds_are_success_and_nothing_else_is(status: int, error: str | None) -> None:
    with receiving(Receiver(status=status)) as receiver:
        assert post(receiver.url()) == Outcome(status, error)


def test_a_redirect_to_a_metadata_service_is_not_followed() -> None:
    with receiving(Receiver()) as inside:
        for location in (inside.url(), "http://169.254.169.254/latest/meta-data/"):
            with receiving(Receiver(307, {"Location": location})) as receiver:
                assert post(receiver.url()) == Outcome(307, "redirected")
    assert inside.got == []


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "120", 120),
        (503, "7", 7),
        (503, " 99999999999 ", 999_999_999),
        (503, "soon", None),
        (503, "-5", None),
        (503, "Fri, 99 Foo 2026 99:99:99 GMT", None),
        (500, "120", None),
        (200, "120", None),
    ],
)
def test_patience_that_a_receiver_asks_for_is_read(
    status: int, asked: str, seconds: float | None
) -> None:
    with receiving(Receiver(status, {"Retry-After": asked})) as receiver:
        assert post(receiver.url()).retry_after == seconds


def test_patience_can_be_asked_for_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    with receiving(Receiver(503, {"Retry-After": date})) as receiver:
        asked = post(receiver.url()).retry_after
    assert asked is not None
    assert 580 < asked <= 600


def test_nobody_listening_is_a_failed_connection() -> None:
    with receiving(Receiver()) as receiver:
        url = receiver.url()
    assert post(url) == Outcome(error="connection_failed")


def test_a_receiver_that_hangs_up_is_a_failed_connection() -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    with receiving(Receiver(act=hang_up)) as receiver:
        assert post(receiver.url()) == Outcome(error="connection_failed")


def test_a_receiver_that_drips_is_not_waited_for() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100):
            handler.wfile.write(f"X-{number}: y\r\n".encode())
            handler.wfile.flush()
            time.sleep(0.05)

    with receiving(Receiver(act=drip)) as receiver:
        began = time.monotonic()
        assert post(receiver.url(), seconds=0.5) == Outcome(error="timeout")
        assert time.monotonic() - began < 3


def test_a_name_server_that_is_silent_is_not_waited_for() -> None:
    class Silent(Names):
        async def __call__(self, _host: str, _port: int) -> Sequence[str]:
            await asyncio.sleep(60)
            raise AssertionError

    names = Silent(["127.0.0.1"])
    assert post("http://localhost:9/", names=names, seconds=0.3) == Outcome(error="timeout")


def test_an_answer_without_end_is_not_read() -> None:
    def babble(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with receiving(Receiver(act=babble)) as receiver:
        began = time.monotonic()
        assert post(receiver.url()) == Outcome(200)
        assert time.monotonic() - began < 3


def test_headers_without_end_are_not_read() -> None:
    def babble(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-Long: " + b"x" * 65536 + b"\r\n")

    with receiving(Receiver(act=babble)) as receiver:
        assert post(receiver.url()) == Outcome(error="connection_failed")


@pytest.mark.parametrize(
    "answer",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["8.8.8.8", "192.168.0.1"],
        ["2606:4700::1111", "::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        ["127.0.0.1"],
        ["not an address"],
        [],
    ],
)
def test_a_name_that_leads_inside_is_refused_like_one_that_does_not_exist(
    answer: list[str],
) -> None:
    names = Names(answer)
    got = post("https://rebound.example.org/", names=names)
    assert got == Outcome(error="address_refused")


def test_a_name_is_resolved_once_an_attempt_and_looked_at_each_time() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with receiving(Receiver()) as receiver:
        url = receiver.url("portal.localhost")
        assert post(url, names=names) == Outcome(204)
        assert post(url, names=names) == Outcome(error="address_refused")
    assert names.asked == ["portal.localhost"] * 2
    assert len(receiver.got) == 1
    assert receiver.got[0].headers["host"] == f"portal.localhost:{receiver.port}"


def test_of_several_addresses_the_next_is_tried_when_one_cannot_be_reached() -> None:
    with receiving(Receiver()) as receiver:
        names = Names(["::1", "127.0.0.1"])
        assert post(receiver.url("portal.localhost"), names=names) == Outcome(204)
    assert len(receiver.got) == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(Receiver()) as proxy, receiving(Receiver()) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert post(receiver.url()) == Outcome(204)
    assert proxy.got == []


def test_tls_is_checked_by_the_name_though_the_connection_is_to_the_address(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    trust = trust_of(Settings(webhook_ca_file=authority.path))
    tls = authority.server_context("portal.localhost")
    with receiving(Receiver(), tls) as receiver:
        assert post(receiver.url("portal.localhost"), trust=trust) == Outcome(204)
        assert receiver.server_names == ["portal.localhost"]
        # Another name, or an authority that nobody named: the certificate proves nothing.
        other = receiver.url("other.localhost")
        assert post(other, trust=trust) == Outcome(error="tls_failed")
        assert post(receiver.url("portal.localhost")) == Outcome(error="tls_failed")
        assert post(receiver.url("127.0.0.1"), trust=trust) == Outcome(error="tls_failed")
    assert len(receiver.got) == 1
    assert receiver.got[0].headers["host"] == f"portal.localhost:{receiver.port}"


def test_a_receiver_without_tls_behind_an_https_url_fails() -> None:
    with receiving(Receiver()) as receiver:
        url = receiver.url("portal.localhost").replace("http:", "https:")
        assert post(url) == Outcome(error="tls_failed")
    assert receiver.got == []


def test_a_secret_of_another_service_cannot_be_read_and_says_so() -> None:
    elsewhere = Poster(HERE, Sealer("another secret"), TRUST, Names(["127.0.0.1"]))
    with receiving(Receiver()) as receiver:
        got = asyncio.run(elsewhere.post(claimed(receiver.url())))
    assert got == Outcome(error="secret_unreadable")
    assert receiver.got == []


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("not a certificate")
    for name in ("no.pem", "missing.pem"):
        with pytest.raises(GraftError) as caught:
            trust_of(Settings(webhook_ca_file=tmp_path / name, secret_key=SecretStr("x")))
        assert caught.value.code == "webhook_ca_unreadable"


def test_public_authorities_are_trusted() -> None:
    assert isinstance(TRUST, ssl.SSLContext)
    assert len(TRUST.get_ca_certs()) > 50
    assert httpx.create_ssl_context(trust_env=False).verify_mode is ssl.CERT_REQUIRED


def test_the_systems_resolver_is_asked_and_its_failure_is_one() -> None:
    assert "127.0.0.1" in asyncio.run(ask_system("127.0.0.1", 443))
    with pytest.raises(OSError, match=r".+"):
        asyncio.run(ask_system("a" * 64 + ".example", 443))


def test_a_resolver_that_never_answers_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        release.wait(30)
        return []

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask_system("portal.example.org", 443)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", hang)
        asyncio.run(ask())
        (thread,) = [t for t in threading.enumerate() if t.name == "webhook-name"]
        assert thread.daemon
        release.set()
        thread.join(10)
