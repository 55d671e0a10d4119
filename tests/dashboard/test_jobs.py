"""The table of jobs: found, followed, compared, cancelled, deleted."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


def test_jobs_are_found_by_filters_that_stand_in_the_address(admin: Any, clinic: Any) -> None:
    page = admin.open("/jobs")
    table = page.get_by_role("table", name="Jobs")
    row = table.get_by_role("row").filter(has_text="A small study").last
    expect(row).to_contain_text("done")
    expect(row.get_by_role("link", name="lesions")).to_be_visible()
    admin.check_accessibility()
    # What a data set's upload was read by is a job, too, but not what one looks for.
    read = table.get_by_role("row").filter(
        has=page.get_by_role("cell", name="reading of an upload")
    )
    named = table.locator(".job-name").get_by_role("link", name="lesions", exact=True)
    expect(named).to_have_count(0)
    page.get_by_label("Kind").select_option("all")
    expect(read.get_by_role("link", name="lesions", exact=True).first).to_be_visible()
    expect(row).to_be_visible()
    page.get_by_label("Kind").select_option("ingest")
    expect(named.first).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_label("Kind").select_option("study")
    page.get_by_label("Look for").fill("no such name")
    expect(page.get_by_text("No job is like this.")).to_be_visible()
    page.get_by_label("Look for").fill("SMALL study")
    page.get_by_label("State").select_option("succeeded")
    expect(row).to_be_visible()
    assert "status=succeeded" in page.url
    page.reload()
    expect(page.get_by_label("Look for")).to_have_value("SMALL study")
    expect(page.get_by_label("State")).to_have_value("succeeded")
    expect(row).to_be_visible()


def test_two_are_compared_and_one_is_cancelled_and_deleted(
    admin: Any, clinic: Any, tiny_spec: dict[str, Any]
) -> None:
    name = f"To be cancelled {secrets.token_hex(3)}"
    spec = tiny_spec | {"dataset_id": clinic.dataset_id, "name": name}
    spec["gans"] = [spec["gans"][0] | {"epochs": 20_000}]
    with clinic.client() as client:
        job = client.jobs.submit(spec)
    page = admin.open("/jobs")
    row = page.get_by_role("row").filter(has_text=name)
    menu = row.get_by_role("button", name=f"What to do with {name}")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    # The row follows the job by itself, and what has the focus keeps it.
    expect(row).to_contain_text("running", timeout=60_000)
    expect(menu).to_be_focused()
    menu.click()
    expect(page.get_by_role("menuitem", name="Delete")).to_have_count(0)
    page.get_by_role("menuitem", name="Cancel it").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
    # "Being cancelled" is a state of its own, in which nothing can be deleted yet.
    over = row.get_by_role("cell", name="cancelled", exact=True)
    expect(over).to_be_visible(timeout=60_000)

    page.get_by_role("checkbox", name=f"Select {name}").check()
    expect(page.get_by_text("Tick two jobs to compare them.")).to_be_visible()
    page.get_by_role("checkbox", name="Select A small study").last.check()
    compare = page.get_by_role("link", name="Compare the two")
    expect(compare).to_have_attribute("href", re.compile(f"#/compare/{job.id}/job_"))
    admin.check_accessibility()

    menu.click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    with clinic.client() as client:
        assert job.id not in [one.id for one in client.jobs.list(limit=100).items]
