"""A job in a browser: while it runs, when the line breaks, and when it is over."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from served_instance import end, processes_of, start, write_tiny_set

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

LONG = 300_000  # milliseconds: a service on a machine that has much else to do


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_what_is_left_of_a_study(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/jobs/{clinic.job_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("A small study")
    expect(page.get_by_role("link", name="Read the verdict")).to_be_visible()

    # A step in the picture, by the keyboard, and the same step in the table.
    graph = page.get_by_role("group", name="The steps, from left to right")
    training = graph.get_by_role("button", name=re.compile("^Training InfoGAN"))
    expect(training).to_contain_text("done")
    expect(graph.get_by_role("button")).to_have_count(11)
    admin.check_accessibility()
    training.press("Enter")
    dialog = page.get_by_role("dialog", name="Training: InfoGAN · 12 real · subset 0")
    expect(dialog.get_by_text("train:infogan:12:s0")).to_be_visible()
    admin.check_accessibility()
    page.keyboard.press("Escape")
    expect(training).to_be_focused()
    page.get_by_role("tab", name="Steps").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(12)
    page.get_by_role("button", name="Training: InfoGAN").click()

    # Its samples: the slider goes through the snapshots, and each is another picture.
    page.get_by_role("dialog").get_by_role("button", name="Show the training").click()
    slider = page.get_by_role("slider", name="Snapshot")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^epoch 1 of 2"))
    sheet = page.get_by_role("img", name=re.compile("synthetic samples, epoch 1 of 2"))
    first = sheet.get_attribute("src")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^epoch 2 of 2"))
    later = page.get_by_role("img", name=re.compile("synthetic samples, epoch 2 of 2"))
    assert later.get_attribute("src") != first
    page.wait_for_function("document.querySelector('figure img').naturalWidth > 100")
    expect(page.get_by_text("Synthetic", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="generator", exact=True)).to_be_visible()
    # What every judgement has is drawn.
    for title in ("What a snapshot is chosen by", "Kernel distance", "What the samples cover"):
        chart = page.get_by_role("application", name=re.compile(f"^{title}"))
        expect(chart).to_be_visible()
    for name in ("density", "coverage", "authenticity", "near-copies"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    admin.check_accessibility()

    page.get_by_role("tab", name="Log").click()
    log = page.get_by_role("region", name="Log")
    expect(log.get_by_text("train:infogan:12:s0").first).to_be_visible()
    page.get_by_label("Show").select_option("Errors only")
    expect(log.get_by_role("listitem")).to_have_count(0)
    admin.check_accessibility()

    # A file comes as the service says that it is.
    page.get_by_role("tab", name="Files").click()
    digest = page.get_by_role("button", name="Copy the SHA-256 of results.csv")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download results.csv").click()
    content = Path(download.value.path()).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest.get_attribute("title")
    admin.check_accessibility()

    page.get_by_role("tab", name="Settings").click()
    terms = page.get_by_role("term")
    expect(terms.filter(has_text="balance_to")).to_contain_text("asked for")
    expect(terms.filter(has_text="leaks")).not_to_contain_text("asked for")
    admin.check_accessibility()


def test_a_job_is_cancelled_and_deleted_by_those_who_may(
    admin: Any, clinic: Any, visit: Any, tiny_spec: dict[str, Any]
) -> None:
    gan = tiny_spec["gans"][0] | {"epochs": 5000}
    spec = tiny_spec | {"dataset_id": clinic.dataset_id, "gans": [gan], "name": "Too long"}
    with clinic.client() as client:
        job = client.jobs.submit(spec)
        key = client.keys.create("looks on", scopes=["reader"]).key
    onlooker = visit(clinic.url)
    onlooker.sign_in(key)
    watching = onlooker.open(f"/jobs/{job.id}")
    expect(watching.get_by_role("heading", level=1)).to_have_text("Too long")
    for name in ("Cancel", "Use these settings again"):
        expect(watching.get_by_text(name, exact=True)).to_have_count(0)

    page = admin.open(f"/jobs/{job.id}")
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="No, leave it").click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the job").click()
    # Who looks on is told so without having asked.
    for one in (page, watching):
        expect(one.get_by_text("Cancelled.", exact=False).first).to_be_visible(timeout=LONG)
    admin.check_accessibility()
    expect(watching.get_by_role("button", name="Delete")).to_have_count(0)

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(page).to_have_url(re.compile("#/jobs$"))
    page.goto(f"{clinic.url}/#/jobs/{job.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such job")


def test_a_page_goes_on_by_itself_after_the_service_was_killed(visit: Any, tmp_path: Path) -> None:
    port = str(free_port())
    data, log = tmp_path / "data", tmp_path / "serve.log"
    served = start(data, log, "--port", port, "--no-worker")
    try:
        with served.client() as client:
            dataset = client.datasets.upload(write_tiny_set(tmp_path / "set"), image_size=64)
            (job,) = client.jobs.list(kind="ingest").items
        someone = visit(served.url)
        someone.sign_in((data / "admin.key").read_text().strip())
        page = someone.open(f"/jobs/{job.id}")
        state = page.get_by_role("status")
        expect(state.get_by_text("live")).to_be_visible()
        expect(page.get_by_text("In the queue")).to_be_visible()
        page.evaluate("window.isStillThere = true")

        for pid in processes_of(data):
            os.kill(pid, signal.SIGKILL)
        served.process.wait(timeout=60)
        expect(state.get_by_text("no connection")).to_be_visible()
        someone.check_accessibility()

        served = start(data, log, "--port", port)
        expect(page.get_by_text("Done.", exact=False).first).to_be_visible(timeout=LONG)
        expect(page.get_by_role("link", name="To the data set")).to_be_visible()
        assert page.evaluate("window.isStillThere"), "the page was loaded anew"
        with served.client() as client:
            assert client.datasets.get(dataset.id).status == "ready"
        # What the browser said of a service that was away.
        someone.troubles[:] = [one for one in someone.troubles if "net::ERR_" not in one]
    finally:
        end(served)
