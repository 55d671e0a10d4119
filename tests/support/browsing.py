"""A real browser on the page: Debian's Chromium, driven by Playwright.

Nothing is fetched: the browser is the system's. Where there is none, tests that need one are
skipped and say so; in continuous integration (``CI`` is set) they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# WCAG 2.2 AA, and what it builds upon.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_PATIENCE = 20_000  # milliseconds
# What the browser says of an answer that a test has asked for: wrong keys, other's jobs.
_TOLD_OF_AN_ANSWER = "Failed to load resource: the server responded with a status of"


def browser_path() -> str:
    """Return the path of the browser; skip the test, or in CI fail it, where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        missing = f"no browser was found ({', '.join(_NAMES)}); Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser without a window, and end it."""
    path = browser_path()
    # As long as every other wait: what is expected comes late where much else runs.
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One person's browser: a page, and what went wrong in it."""

    context: BrowserContext
    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def open(self, address: str = "/") -> Page:
        """Show an address of the page: ``/jobs``."""
        self.page.goto(f"{self.url}/#{address}")
        return self.page

    def sign_in(self, key: str) -> Page:
        """Sign in with a key, as a person does."""
        page = self.open("/sign-in")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("button", name="Sign out").wait_for()
        return page

    def check_accessibility(self) -> None:
        """Have axe look at what is shown now; no violation is accepted."""
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": _RULES}})
        told = [
            f"{one['id']} ({one['impact']}): {one['help']}: "
            + "; ".join(str(node["target"]) for node in one["nodes"][:4])
            for one in found.response["violations"]
        ]
        assert not told, "\n".join(told)

    def check_trouble(self) -> None:
        """Fail when the console had an error, or anything was asked of another host."""
        assert not self.troubles, "\n".join(self.troubles)


@contextmanager
def visiting(browser: Browser, url: str, **options: object) -> Iterator[Visit]:
    """Open the browser for somebody who has never been here; at the end look for trouble.

    Args:
        browser: Launched.
        url: Of the service.
        options: Of Playwright's ``new_context``: ``color_scheme``, ``locale``, ``viewport``.
    """
    given = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
    context = browser.new_context(**given)  # type: ignore[arg-type]
    # A test that waits for longer says so itself.
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    visit = Visit(context, page, url)
    home = urlsplit(url).netloc

    def on_request(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != home:
            visit.troubles.append(f"asked another host: {address}")

    def on_console(kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(_TOLD_OF_AN_ANSWER):
            visit.troubles.append(f"console: {text}")

    context.on("request", lambda request: on_request(request.url))
    page.on("console", lambda message: on_console(message.type, message.text))
    page.on("pageerror", lambda error: visit.troubles.append(f"error: {error}"))
    try:
        yield visit
        visit.check_trouble()
    finally:
        context.close()
