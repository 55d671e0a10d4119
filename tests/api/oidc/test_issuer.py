"""The issuer's keys: asked for seldom, changed, and missed when it is silent."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oidc_issuer import FakeIssuer, private_key, public_jwk

from api.oidc import issuer as module
from api.oidc.issuer import Issuer, IssuerSilentError, usable_keys
from store.settings import Settings

DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = time.monotonic
        monkeypatch.setattr("api.oidc.issuer.time.monotonic", lambda: real() + self.ahead)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_keys_are_asked_for_once_and_not_once_a_request(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    for _ in range(5):
        assert person(issuer.token()).status_code == 200
    assert issuer.asked == [DISCOVERY, "/keys"]
    clock.ahead = 301
    assert person(issuer.token()).status_code == 200
    assert issuer.asked == [DISCOVERY, "/keys"] * 2


def test_a_new_key_is_found_and_an_old_one_forgotten(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    old = issuer.token()
    assert person(old).status_code == 200
    issuer.signs_with("first", "second")
    new = issuer.token(private_key("second"), headers={"kid": "second"})
    clock.ahead = 11
    assert person(new).status_code == 200
    assert person(old).status_code == 200, "both are published while the issuer changes over"
    issuer.signs_with("second")
    clock.ahead += 301
    assert person(new).status_code == 200
    assert person(old).json()["code"] == "token_invalid"


def test_unknown_keys_make_nobody_flood_the_issuer(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    for number in range(20):
        token = issuer.token(headers={"kid": f"made up {number}"})
        assert person(token).json()["code"] == "token_invalid"
    assert issuer.asked == [DISCOVERY, "/keys"]
    clock.ahead = 11
    for number in range(20):
        assert person(issuer.token(headers={"kid": f"another {number}"})).status_code == 401
    assert issuer.asked == [DISCOVERY, "/keys"] * 2


def test_a_token_without_a_key_id_is_taken_when_there_is_no_choice(
    issuer: FakeIssuer, oidc_settings: Settings
) -> None:
    issuer.keys = [public_jwk(private_key("first"), None)]
    found = Issuer(oidc_settings).key(None)
    assert found is not None
    issuer.signs_with("first", "second")
    assert Issuer(oidc_settings).key(None) is None


def test_a_new_key_under_the_name_of_an_old_one_is_found(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    assert person(issuer.token()).status_code == 200
    issuer.keys = [public_jwk(private_key("second"), "first")]
    new = issuer.token(private_key("second"))
    assert person(new).json()["code"] == "token_invalid", "the issuer was asked just now"
    clock.ahead = 11
    assert person(new).status_code == 200
    for _ in range(5):
        assert person(issuer.token()).json()["code"] == "token_invalid"
    assert issuer.asked == [DISCOVERY, "/keys"] * 2


def test_a_wrong_signature_is_wrong_though_the_issuer_is_silent(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    assert person(issuer.token()).status_code == 200
    issuer.status, clock.ahead = 500, 11
    assert person(issuer.token(private_key("second"))).json()["code"] == "token_invalid"
    assert len(issuer.asked) == 3


def _refusal(answer: Any) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["code"], answer.headers.get("retry-after", "")


UNAVAILABLE = (503, "issuer_unavailable", "5")


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 302},
        {"raw": b"<html>"},
        {"raw": b"[]"},
        {"raw": b"[" * 100_000},
        {"raw": b" " * 2_000_000},
        {"issuer": "http://127.0.0.1:1"},
        {"issuer": "with a slash at its end/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"jwks_uri": "http://user:secret@HERE/keys"},
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "AAAA", "kid": "first"}]},
    ],
    ids=str,
)
def test_an_issuer_that_answers_nonsense_is_503_and_keys_go_on_working(
    issuer: FakeIssuer, person: Any, admin_key: str, trouble: dict[str, Any]
) -> None:
    token = issuer.token()
    for name, value in trouble.items():
        here = issuer.url.removeprefix("http://")
        setattr(issuer, name, value.replace("HERE", here) if name == "jwks_uri" else value)
    assert _refusal(person(token)) == UNAVAILABLE
    assert person(admin_key).status_code == 200


def test_an_issuer_that_is_not_there_is_503_and_asked_again_later(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    issuer.status = 503
    token = issuer.token()
    for _ in range(5):
        assert _refusal(person(token)) == UNAVAILABLE
    assert issuer.asked == [DISCOVERY], "not once a request"
    issuer.status = 200
    clock.ahead = 6
    assert person(token).status_code == 200


def test_known_keys_are_good_for_a_while_without_the_issuer(
    issuer: FakeIssuer, person: Any, clock: Clock
) -> None:
    token = issuer.token()
    assert person(token).status_code == 200
    issuer.status = 500
    clock.ahead = 301
    assert person(token).status_code == 200
    new = issuer.token(private_key("second"), headers={"kid": "second"})
    assert _refusal(person(new)) == UNAVAILABLE, "the issuer may well have such a key by now"
    clock.ahead = 300 + 3600 + 1
    assert _refusal(person(token)) == UNAVAILABLE


def test_while_one_waits_for_a_slow_issuer_the_others_go_on_with_what_is_known(
    issuer: FakeIssuer, oidc_settings: Settings, clock: Clock
) -> None:
    keys = Issuer(oidc_settings)
    assert keys.key("first")
    issuer.seconds, clock.ahead = 0.4, 301
    waiting = threading.Thread(target=keys.key, args=["first"])
    waiting.start()
    while len(issuer.asked) < 3:
        time.sleep(0.01)
    started = time.perf_counter()
    for _ in range(50):
        assert keys.key("first")
    assert time.perf_counter() - started < 0.3
    waiting.join()
    assert len(issuer.asked) == 4


def test_few_wait_for_an_issuer_and_the_others_are_told_at_once(
    issuer: FakeIssuer, oidc_settings: Settings
) -> None:
    issuer.seconds = 0.5
    keys = Issuer(oidc_settings)
    started = time.perf_counter()

    def ask(_number: int) -> tuple[bool, float]:
        try:
            found = keys.key("first") is not None
        except IssuerSilentError:
            found = False
        return found, time.perf_counter() - started

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(30)))
    assert 1 <= sum(found for found, _ in answers) <= 8
    assert sum(seconds < 0.4 for _, seconds in answers) >= 22
    assert issuer.asked == [DISCOVERY, "/keys"]


def test_an_issuer_that_hangs_is_given_up(
    issuer: FakeIssuer, oidc_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.1)
    issuer.seconds = 0.6
    keys = Issuer(oidc_settings)
    started = time.perf_counter()
    with pytest.raises(IssuerSilentError):
        keys.key("first")
    assert time.perf_counter() - started < 0.5


def test_of_a_key_set_only_what_can_verify_is_kept() -> None:
    good = public_jwk(private_key("first"), "a")
    given: list[Any] = [
        7,
        {},
        {"kty": "RSA", "kid": "half"},
        {"kty": "EC", "crv": "secp256k1", "kid": "b"},
        {"kty": ["RSA"]},
        good | {"kid": 7},
        good | {"alg": "HS256"},
        good | {"n": "!"},
        good,
    ]
    assert [(key.kid, key.algorithms[0]) for key in usable_keys(given)] == [("a", "RS256")]
    nothings: list[Any] = [None, "x", {}, []]
    for nothing in nothings:
        assert usable_keys(nothing) == ()
