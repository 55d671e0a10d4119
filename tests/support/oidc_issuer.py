"""A small OpenID Connect issuer on loopback that signs whatever a test wants.

It keeps to the rules until it is told not to: it can fall silent, be slow, change its keys, and
say wrong things of itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE = "graft"


@cache
def private_key(name: str, kind: str = "rsa") -> Any:
    """A key that is made once a process: they take long."""
    assert name
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "weak":
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def public_jwk(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half of a key as a JWK."""
    algorithms: Any = jwt.algorithms
    if isinstance(key, rsa.RSAPrivateKey):
        maker = algorithms.RSAAlgorithm
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        maker = algorithms.ECAlgorithm
    else:
        maker = algorithms.OKPAlgorithm
    jwk: dict[str, Any] = maker.to_jwk(key.public_key(), as_dict=True)
    # PyJWT says what a key may do, which issuers seldom do.
    jwk.pop("key_ops", None)
    return jwk | ({} if kid is None else {"kid": kid}) | more


def part(value: Any) -> str:
    """One of a token's three parts."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned_token(claims: dict[str, Any], algorithm: str = "none", signature: str = "") -> str:
    """A token that nobody signed."""
    header = {"alg": algorithm, "typ": "JWT", "kid": "first"}
    return f"{part(header)}.{part(claims)}.{signature}"


def hmac_token(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """A token with an HMAC, which the library itself refuses to make with a public key."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{part(claims)}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def public_pem(key: Any) -> bytes:
    """The public half of a key as everybody can read it."""
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


@dataclass
class FakeIssuer:
    """The issuer, and what it is told to be."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""
    seconds: float = 0.0
    status: int = 200
    issuer: str | None = None
    jwks_uri: str | None = None
    raw: bytes | None = None
    """Answered instead of everything."""
    has_endpoints: bool = False
    """Whether it says where one signs in."""
    about: dict[str, Any] = field(default_factory=dict)
    """What it says of itself beside."""
    secret: str | None = "s3cret+ü"
    """Of the client; None: it is a public one."""
    id_token: str | None = None
    """Given for every code, in the place of one that fits."""
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    """Forms that came to the token endpoint."""

    def signs_with(self, *names: str) -> None:
        """Publish the RSA keys of these names, and no others."""
        self.keys = [public_jwk(private_key(name), name, alg="RS256", use="sig") for name in names]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims; a change to None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "mira",
            "name": "Dr. Mira",
            "iat": now,
            "exp": now + 300,
            "groups": ["physicians"],
        }
        return {k: v for k, v in (good | changes).items() if v is not None}

    def token(
        self,
        key: Any = None,
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token with good claims but for the changes."""
        return jwt.encode(
            self.claims(**changes),
            key if key is not None else private_key("first"),
            algorithm=algorithm,
            headers={"kid": "first"} | (headers or {}),
        )

    def answer(self, path: str) -> Any:
        """What a path is answered with."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer or self.url,
                "jwks_uri": self.jwks_uri or f"{self.url}/keys",
                **self._endpoints(),
                **self.about,
            }
        return {"keys": self.keys} if path == "/keys" else None

    def _endpoints(self) -> dict[str, str]:
        names = {"authorization_endpoint": "/authorize?tenant=1", "token_endpoint": "/token"}
        return {n: f"{self.url}{p}" for n, p in names.items()} if self.has_endpoints else {}

    def consent(self, address: str, **claims: Any) -> dict[str, str]:
        """Let somebody in who was sent to this address; return what goes back with the browser."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["tenant"] == "1", "the endpoint's own query stays"
        code = f"code-{len(self.codes)}"
        self.codes[code] = {"asked": asked, "claims": claims}
        return {"code": code, "state": asked["state"]}

    def redeem(self, form: dict[str, str], authorization: str | None) -> tuple[int, Any]:
        """Answer the token endpoint (RFC 6749, 4.1.3 and 5.2; RFC 7636, 4.6)."""
        self.redeemed.append(form)
        client_id = form.get("client_id")
        if self.secret is not None:
            given = form.get("client_secret")
            if authorization is not None:
                pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
                client_id, given = (unquote_plus(part) for part in pair.split(":"))
            if given != self.secret:
                return 401, {"error": "invalid_client"}
        kept = self.codes.get(form["code"])
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form["code_verifier"].encode()).digest()
        )
        if (
            kept is None
            or kept["asked"]["client_id"] != client_id
            or kept["asked"]["redirect_uri"] != form["redirect_uri"]
            or kept["asked"]["code_challenge_method"] != "S256"
            or kept["asked"]["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant"}
        del self.codes[form["code"]]
        good = {"aud": client_id, "nonce": kept["asked"]["nonce"]}
        token = self.id_token or self.token(**(good | kept["claims"]))
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}


@contextmanager
def running_issuer() -> Iterator[FakeIssuer]:
    """An issuer that signs with the key ``first``."""
    issuer = FakeIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            time.sleep(issuer.seconds)
            body = issuer.raw if issuer.raw is not None else _json(issuer.answer(self.path))
            self._answer(issuer.status, body)

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(sent).items()}
            status, told = issuer.redeem(form, self.headers.get("Authorization"))
            if issuer.status != 200 or issuer.raw is not None:
                self._answer(issuer.status, issuer.raw or b"{}")
            else:
                self._answer(status, _json(told))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the client had enough

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    issuer.signs_with("first")
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()
