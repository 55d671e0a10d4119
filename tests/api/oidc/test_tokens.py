"""Which tokens are believed."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from oidc_issuer import FakeIssuer, hmac_token, part, private_key, public_jwk, unsigned_token


def _is_refused(answer: Any, code: str = "token_invalid", says: str = "") -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (401, code), body
    assert says in body["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_good_token_says_who_asks(issuer: FakeIssuer, person: Any) -> None:
    me = person(issuer.token()).json()
    assert me["kind"] == "person"
    assert me["id"].startswith("usr_")
    assert (me["name"], me["workspace_name"]) == ("Dr. Mira", "default")
    assert me["scopes"] == ["reader", "researcher"]


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("rsa", "RS256"),
        ("rsa", "RS512"),
        ("rsa", "PS256"),
        ("p256", "ES256"),
        ("p384", "ES384"),
        ("ed25519", "EdDSA"),
    ],
)
def test_asymmetric_algorithms_are_taken(
    issuer: FakeIssuer, person: Any, kind: str, algorithm: str
) -> None:
    key = private_key("other", kind)
    issuer.keys = [public_jwk(key, "first")]
    assert person(issuer.token(key, algorithm)).status_code == 200


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+JWT", "jwt"])
def test_the_types_of_id_and_access_tokens_are_taken(
    issuer: FakeIssuer, person: Any, kind: str
) -> None:
    assert person(issuer.token(headers={"typ": kind})).status_code == 200


@pytest.mark.parametrize("kind", ["logout+jwt", "secevent+jwt", "dpop+jwt", "", "x" * 300, 7])
def test_other_types_are_not(issuer: FakeIssuer, person: Any, kind: Any) -> None:
    # The empty type is left out of the header by the library, which is allowed.
    answer = person(_signed(issuer, {"typ": kind}))
    assert answer.status_code == (200 if kind == "" else 401)


def _signed(issuer: FakeIssuer, headers: dict[str, Any]) -> str:
    """A token with a header as it is given, which the library would check."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    header = {"alg": "RS256", "kid": "first"} | headers
    signed = f"{part(header)}.{part(issuer.claims())}"
    signature = private_key("first").sign(signed.encode(), padding.PKCS1v15(), SHA256())
    return f"{signed}.{part(signature)}"


def test_a_token_that_has_expired_says_so(issuer: FakeIssuer, person: Any) -> None:
    now = int(time.time())
    _is_refused(person(issuer.token(exp=now - 31)), "token_expired")
    assert person(issuer.token(exp=now - 20)).status_code == 200, "clocks may differ a little"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"aud": "another service"}, "audience"),
        ({"aud": ["a", "b"]}, "audience"),
        ({"aud": None}, "`aud`"),
        ({"iss": "http://127.0.0.1:1"}, "issuer"),
        ({"iss": None}, "`iss`"),
        ({"sub": None}, "`sub`"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\u0000b"}, "sub"),
        ({"exp": None}, "`exp`"),
        ({"exp": "soon"}, "read"),
        ({"iat": None}, "`iat`"),
        ({"iat": 4e12}, "not valid yet"),
        ({"nbf": 4e12}, "not valid yet"),
        ({"typ": "Refresh"}, "bearer"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "bearer"),
        ({"cnf": {"jkt": "x"}}, "bound"),
    ],
)
def test_claims_that_do_not_fit_are_refused(
    issuer: FakeIssuer, person: Any, changes: dict[str, Any], says: str
) -> None:
    _is_refused(person(issuer.token(**changes)), says=says)


def test_an_audience_among_several_is_enough(issuer: FakeIssuer, person: Any) -> None:
    assert person(issuer.token(aud=["account", "graft"])).status_code == 200


def test_a_token_without_a_signature_is_refused(issuer: FakeIssuer, person: Any) -> None:
    for name in ("none", "None", "NONE", ""):
        for signature in ("", "AAAA"):
            token = unsigned_token(issuer.claims(), name, signature)
            _is_refused(person(token), says="algorithm")


def test_the_public_key_is_no_secret_to_sign_with(issuer: FakeIssuer, person: Any) -> None:
    public = private_key("first").public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(issuer.keys[0]).encode(),
        b"",
    ):
        _is_refused(person(hmac_token(issuer.claims(), secret, "first")), says="algorithm")


