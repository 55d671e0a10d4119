"""Where webhooks may be sent: the rules against requests that are forged through the service.

Whoever may set a webhook makes the service speak to an address of their choice. It must not be one
inside the hospital's network, or of the machine itself, or of a cloud's metadata service. A URL is
looked at when it is set; the addresses that its name resolves to are looked at before every single
attempt, and the connection goes to an address that was looked at (see ``api.webhooks.posting``).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import httpx

from gan_core.spec.errors import GraftError
from store.settings import Settings

MAX_URL = 2000
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HTTPS = 443
_FIRST_HIGH_PORT = 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries (RFC 6890), multicast and what is reserved. Written out, because
# what the standard library calls global has changed between its releases.
_SPECIAL_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Only this part of IPv6 is given out; mapped, compatible and translated (NAT64) addresses, local,
# site-local and multicast ones lie outside. Teredo and 6to4 lie inside, and hide an IPv4 address.
_GIVEN_OUT_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = [
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]
_PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
# The metadata services of clouds that do not use a link-local address.
_METADATA = {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("fd20:ce::254")}


@dataclass(frozen=True)
class Target:
    """A URL that webhooks may be sent to, as far as can be said without resolving its name."""

    url: httpx.URL
    host: str
    """Lower case, ASCII, without brackets."""
    port: int
    is_tls: bool
    literal: Address | None
    """The host, where it is an address and no name."""
    is_here: bool
    """Whether it says itself that it is this machine."""


@dataclass(frozen=True)
class AddressRules:
    """Which receivers the operator allows.

    Args:
        allowed_hosts: Names that may have private addresses.
        allow_loopback: Whether receivers may be on this machine, without TLS, too.
    """

    allowed_hosts: frozenset[str] = frozenset()
    allow_loopback: bool = False

    @classmethod
    def from_settings(cls, settings: Settings) -> AddressRules:
        """Return the rules that the settings give."""
        names = (name.strip().lower() for name in settings.webhook_allowed_hosts.split(","))
        return cls(frozenset(filter(None, names)), settings.webhook_allow_loopback)

    def read(self, text: str) -> Target:
        """Return what a URL aims at.

        Raises:
            GraftError: ``webhook_url_invalid`` or ``webhook_url_refused``.
        """
        url = _parsed(text)
        host = url.raw_host.decode("ascii").lower().strip("[]")
        literal = _literal(host)
        if literal is None:
            _check_name(host)
        is_here = host == "localhost" or host.endswith(".localhost")
        is_here = is_here or (literal is not None and literal.is_loopback)
        if url.scheme == "http" and not (is_here and self.allow_loopback):
            raise _refused("Webhooks are sent over https only.")
        if is_here and not self.allow_loopback:
            raise _refused("The URL aims at the service's own machine.")
        port = url.port or (_HTTPS if url.scheme == "https" else 80)
        if port < _FIRST_HIGH_PORT and port != _HTTPS and not is_here:
            raise _refused("Webhooks are sent to port 443, or to one from 1024 on.")
        target = Target(url, host, port, url.scheme == "https", literal, is_here)
        if literal is not None and not self.may_connect(target, literal):
            raise _refused("The URL's address is not a public one.")
        return target

    def may_connect(self, target: Target, address: Address) -> bool:
        """Say whether an address that a target's name resolves to may be connected to."""
        if address.is_loopback:
            return self.allow_loopback and target.is_here
        if not target.is_tls:
            return False
        if is_public(address):
            return True
        return target.host in self.allowed_hosts and is_private(address)


def is_public(address: Address) -> bool:
    """Say whether an address belongs to a host of the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    if address.scope_id is not None or address not in _GIVEN_OUT_V6:
        return False
    return not any(address in network for network in _SPECIAL_V6)


def is_private(address: Address) -> bool:
    """Say whether an address may be a receiver's in a hospital's network (RFC 1918, RFC 4193)."""
    if address in _METADATA or getattr(address, "scope_id", None) is not None:
        return False
    return any(address.version == network.version and address in network for network in _PRIVATE)


def _parsed(text: str) -> httpx.URL:
    # Tabs, backslashes and the like are read in two ways by two readers.
    if not text.isprintable() or any(sign in text for sign in ' \\"<>^`{|}') or len(text) > MAX_URL:
        raise _invalid()
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise _invalid() from None
    authority = re.match(r"https?://([^/?#]*)", text, re.IGNORECASE)
    if authority is None or not url.raw_host or len(str(url)) > MAX_URL:
        raise _invalid()
    if "@" in authority[1] or url.userinfo:
        raise _refused("A webhook's URL holds no user name and no password.")
    if "#" in text:
        raise _refused("A webhook's URL holds no fragment.")
    if url.port is not None and not 0 < url.port < 65536:
        raise _invalid()
    return url


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid()
    # 127.1, 0x7f000001, 2130706433, 0177.0.0.1: addresses to a resolver, and names to a check.
    if _NUMBER.fullmatch(labels[-1]):
        raise _refused("The URL's host is neither a name nor an address in its usual form.")


def _invalid() -> GraftError:
    return GraftError(
        "webhook_url_invalid",
        "The URL of the webhook cannot be read.",
        "Give an absolute URL such as https://portal.example.org/graft, of at most 2000 signs.",
    )


def _refused(why: str) -> GraftError:
    return GraftError(
        "webhook_url_refused",
        why,
        "Give an https URL of a public host. For a receiver inside the hospital's network, the"
        " operator can name its host in GRAFT_WEBHOOK_ALLOWED_HOSTS.",
    )
