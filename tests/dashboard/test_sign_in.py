"""Coming in and going out, and what a stranger sees: nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from served_instance import environment

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


def test_a_wrong_key_lets_nobody_in(visit: Callable[..., Any], clinic: Any) -> None:
    stranger = visit(clinic.url)
    page = stranger.open("/jobs")
    # Whoever is not signed in is asked to, wherever they wanted to go.
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    # Nor is anything shown to somebody who goes on to another address.
    stranger.open("/models")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    stranger.open("/jobs")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Enter a key.")).to_be_visible()
    page.get_by_label("API key").fill("graft_" + "0" * 40)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This key is not known")
    stranger.check_accessibility()
    # With the right one they come to where they wanted to go.
    page.get_by_label("API key").fill(clinic.key)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("#/jobs$"))


def test_the_session_cannot_be_read_and_ends_when_one_signs_out(admin: Any, clinic: Any) -> None:
    page = admin.page
    (cookie,) = admin.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert "graft_session" in cookie["name"]
    assert clinic.key not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    # The heading may still be that of before one had signed in.
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert admin.context.request.get(f"{clinic.url}/v1/me").status == 401
    # Nor does the cookie of before let anybody in again.
    admin.context.add_cookies([cookie])
    assert admin.context.request.get(f"{clinic.url}/v1/me").status == 401


def test_nobody_is_told_that_they_are_out_while_they_are_in(admin: Any, clinic: Any) -> None:
    page = admin.page
    page.route("**/v1/session", lambda route: route.fulfill(status=503, json={"code": "x"}))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are still signed in").first).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert admin.context.request.get(f"{clinic.url}/v1/me").status == 200
    page.unroute("**/v1/session")
    page.get_by_role("button", name="Sign out").click()
    # The heading may still be that of before one had signed in.
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert admin.context.request.get(f"{clinic.url}/v1/me").status == 401


def test_an_address_cannot_have_the_page_ask_for_something_else(admin: Any, clinic: Any) -> None:
    page = admin.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/jobs/..%2Fme", "/models/..%2Fme", "/compare/x/..%2F..%2Fme", "/jobs/.."):
        admin.open(address)
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    assert not [url for url in asked if url.endswith(("/me", "/v1/"))]


def test_another_workspace_sees_nothing(visit: Callable[..., Any], clinic: Any) -> None:
    made = subprocess.run(
        [
            *(sys.executable, "-m", "graft", "workspaces", "create", "another clinic"),
            *("--data-dir", str(clinic.served.data_dir)),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = re.findall(r"graft_\w+", made.stdout)
    stranger = visit(clinic.url)
    stranger.sign_in(key)
    page = stranger.page
    expect(page.get_by_text("another clinic")).to_be_visible()
    for address in (
        f"/jobs/{clinic.job_id}",
        f"/jobs/{clinic.job_id}/results",
        f"/datasets/{clinic.dataset_id}",
        f"/models/{clinic.model_id}",
        f"/compare/{clinic.job_id}/{clinic.job_id}",
    ):
        stranger.open(address)
        page.reload()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Loading…")
        shown = page.inner_text("main")
        assert re.search(r"[Nn]o such|not be shown|another workspace", shown), (address, shown)
        for secret in ("small study", "InfoGAN", "malignant", "lesions"):
            assert secret not in shown, address


def test_the_first_view_is_there_at_once(visit: Callable[..., Any], clinic: Any) -> None:
    guest = visit(clinic.url)
    guest.sign_in(clinic.key)
    page = guest.page
    page.reload()
    expect(page.get_by_role("heading", name="What goes on")).to_be_visible()
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint < 1000, f"first paint after {paint:.0f} ms"
    guest.check_accessibility()


def test_korean_dark_and_narrow(visit: Callable[..., Any], clinic: Any) -> None:
    guest = visit(
        clinic.url,
        locale="ko-KR",
        color_scheme="dark",
        viewport={"width": 360, "height": 740},
    )
    page = guest.open("/sign-in")
    expect(page.get_by_role("heading", level=1)).to_have_text("로그인")
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.get_by_label("API 키").fill(clinic.key)
    page.get_by_role("button", name="로그인", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("진행 상황")
    guest.check_accessibility()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("언어").select_option("en")
    expect(page.get_by_role("heading", level=1)).to_have_text("What goes on")
    page.get_by_label("Light or dark").select_option("light")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    guest.check_accessibility()
