"""A study's results in a browser: the verdict before everything, and what it stands on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Response, Route, expect
from whole_study import results as large_results

from gan_core.benchmark import sentences
from gan_core.spec.results import Results

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

_OUTCOMES = {
    "helps": "Helps",
    "harms": "Harms",
    "no-significant-difference": "No significant difference",
    "not-tested": "Not tested",
}


def test_the_verdict_stands_before_everything(admin: Any, clinic: Any, tmp_path: Path) -> None:
    with clinic.client() as client:
        results = client.jobs.results(clinic.job_id)
    (told,) = results.conclusions
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    answer = page.get_by_role("region", name="The answer")
    expect(page.get_by_role("heading", level=2).first).to_have_text("The answer")
    expect(answer.get_by_role("heading", level=3).first).to_contain_text(_OUTCOMES[told.outcome])
    for caveat in told.caveats:
        expect(answer.get_by_text(caveat)).to_be_visible()
    # One run of a quick profile is said to be no evidence, and stands where the verdict stands.
    expect(answer.get_by_text("Each arm was run 1 time")).to_be_visible()
    admin.check_accessibility()

    with page.expect_download() as found:
        page.get_by_role("link", name="Download Synthetic images").click()
    found.value.save_as(tmp_path / "synthetic.zip")
    assert (tmp_path / "synthetic.zip").read_bytes()[:2] == b"PK"
    expect(page.get_by_text("never call them anonymous")).to_be_visible()


def test_the_figure_and_its_table_say_the_same(admin: Any, clinic: Any) -> None:
    with clinic.client() as client:
        results = client.jobs.results(clinic.job_id)
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    region = page.get_by_role("region", name="What each way of training reaches")
    for figure, name in (("roc_auc", "ROC-AUC"), ("sensitivity", "Sensitivity")):
        region.get_by_label("Figure of merit").select_option(figure)
        for summary in results.summaries:
            value = f"{summary.figures[figure].mean:.3f}"
            arm = {"real-only": "real images only", "gan:infogan": "real + InfoGAN"}.get(
                summary.arm, "real, class weights"
            )
            row = region.get_by_role("row").filter(has_text=arm)
            expect(row).to_contain_text(value)
        chart = region.get_by_role("application")
        expect(chart).to_have_accessible_name(re.compile(f"^{name},"))
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(
        region.get_by_text(re.compile(r"in training 12: 0\.\d{3}|in training 12: 1\.000"))
    ).to_be_visible()
    # What is chosen is kept in the address.
    page.reload()
    expect(region.get_by_label("Figure of merit")).to_have_value("sensitivity")


def test_everything_beside_the_verdict_can_be_reached(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel").get_by_role("heading", level=2).first).to_be_visible()
        admin.check_accessibility()
    page.get_by_role("tab", name="Privacy").click()
    expect(page.get_by_text("Nothing here makes a set anonymous")).to_be_visible()


def _is_json_file(answer: Response) -> bool:
    """Whether an answer is an artifact's content, and that is JSON."""
    kind = answer.headers.get("content-type", "")
    return "/v1/artifacts/" in answer.url and "json" in kind


