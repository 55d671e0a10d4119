"""What other sites may have a browser send, and what comes of it: nothing."""

from __future__ import annotations

from typing import Any

import pytest

KEY = {"name": "forged"}


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


FORGED = (403, "csrf_failed")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Graft-CSRF": "TOKEN", "Sec-Fetch-Site": "cross-site"},
        {"Graft-CSRF": "TOKEN", "Sec-Fetch-Site": "same-site"},
        {"Graft-CSRF": "TOKEN", "Sec-Fetch-Site": ""},
        {"Graft-CSRF": "TOKEN", "Origin": "http://evil.example"},
        {"Graft-CSRF": "TOKEN", "Origin": "http://testserver.evil.example"},
        {"Graft-CSRF": "TOKEN", "Origin": "http://testserver:8080"},
        {"Graft-CSRF": "TOKEN", "Origin": "null"},
        {"Graft-CSRF": "TOKEN", "Origin": "http://[::1"},
        {"Graft-CSRF": "TOKEN", "Origin": "", "Sec-Fetch-Site": "same-origin"},
        {"Graft-CSRF": "TOKE"},
        {"Graft-CSRF": "TOKEN, TOKEN"},
    ],
    ids=str,
)
def test_a_forged_request_makes_no_key(signed_in: Any, headers: dict[str, str]) -> None:
    real = signed_in.token
    sent = {name: value.replace("TOKE", real[:-1]) for name, value in headers.items()}
    if headers.get("Graft-CSRF") == "TOKEN":
        sent["Graft-CSRF"] = real
    before = signed_in.client.get("/v1/keys").json()
    assert _refusal(signed_in.client.post("/v1/keys", json=KEY, headers=sent)) == FORGED
    assert [key["id"] for key in signed_in.client.get("/v1/keys").json()["items"]] == [
        key["id"] for key in before["items"]
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://testserver"},
        {"Origin": "http://testserver:80"},
        # Behind a proxy that ends TLS and does not say so.
        {"Origin": "https://testserver"},
        # The page's own policy is to send no referrer.
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_what_the_page_sends_is_carried_out(signed_in: Any, headers: dict[str, str]) -> None:
    sent = {"Graft-CSRF": signed_in.token} | headers
    assert signed_in.client.post("/v1/keys", json=KEY, headers=sent).status_code == 201


def test_a_token_that_is_no_ascii_is_wrong_and_no_error(signed_in: Any) -> None:
    headers = {b"Graft-CSRF": "ß".encode()}
    assert _refusal(signed_in.client.post("/v1/keys", json=KEY, headers=headers)) == FORGED


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_no_site_signs_a_browser_in_as_somebody_else(
    browser: Any, admin_key: str, headers: dict[str, str]
) -> None:
    """Whoever did not notice would upload their images into another's workspace."""
    answer = browser.sign_in(admin_key, **headers)
    assert _refusal(answer) == FORGED
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_a_form_signs_nobody_in(browser: Any, admin_key: str, content_type: str | None) -> None:
    """Forms, and beacons without a type, are what any page can send without being asked first."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = f'{{"key": "{admin_key}"}}'.encode()
    answer = browser.client.post("/v1/session", content=body, headers=headers)
    assert _refusal(answer) == (415, "media_type_unsupported")
    assert "set-cookie" not in answer.headers


def test_looking_needs_no_token_but_shows_other_sites_nothing(signed_in: Any) -> None:
    for method in ("GET", "HEAD"):
        path = "/v1/artifacts/art_x/content"
        assert signed_in.client.request(method, path).status_code == 404
        for site in ("cross-site", "same-site"):
            headers = {"Sec-Fetch-Site": site}
            assert signed_in.client.request(method, path, headers=headers).status_code == 403
    answer = signed_in.client.get("/v1/session", headers={"Sec-Fetch-Site": "cross-site"})
    assert _refusal(answer) == FORGED
    assert signed_in.token not in answer.text


def test_signing_out_needs_the_token(signed_in: Any) -> None:
    for headers in ({}, {"Graft-CSRF": signed_in.token, "Sec-Fetch-Site": "cross-site"}):
        answer = signed_in.client.delete("/v1/session", headers=headers)
        assert _refusal(answer) == FORGED
    assert signed_in.ask("GET", "/v1/me").status_code == 200


def test_a_script_of_an_origin_that_is_let_in_gets_no_cookie_along(
    settings: Any, open_browser: Any, admin_key: str
) -> None:
    from api.app import create_app

    portal = "https://portal.example"
    app = create_app(settings.model_copy(update={"cors_origins": [portal]}))
    browser = open_browser(app)
    answer = browser.sign_in(admin_key, Origin=portal)
    assert _refusal(answer) == FORGED
    assert "access-control-allow-credentials" not in answer.headers