def test_a_symmetric_key_of_the_issuer_is_not_used(issuer: FakeIssuer, person: Any) -> None:
    secret = b"s" * 32
    issuer.keys.append({"kty": "oct", "kid": "shared", "k": part(secret), "alg": "HS256"})
    _is_refused(person(hmac_token(issuer.claims(), secret, "shared")))


def test_a_key_verifies_only_what_it_is_declared_for(issuer: FakeIssuer, person: Any) -> None:
    assert issuer.keys[0]["alg"] == "RS256"
    _is_refused(person(issuer.token(algorithm="PS256")), says="algorithm")


@pytest.mark.parametrize("more", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RSA-OAEP"}])
def test_a_key_for_another_use_is_not_used(
    issuer: FakeIssuer, person: Any, more: dict[str, Any]
) -> None:
    issuer.keys = [
        public_jwk(private_key("first"), "first", **more),
        public_jwk(private_key("second"), "second"),
    ]
    _is_refused(person(issuer.token()), says="no such key")


def test_a_short_key_is_not_trusted(issuer: FakeIssuer, person: Any) -> None:
    weak = private_key("weak", "weak")
    issuer.keys = [public_jwk(weak, "first")]
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token(weak)
    _is_refused(person(token))


def test_a_signature_of_somebody_else_is_refused(issuer: FakeIssuer, person: Any) -> None:
    _is_refused(person(issuer.token(private_key("second"))), says="signature")
    good = issuer.token()
    head, body, signature = good.split(".")
    _is_refused(person(f"{head}.{part(issuer.claims(groups=['leaders']))}.{signature}"))
    _is_refused(person(f"{head}.{body}.{part(b'x' * 256)}"), says="signature")


def test_no_key_is_taken_from_the_token_itself(issuer: FakeIssuer, person: Any) -> None:
    theirs = private_key("second")
    for header in (
        {"jwk": public_jwk(theirs, "second")},
        {"jku": f"{issuer.url}/evil", "kid": "evil"},
        {"x5u": f"{issuer.url}/evil"},
    ):
        _is_refused(person(issuer.token(theirs, headers=header)))
    assert "/evil" not in issuer.asked


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["x\r\nSet-Cookie: a=b"], "x\r\nSet-Cookie: a=b": 1},
        {"b64": False, "crit": ["b64"]},
        {"kid": 7},
        {"kid": ["first"]},
        {"alg": ["RS256"]},
        {"alg": None},
    ],
)
def test_headers_that_nobody_understands_are_refused(
    issuer: FakeIssuer, person: Any, header: dict[str, Any]
) -> None:
    answer = person(_signed(issuer, header))
    _is_refused(answer)
    assert "set-cookie" not in answer.headers
    assert "Set-Cookie" not in answer.text


DEEP = b"[" * 9000
LONG = b'{"alg": ' + b"9" * 5000 + b"}"


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "a.b.c",
        "e30.e30.e30",
        f"{part(DEEP)}.e30.e30",
        f"{part(b'[]')}.e30.e30",
        f"{part(LONG)}.e30.e30",
        "x" * 20_000 + ".e30.e30",
        "\xe9.\xe9.\xe9",
    ],
)
def test_what_is_no_token_is_refused_and_breaks_nothing(
    issuer: FakeIssuer, person: Any, text: str
) -> None:
    _is_refused(person(text))
    assert issuer.asked == [], "the issuer is not bothered with it"


def test_claims_that_are_signed_but_strange_break_nothing(issuer: FakeIssuer, person: Any) -> None:
    assert person(issuer.token(exp=10**30)).json()["expires_at"].startswith("9999")
    for groups in (7, {"a": 1}, [1, None, ["physicians"]], "nobody"):
        assert person(issuer.token(groups=groups)).json()["code"] == "no_workspace"
    assert person(issuer.token(groups="physicians")).status_code == 200
    strange = person(issuer.token(name="\ud800\u0000 " + "x" * 900))
    assert strange.status_code == 200
    assert strange.json()["name"] == "x" * 200 or len(strange.json()["name"]) <= 200
