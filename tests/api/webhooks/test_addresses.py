"""Where webhooks may be sent, and where never."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.webhooks.addresses import AddressRules, is_private, is_public
from gan_core.spec.errors import GraftError
from store.settings import Settings

PLAIN = AddressRules()
AT_HOME = AddressRules(frozenset({"portal.hospital.example"}), allow_loopback=False)
HERE = AddressRules(allow_loopback=True)

INSIDE = [
    "0.0.0.0",  # noqa: S104
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::10.0.0.1",
    "2001::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700:4700::1111"]


def code_of(rules: AddressRules, url: str) -> str | None:
    try:
        rules.read(url)
    except GraftError as error:
        return error.code
    return None


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_that_is_not_public_is_never_connected_to(text: str) -> None:
    address = ipaddress.ip_address(text)
    target = PLAIN.read("https://portal.example.org/")
    assert not is_public(address)
    assert not PLAIN.may_connect(target, address)
    bracketed = f"[{text}]" if address.version == 6 else text
    assert code_of(PLAIN, f"https://{bracketed}/") == "webhook_url_refused"


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_public_address_may_be_connected_to(text: str) -> None:
    target = PLAIN.read("https://portal.example.org/")
    assert PLAIN.may_connect(target, ipaddress.ip_address(text))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_python_calls_private_or_multicast_is_never_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_link_local or address.is_reserved:
        assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example.org/",
        "ftp://portal.example.org/",
        "https:///hook",
        "https:portal.example.org",
        "//portal.example.org/",
        "portal.example.org",
        "https://user@portal.example.org/",
        "https://user:pass@portal.example.org/",
        "https://@portal.example.org/",
        "https://portal.example.org\\@10.0.0.1/",
        "https://portal.example.org/#part",
        "https://portal.example.org:0/",
        "https://portal.example.org:99999/",
        "https://portal.example.org:22/",
        "https://portal.example.org:25/",
        "https://portal..example.org/",
        "https://portal.example.org./",
        "https://por tal.example.org/",
        "https://portal.example.org/a\tb",
        "https://portal.example.org/a\r\nHost: x",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://api.localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://1.2.3/",
        "https://example.0x7/",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[2606:4700::1111%25eth0]/",
        "https://１２７.0.0.1/",
        "https://①②⑦.0.0.1/",
        "http://127.0.0.1:8000/",
        "http://169.254.169.254/latest/meta-data/",
        "https://" + "a" * 2000 + ".example.org/",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_when_it_is_set(url: str) -> None:
    assert code_of(PLAIN, url) in {"webhook_url_invalid", "webhook_url_refused"}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Portal.Example.org/hook?token=1", "portal.example.org", 443),
        ("HTTPS://portal.example.org:8443/", "portal.example.org", 8443),
        ("https://münchen.example/", "xn--mnchen-3ya.example", 443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700::1111]:4443/", "2606:4700::1111", 4443),
    ],
)
def test_a_url_of_a_public_host_is_read(url: str, host: str, port: int) -> None:
    target = PLAIN.read(url)
    assert (target.host, target.port, target.is_tls) == (host, port, True)


def test_a_named_host_may_have_a_private_address_and_no_other_host_may() -> None:
    named = AT_HOME.read("https://portal.hospital.example/")
    for text in ("10.1.2.3", "192.168.0.9", "fd12:3456::1", "8.8.8.8"):
        assert AT_HOME.may_connect(named, ipaddress.ip_address(text))
    for text in ("127.0.0.1", "169.254.169.254", "fd00:ec2::254", "100.64.0.1", "fe80::1", "::1"):
        assert not AT_HOME.may_connect(named, ipaddress.ip_address(text))
    for other in ("https://x.portal.hospital.example/", "https://hospital.example/"):
        assert not AT_HOME.may_connect(AT_HOME.read(other), ipaddress.ip_address("10.1.2.3"))
    assert code_of(AT_HOME, "http://portal.hospital.example/") == "webhook_url_refused"


def test_loopback_is_for_trying_out_alone_and_for_hosts_that_say_they_are_here() -> None:
    here = ipaddress.ip_address("127.0.0.1")
    for url in ("http://127.0.0.1:9000/", "http://localhost:9000/", "https://p.localhost:9000/"):
        assert HERE.may_connect(HERE.read(url), here)
        assert code_of(PLAIN, url) == "webhook_url_refused"
    assert not HERE.may_connect(HERE.read("https://portal.example.org/"), here)
    without_tls = HERE.read("http://localhost:9000/")
    for text in ("8.8.8.8", "10.0.0.1", "169.254.169.254"):
        assert not HERE.may_connect(without_tls, ipaddress.ip_address(text))
    assert code_of(HERE, "http://portal.example.org/") == "webhook_url_refused"


def test_private_means_what_a_hospital_uses() -> None:
    assert is_private(ipaddress.ip_address("172.20.1.1"))
    assert not is_private(ipaddress.ip_address("8.8.8.8"))


def test_the_settings_give_the_rules() -> None:
    settings = Settings(
        webhook_allowed_hosts=" Portal.hospital.example, ,10.1.2.3 ", webhook_allow_loopback=True
    )
    rules = AddressRules.from_settings(settings)
    assert rules.allowed_hosts == {"portal.hospital.example", "10.1.2.3"}
    assert rules.allow_loopback
    assert rules.read("https://10.1.2.3/").host == "10.1.2.3"
    assert code_of(rules, "https://10.1.2.4/") == "webhook_url_refused"
