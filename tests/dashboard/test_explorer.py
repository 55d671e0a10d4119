"""A model's images in a browser: drawn by a worker, a moment after a slider was moved."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


def drawn(page: Any) -> Any:
    """Wait for sixteen images and return the buttons that show them."""
    buttons = page.get_by_role("button", name=re.compile("^Show seed"))
    expect(buttons).to_have_count(16, timeout=60_000)
    return buttons


def test_images_follow_the_sliders(admin: Any, clinic: Any) -> None:
    page = admin.open("/models")
    page.get_by_role("link", name="InfoGAN").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("InfoGAN, 12 real images")
    drawn(page)
    expect(page.get_by_text("Synthetic: made by a computer")).to_be_visible()

    # The child that loads torch ahead is there again by now; this is what somebody waits for.
    page.get_by_label("First seed").fill("500")
    began = time.monotonic()
    page.get_by_label("First seed").press("Tab")
    expect(page.get_by_role("button", name="Show seed 515 large")).to_be_visible(timeout=30_000)
    took = time.monotonic() - began
    # Three seconds are measured where nothing else runs (benchmarks); here others may.
    assert took < 15, took

    page.get_by_role("button", name="Show seed 503 large").click()
    expect(page.get_by_role("img", name="Synthetic image, seed 503")).to_be_visible()
    page.get_by_label("As it was trained").uncheck()
    page.get_by_label("Truncation").fill("0.3")
    page.get_by_label("Each image draws its own").first.uncheck()
    page.get_by_label("Category").fill("3")
    page.get_by_label("Code 1").fill("0.8")
    with page.expect_response(lambda answer: answer.url.endswith("/images")) as last:
        page.get_by_label("Code 1").fill("-0.8")
    drawn(page)
    # Whatever was asked for on the way, the last is what is shown.
    expect(page.locator(".screen")).not_to_have_class(re.compile("busy"))
    asked = last.value.request.post_data_json
    assert asked["count"] == 16
    assert asked["first_seed"] == 500
    admin.check_accessibility()


def test_the_way_between_two_seeds(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/models/{clinic.model_id}")
    page.get_by_role("tab", name="Between two seeds").click()
    steps = page.get_by_role("button", name=re.compile("^Show step"))
    expect(steps).to_have_count(8, timeout=60_000)
    page.get_by_label("From seed").fill("7")
    page.get_by_label("To seed").fill("7")
    page.get_by_label("To seed").press("Tab")
    expect(page.get_by_text("Choose two different seeds.")).to_be_visible()
    page.get_by_label("To seed").fill("9")
    page.get_by_label("To seed").press("Tab")
    expect(page.get_by_text("Choose two different seeds.")).to_be_hidden(timeout=60_000)
    page.get_by_label("Where on the way").press("End")
    expect(page.get_by_role("img", name="Synthetic image, step 8")).to_be_visible()
    admin.check_accessibility()


def test_many_images_are_a_job(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/models/{clinic.model_id}")
    page.get_by_role("button", name="Make images").click()
    page.get_by_label("How many images").fill("0")
    page.get_by_role("button", name="Make them").click()
    expect(page.get_by_text("Give a whole number from 1")).to_be_visible()
    page.get_by_label("How many images").fill("3")
    page.get_by_role("button", name="Make them").click()
    page.wait_for_url(re.compile("#/jobs/job_"))
    job_id = page.url.rsplit("/", 1)[1]
    with clinic.client() as client:
        job = client.jobs.wait(job_id, timeout=120)
        assert job.status == "succeeded", job.error
        assert job.spec["count"] == 3