def test_synthetic_images_stand_above_what_is_nearest(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    # Beside it the browser asks for pictures.
    with page.expect_response(_is_json_file) as told:
        page.get_by_role("tab", name="Is it a copy?").click()
    sheet = told.value.json()["sheets"][0]
    assert sheet["distances"]
    # The study's sheets of samples are list items that name both, too, and no columns.
    columns = page.get_by_role("tabpanel").locator(".neighbours").first.get_by_role("listitem")
    expect(columns).to_have_count(sheet["columns"])
    for column, distances in zip(columns.all(), sheet["distances"], strict=True):
        pictures = column.get_by_role("figure")
        expect(pictures).to_have_count(1 + len(distances))
        expect(pictures.first).to_contain_text("synthetic")
        for picture, distance in zip(pictures.all()[1:], distances, strict=True):
            expect(picture).to_contain_text(re.compile(rf"real\s*{distance:.2f}"))


def _shown(visit: Any, clinic: Any, results: Results, **options: Any) -> Any:
    """Show a study as large as people run them in the place of the small one."""
    found = visit(clinic.url, **options)
    found.sign_in(clinic.key)
    answer = {"status": 200, "content_type": "application/json", "body": results.model_dump_json()}
    found.page.route("**/v1/jobs/*/results", lambda route: route.fulfill(**answer))
    found.open(f"/jobs/{clinic.job_id}/results")
    return found


def test_real_images_are_never_called_synthetic_and_not_kept(admin: Any, clinic: Any) -> None:
    page = admin.open(f"/jobs/{clinic.job_id}/results")
    page.get_by_role("tab", name="Is it a copy?").click()
    sheet = page.locator(".sample-sheets figure").first
    sheet.scroll_into_view_if_needed()
    expect(sheet.locator("figcaption")).to_contain_text(re.compile("real.*synthetic"))
    # What is beside them is cut out of one sheet, which lives no longer than the view.
    nearest = page.locator(".neighbour img").first
    expect(nearest).to_have_attribute("src", re.compile("^blob:"))
    expect(nearest).to_have_js_property("complete", True)


def test_a_large_study_in_the_dark_on_a_telephone(visit: Any, clinic: Any) -> None:
    results = large_results()
    small = {"width": 390, "height": 844}
    found = _shown(visit, clinic, results, color_scheme="dark", viewport=small)
    page = found.page
    answer = page.get_by_role("region", name="The answer")
    headings = answer.get_by_role("article").get_by_role("heading", level=3)
    expect(headings).to_have_count(len(results.conclusions))
    for heading, told in zip(headings.all(), results.conclusions, strict=True):
        expect(heading).to_contain_text(_OUTCOMES[told.outcome])
    # What speaks against it is said beside it, and leads to more.
    answer.get_by_role("button", name="More under “Quality and leaks”").first.click()
    expect(page.get_by_text("Take any benefit with care")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels run out of the page"
    found.check_accessibility()

    page.get_by_role("tab", name="Every arm").click()
    table = page.get_by_role("table", name="Table: What the scores can do; the moved threshold")
    expect(table).to_have_attribute("aria-rowcount", str(len(results.summaries) + 1))
    table.get_by_role("button", name="ROC-AUC").click()
    table.get_by_role("button", name="ROC-AUC").click()
    best = max(s.figures["roc_auc"].mean for s in results.summaries)
    expect(table.get_by_role("row").nth(1)).to_contain_text(f"{best:.3f}")


def test_every_caveat_is_known_in_korean(visit: Any, clinic: Any) -> None:
    told = [
        *sentences.caveats(
            10, witnesses=1, runs=3, subsets=4, lost=1, unpaired=["real-only", "oversample"]
        ),
        *sentences.caveats(10, witnesses=2, runs=3, subsets=4, lost=0, unpaired=[], is_all=True),
        sentences.without_balancing(["real-only"]),
        *(
            sentences.beside(sentences.GanArm("gan:infogan@ratio", "infogan", 1.5), name, outcome)
            for name in ("seed-cnn", "probe", "finetune")
            for outcome in ("helps", "harms", "no-significant-difference", "not-tested")
        ),
    ]
    results = large_results()
    first = results.conclusions[0].model_copy(update={"caveats": list(dict.fromkeys(told))})
    results = results.model_copy(update={"conclusions": [first, *results.conclusions[1:]]})
    found = visit(clinic.url, locale="ko-KR")
    page = found.open("/sign-in")
    page.get_by_label("API 키").fill(clinic.key)
    page.get_by_role("button", name="로그인", exact=True).click()
    page.get_by_role("button", name="로그아웃").wait_for()
    answer = {"status": 200, "content_type": "application/json", "body": results.model_dump_json()}
    page.route("**/v1/jobs/*/results", lambda route: route.fulfill(**answer))
    found.open(f"/jobs/{clinic.job_id}/results")
    items = page.get_by_role("article").first.get_by_role("list").first.get_by_role("listitem")
    expect(items).to_have_count(len(first.caveats))
    for item, text in zip(items.all(), first.caveats, strict=True):
        said = item.inner_text()
        assert re.search("[가-힣]", said), f"not translated: {text}"
    found.check_accessibility()


def _answering(problem: dict[str, Any]) -> Callable[[Route], None]:
    """Return what answers each request with a problem; it takes the route alone, as it must."""
    options = {"status": problem["status"], "content_type": "application/problem+json"}
    return lambda route: route.fulfill(**options, body=json.dumps(problem))


def test_what_has_no_results_says_why(admin: Any, clinic: Any) -> None:
    with clinic.client() as client:
        ingest = client.jobs.list(kind="ingest").items[0]
    page = admin.open(f"/jobs/{ingest.id}/results")
    expect(page.get_by_text("The job is over and left no results.")).to_be_visible()
    codes = {
        "job_unfinished": (409, "The job is not finished yet"),
        "artifact_expired": (410, "The results have been deleted"),
    }
    for code, (status, text) in codes.items():
        problem = {"code": code, "title": "x", "status": status}
        page.route("**/v1/jobs/*/results", _answering(problem))
        admin.open("/jobs")
        admin.open(f"/jobs/{clinic.job_id}/results")
        expect(page.get_by_text(text)).to_be_visible()
        page.unroute("**/v1/jobs/*/results")
    admin.open("/jobs/job_00000000000000000000000000/results")
    expect(page.get_by_role("alert")).to_be_visible()
