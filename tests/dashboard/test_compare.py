"""Two studies beside each other in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


def _studies_differ(clinic: Any) -> dict[str, Any]:
    """Return the answer on a study that another data set and other settings were asked of."""
    with clinic.client() as client:
        job = client.jobs.get(clinic.job_id).model_dump(mode="json")
    spec = job["spec"] | {"balance_to": 77}
    spec["gans"] = [*spec["gans"], {"name": "fastgan", "epochs": 3}]
    return job | {"id": "job_other", "name": "The other", "dataset_id": "ds_gone", "spec": spec}


def test_two_studies_that_differ(admin: Any, clinic: Any) -> None:
    page = admin.page
    other = _studies_differ(clinic)
    page.route("**/v1/jobs/job_other", lambda route: route.fulfill(json=other))
    page.route(
        "**/v1/jobs/job_other/results",
        lambda route: route.fulfill(status=409, json={"code": "job_unfinished", "status": 409}),
    )
    page.route(
        "**/v1/jobs/job_other/artifacts*",
        lambda route: route.fulfill(json={"items": [], "next_cursor": None}),
    )
    admin.open(f"/compare/{clinic.job_id}/job_other")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two studies compared")
    expect(page.get_by_text("The data sets differ")).to_be_visible()
    expect(page.get_by_text("The job is not finished yet")).to_be_visible()
    expect(page.get_by_text("Only one of the two has results")).to_be_visible()
    settings = page.get_by_role("table", name="Table: What was asked differently")
    rows = settings.get_by_role("row")
    # Only what differs: the number, and the GAN that only one of them has.
    expect(rows.filter(has_text="balance_to")).to_contain_text("77")
    expect(rows.filter(has_text="gans[fastgan].epochs")).to_be_visible()
    expect(rows.filter(has_text="gans[infogan]")).to_have_count(0)
    expect(rows.filter(has_text="rare_class")).to_have_count(0)
    admin.check_accessibility()


def test_a_study_with_itself_differs_in_nothing(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/compare/{clinic.job_id}/{clinic.job_id}")
    expect(page.get_by_text("All settings are equal.")).to_be_visible()
    expect(
        page.get_by_text("Differences between two studies are descriptive").first
    ).to_be_visible()
    table = page.get_by_role("table", name="Table: What lies between them")
    for row in table.get_by_role("row").all()[1:]:
        expect(row).to_contain_text("0.000")
        expect(row).to_contain_text("yes")
    admin.check_accessibility()


def test_the_other_study_is_chosen_from_the_results(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    page.get_by_role("button", name="Compare with another").click()
    dialog = page.get_by_role("dialog", name="Compare with which study?")
    expect(dialog).to_be_visible()
    admin.check_accessibility()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
