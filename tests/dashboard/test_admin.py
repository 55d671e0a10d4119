"""Administration on the page: keys, webhooks, limits, the audit trail, workers."""

from __future__ import annotations

import re
import secrets
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

SECONDS = 1000


def _show(page: Page, tab: str) -> Locator:
    page.get_by_role("tab", name=tab).click()
    return page.get_by_role("tabpanel", name=tab)


def _secret(page: Page, label: str) -> str:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Shown this once.")).to_be_visible()
    text = dialog.get_by_label(label).input_value()
    dialog.get_by_role("button", name="I have put it away").click()
    # Nothing of the page holds it any more.
    assert text not in page.content()
    return text


def _status(url: str, key: str) -> int:
    return httpx.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_made_replaced_and_revoked_and_the_trail_says_so(admin: Any, clinic: Any) -> None:
    name = f"A portal {secrets.token_hex(3)}"
    page = admin.open("/admin")
    expect(page.get_by_role("row", name=re.compile("first administrator yours"))).to_be_visible()
    admin.check_accessibility()
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog", name="New key")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.get_by_text("Enter a name.")).to_be_visible()
    admin.check_accessibility()
    dialog.get_by_label("Whom or what it is for").fill(name)
    dialog.get_by_label("Reader").check()
    dialog.get_by_role("button", name="Make the key").click()
    first = _secret(page, "API key")
    me = httpx.get(f"{clinic.url}/v1/me", headers={"Authorization": f"Bearer {first}"}).json()
    assert (me["name"], me["scopes"]) == (name, ["reader"])

    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("button", name="Replace").click()
    dialog = page.get_by_role("dialog", name=re.compile("Replace"))
    dialog.get_by_label("The old one works on for").select_option("not at all")
    dialog.get_by_role("button", name="Replace").click()
    second = _secret(page, "API key")
    assert (_status(clinic.url, first), _status(clinic.url, second)) == (401, 200)

    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert _status(clinic.url, second) == 401
    page.get_by_label("Show revoked and expired ones, too").check()
    expect(row).to_have_count(2)

    trail = _show(page, "Audit trail")
    trail.get_by_label("Action").select_option("Keys: all")
    expect(trail.get_by_role("row").nth(1)).to_contain_text("Key revoked")
    trail.get_by_role("row").nth(1).get_by_role("button", name="Details").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Line"))
    expect(dialog.get_by_text("key.revoke")).to_be_visible()
    admin.check_accessibility()
    dialog.get_by_role("button", name="Close").click()
    # What is filtered stands in the address, and is there again when one comes back.
    page.reload()
    expect(page.get_by_label("Action")).to_have_value("key.*")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the trail").click()
    assert '"key.revoke"' in download.value.path().read_text()
    admin.check_accessibility()


def test_a_webhook_is_made_tested_changed_and_deleted(admin: Any) -> None:
    url = f"https://portal.example.org/{secrets.token_hex(3)}"
    page = admin.open("/admin?tab=webhooks")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog", name="New webhook")
    address = dialog.get_by_label("Address")
    address.fill("http://127.0.0.1/inside")
    dialog.get_by_role("button", name="Make the webhook").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    address.fill(url)
    dialog.get_by_label("Whom or what it is for").fill("The portal")
    dialog.get_by_label(re.compile("A job is done")).check()
    dialog.get_by_role("button", name="Make the webhook").click()
    assert _secret(page, "Secret").startswith("whsec_")
    one = page.get_by_role("listitem").filter(has_text=url)
    expect(one.get_by_text("A job is done")).to_be_visible()

    one.get_by_role("button", name="Send a test").click()
    # It cannot be reached from here: there is one attempt after the other, and each says why.
    expect(one.get_by_role("row", name=re.compile(r"webhook\.test"))).to_be_visible()
    answered = one.get_by_role("cell", name=re.compile("no connection|not allowed|no answer"))
    expect(answered).to_be_visible(timeout=60 * SECONDS)
    admin.check_accessibility()

    one.get_by_role("button", name="Pause").click()
    expect(one.locator(".webhook-head .badge")).to_contain_text("paused")
    one.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change the webhook")
    dialog.get_by_label("Whom or what it is for").fill("The portal of the clinic")
    dialog.get_by_role("button", name="Save").click()
    expect(one.get_by_text("The portal of the clinic")).to_be_visible()
    one.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(one).to_have_count(0)


def test_what_is_used_and_who_works_is_shown(admin: Any) -> None:
    page = admin.open("/admin?tab=usage")
    expect(page.get_by_role("progressbar", name="Unfinished jobs")).to_be_visible()
    used = page.get_by_role("region", name="By whom")
    expect(used.get_by_role("row", name=re.compile("first administrator"))).to_be_visible()
    admin.check_accessibility()
    page.get_by_role("button", name="Lower limits").click()
    dialog = page.get_by_role("dialog", name="Lower limits")
    dialog.get_by_label("Unfinished jobs").fill("900")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile(r"\d of 900"))).to_be_visible()
    _show(page, "People")
    expect(page.get_by_text("Nobody has come in")).to_be_visible()
    admin.check_accessibility()


def test_workers_and_what_waits_are_shown_as_they_are(
    admin: Any, clinic: Any, tiny_spec: dict[str, Any]
) -> None:
    page = admin.open("/admin?tab=workers")
    panel = page.get_by_role("tabpanel", name="Workers")
    waits = panel.get_by_role("table", name="What waits")
    works = panel.get_by_role("listitem")
    with clinic.client() as client:
        house = client.workers.list()
        assert {"interactive", "gpu", "cpu"} <= set(house.queues)
        for name in house.queues:
            expect(waits.get_by_role("row", name=re.compile(f"^{name}"))).to_have_count(1)
        expect(works).to_have_count(len(house.items))
        for worker in house.items:
            told = works.filter(has=page.get_by_text(", ".join(worker.queues), exact=True))
            expect(told.filter(has=page.get_by_text(worker.version, exact=True))).not_to_have_count(
                0
            )
        admin.check_accessibility()
        # Two trainings for the one worker that trains: it is at one, and the other waits.
        jobs = [client.jobs.submit(_long(tiny_spec, clinic, epochs)) for epochs in (30_000, 30_001)]
        try:
            trains = page.get_by_role("link", name=re.compile("^train:infogan"))
            at_it = works.filter(has=trains)
            expect(at_it).to_have_count(1, timeout=120 * SECONDS)
            expect(at_it).to_contain_text("at work")
            step = at_it.get_by_role("link")
            assert step.get_attribute("href") in {f"#/jobs/{job.id}" for job in jobs}
            cells = waits.get_by_role("row", name=re.compile("^gpu")).get_by_role("cell")
            expect(cells.nth(0)).to_have_text("1", timeout=60 * SECONDS)
            expect(cells.nth(1)).to_have_text(re.compile(r"\d"))
            admin.check_accessibility()
        finally:
            for job in jobs:
                client.jobs.cancel(job.id)
        expect(step).to_have_count(0, timeout=120 * SECONDS)
        expect(cells.nth(0)).to_have_text("0")
        for job in jobs:
            client.jobs.wait(job.id, timeout=120)
            client.jobs.delete(job.id)


def _long(spec: dict[str, Any], clinic: Any, epochs: int) -> dict[str, Any]:
    """A study that trains for longer than anybody looks."""
    name = f"Trains for {epochs} epochs"
    gans = [spec["gans"][0] | {"epochs": epochs}]
    return spec | {"dataset_id": clinic.dataset_id, "name": name, "gans": gans}
