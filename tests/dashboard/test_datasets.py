"""Data sets on the page: brought in, checked, looked at, deleted."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Locator, Page, Route, expect
from served_instance import write_tiny_set

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

READ_WITHIN = 240_000
"""Milliseconds in which the service reads a small archive while other tests run beside this one."""


def _packed(folder: Path, archive: Path, more: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            target.write(path, path.relative_to(folder))
        for name, content in (more or {}).items():
            target.writestr(name, content)
    return archive


def _upload(page: Page, archive: Path, name: str) -> Any:
    page.get_by_label("Choose files").set_input_files(archive)
    page.get_by_label(f"Name of the data set from {archive.name}").fill(name)
    page.get_by_role("button", name="Upload", exact=True).click()
    uploads = page.get_by_role("list", name="Uploads of this page")
    return uploads.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))


def _brightness(picture: Locator) -> float:
    """Mean grey of what the screen shows there; the pictures come by themselves."""
    picture.scroll_into_view_if_needed()
    expect(picture.locator("img")).to_have_js_property("complete", True)
    shown = Image.open(io.BytesIO(picture.screenshot())).convert("L")
    return ImageStat.Stat(shown).mean[0]


def _look_at_pictures(page: Page) -> None:
    """Each class looks as it was made, and what was put into both splits is shown side by side."""
    part = page.get_by_role("region", name="What the images look like")
    dark = part.get_by_role("img", name=re.compile("^benign, image"))
    bright = part.get_by_role("img", name=re.compile("^malignant, image"))
    assert _brightness(dark.first) == pytest.approx(40, abs=6)
    assert _brightness(bright.first) == pytest.approx(150, abs=6)
    twice = page.get_by_role("region", name="Images that are there twice")
    expect(twice).to_contain_text("the same in every pixel: 1. Pairs that are nearly the same: 0.")
    expect(twice).to_contain_text("1 pair has one image in training and one in testing")
    pair = twice.get_by_role("listitem")
    expect(pair).to_have_count(1)
    expect(pair).to_contain_text("In training and in testing")
    pictures = pair.get_by_role("img", name=re.compile("^benign, "))
    expect(pictures).to_have_count(2)
    first, second = (_brightness(pictures.nth(number)) for number in range(2))
    assert first == pytest.approx(40, abs=6)
    assert first == pytest.approx(second, abs=0.5)


def test_an_archive_is_uploaded_checked_looked_at_and_deleted(
    admin: Any, clinic: Any, tmp_path: Path
) -> None:
    folder = write_tiny_set(tmp_path / "set")
    shutil.copy(folder / "train/benign/3.png", folder / "test/benign/copied.png")
    broken = {"train/benign/broken1.png": b"none", "train/benign/broken2.png": b"none"}
    archive = _packed(folder, tmp_path / "set.zip", broken)
    page = admin.open("/datasets")
    page.get_by_text("How the archive has to be laid out").click()
    expect(page.get_by_text("A folder for each class.")).to_be_visible()
    uploaded = _upload(page, archive, "Uploaded by hand")
    admin.check_accessibility()
    expect(uploaded.get_by_text("125 images: benign 73, malignant 52.")).to_be_visible(
        timeout=READ_WITHIN
    )
    # The list below has it, too, without being asked for.
    row = page.get_by_role("row").filter(has_text="Uploaded by hand")
    expect(row.get_by_text("ready")).to_be_visible()
    page.get_by_label("Find by name or class").fill("by hand")
    expect(page.get_by_role("row")).to_have_count(2)
    uploaded.get_by_role("link", name="Look at it").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Uploaded by hand")
    assert page.get_by_role("row", name=re.compile("malignant")).all_inner_texts()[0].split() == [
        *("malignant", "◆", "rare", "class", "40", "12", "52", "(42%)")
    ]
    expect(page.get_by_text("For each training image of malignant there are 1.5")).to_be_visible()
    expect(page.get_by_text("2 entries of the archive")).to_be_visible()
    _look_at_pictures(page)
    admin.check_accessibility()

    dataset_id = page.url.rsplit("/", 1)[1]
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete Uploaded by hand?")
    dialog.get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile("#/datasets$"))
    expect(page.get_by_role("row").filter(has_text="Uploaded by hand")).to_have_count(0)
    page = admin.open(f"/datasets/{dataset_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such data set")


def test_what_cannot_be_used_is_rejected_in_plain_words(admin: Any, tmp_path: Path) -> None:
    folder = write_tiny_set(tmp_path / "set")
    for split in ("train", "test"):
        shutil.rmtree(folder / split / "malignant")
    page = admin.open("/datasets")
    uploaded = _upload(page, _packed(folder, tmp_path / "one.zip"), "One class")
    said = uploaded.get_by_text("All images belong to one class, benign.")
    expect(said).to_be_visible(timeout=READ_WITHIN)
    admin.check_accessibility()
    uploaded.get_by_role("link", name="Look at it").click()
    heading = page.get_by_role("heading", name="This cannot be used as a data set")
    expect(heading).to_be_visible()
    expect(page.get_by_text("Add at least one other class")).to_be_visible()
    expect(page.get_by_role("link", name="New job with it")).to_have_count(0)


def test_a_large_upload_goes_on_where_it_broke_off(admin: Any, clinic: Any, tmp_path: Path) -> None:
    noise = os.urandom(33 * 2**20)
    archive = _packed(write_tiny_set(tmp_path / "set"), tmp_path / "large.zip", {"notes": noise})
    sent: list[int] = []
    is_broken = True

    def on_part(route: Route) -> None:
        number = int(route.request.url.rsplit("/", 1)[1])
        if is_broken and number > 2:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="")
            return
        sent.append(number)
        route.continue_()

    page = admin.open("/datasets")
    page.route("**/v1/uploads/*/parts/*", on_part)
    # Whoever leaves in the middle is asked; this one leaves all the same.
    page.on("dialog", lambda dialog: dialog.accept())
    uploaded = _upload(page, archive, "A large one")
    expect(uploaded.get_by_text("interrupted")).to_be_visible(timeout=60_000)
    expect(uploaded.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("4."))
    page.reload()
    is_broken = False
    assert sent == [1, 2]
    uploaded = _upload(page, archive, "A large one")
    expect(uploaded.get_by_text("being checked")).to_be_visible(timeout=120_000)
    assert sent == [1, 2, 3, 4, 5]
    expect(uploaded.get_by_text("124 images")).to_be_visible(timeout=READ_WITHIN)
    with clinic.client() as client:
        (found,) = [one for one in client.datasets.list().items if one.name == "A large one"]
        client.datasets.delete(found.id)


def test_a_data_set_with_jobs_is_deleted_with_them_or_not_at_all(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/datasets/{clinic.dataset_id}")
    expect(page.get_by_role("link", name=re.compile("A small study")).first).to_be_visible()
    expect(
        page.get_by_role("link", name=re.compile("infogan, 12 real images")).first
    ).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name=re.compile("jobs? uses? this data set"))
    expect(dialog.get_by_role("button", name=re.compile("Delete with"))).to_be_visible()
    admin.check_accessibility()
    dialog.get_by_role("button", name="No, leave it").click()
    with clinic.client() as client:
        assert client.datasets.get(clinic.dataset_id).status == "ready"


def test_a_reader_looks_and_changes_nothing(visit: Callable[..., Any], clinic: Any) -> None:
    with clinic.client() as client:
        key = client.keys.create("a reader of data sets", scopes=["reader"]).key
    reader = visit(clinic.url, color_scheme="dark", viewport={"width": 390, "height": 844})
    reader.sign_in(key)
    page = reader.open("/datasets")
    page.get_by_role("link", name="lesions").first.click()
    expect(page.get_by_role("heading", name="Classes")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_role("link", name="New job with it")).to_have_count(0)
    reader.check_accessibility()
    page.get_by_role("navigation", name="Where this is").get_by_role("link").click()
    expect(page.get_by_role("heading", name="All data sets")).to_be_visible()
    expect(page.get_by_label("Choose files")).to_have_count(0)
    reader.check_accessibility()
    reader.open("/admin")
    expect(page.get_by_text("This part is for administrators")).to_be_visible()
