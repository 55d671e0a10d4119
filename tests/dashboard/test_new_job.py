"""A new job: every field of the schema, the plan beside it, and what is sent."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


def opened(admin: Any, query: str = "") -> Page:
    """The form with its first plan."""
    page = admin.open(f"/jobs/new{query}")
    expect(plan(page)).to_contain_text("Steps")
    return page


def plan(page: Page) -> Any:
    return page.get_by_role("region", name="The plan")


def spec_of(page: Page) -> dict[str, Any]:
    """What would be sent, as the form itself hands it out."""
    page.get_by_role("button", name="Copy as…").click()
    dialog = page.get_by_role("dialog")
    text = dialog.get_by_role("region", name="The job as text").inner_text()
    dialog.get_by_role("button", name="Close").click()
    spec: dict[str, Any] = json.loads(text)
    return spec


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


def leaves(
    schema: dict[str, Any], schemas: dict[str, Any], at: str, values: dict[str, Any]
) -> list[str]:
    """Pointers of all fields, with the items of lists that ``values`` has."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]] | schema
    found = [at] if at else []
    for name, one in schema.get("properties", {}).items():
        found += leaves(one, schemas, f"{at}/{name}", values)
    items = schema.get("items", {})
    if "$ref" in items:
        here: Any = values
        for part in at.split("/")[1:]:
            here = here[int(part) if part.isdigit() else part]
        for number in range(len(here)):
            found += leaves(items, schemas, f"{at}/{number}", values)
    if "x-by" in schema:
        kind = values["gans"][int(at.split("/")[2])]["name"]
        found += [f"{at}/{name}" for name in schema["x-by"]["schemas"][kind]["properties"]]
    return found


def test_every_field_of_the_schema_is_in_the_form(admin: Any, clinic: Any) -> None:
    page = opened(admin, f"?dataset={clinic.dataset_id}")
    document = admin.context.request.get(f"{clinic.url}/openapi.json").json()
    schemas = document["components"]["schemas"]
    with clinic.client() as client:
        spec = client.jobs.plan({"dataset_id": clinic.dataset_id}).spec
    assert spec is not None
    wanted = set(leaves({"$ref": "/JobSpec"}, schemas, "", spec))
    shown = page.evaluate(
        "Array.from(document.querySelectorAll('[data-pointer]'), (one) => one.dataset.pointer)"
    )
    assert len(shown) == len(set(shown))
    objects = {"/upscale", "/benchmark", "/benchmark/seed_cnn", "/benchmark/finetune"}
    objects |= {"/screen", "/output"}
    objects |= {at for at in wanted if re.search(r"/\d+$|/settings$", at)}
    # The service alone says why it chose a GAN.
    assert wanted - objects - set(shown) == {"/chosen_because"}
    unfold(page)
    page.evaluate("scrollTo(0, 0)")
    admin.check_accessibility()


def test_only_what_was_given_by_hand_is_sent(admin: Any, clinic: Any) -> None:
    page = opened(admin, f"?dataset={clinic.dataset_id}")
    assert spec_of(page) == {"dataset_id": clinic.dataset_id}

    page.get_by_role("textbox", name="Name", exact=True).fill("Made in the page")
    counts = page.get_by_role("group", name="Real counts", exact=True)
    counts.get_by_role("textbox").fill("12, 20")
    counts.get_by_role("textbox").press("Enter")
    counts.get_by_role("button", name="Take out all").click()
    balance = page.get_by_role("combobox", name="Fill the class up to")
    balance.select_option(label="a number of my own")
    page.get_by_role("textbox", name="Fill the class up to").fill("40")
    unfold(page)
    gan = page.get_by_role("listitem", name="FastGAN")
    gan.get_by_role("combobox", name="Kind").select_option("infogan")
    gan = page.get_by_role("listitem", name="InfoGAN")
    gan.get_by_role("textbox", name="Image size, pixels").fill("32")
    gan.get_by_role("textbox", name="Continuous codes").fill("3")
    gan.get_by_role("checkbox", name="without an average").check()
    gan.get_by_role("combobox", name="Differential privacy").select_option(label="without")
    arms = page.get_by_role("combobox", name="Arms without a GAN")
    arms.select_option(label="a choice of my own")
    page.get_by_role("checkbox", name="Real images only").check()
    page.get_by_role("checkbox", name="Leave out near-copies of training images").uncheck()
    assert spec_of(page) == {
        "dataset_id": clinic.dataset_id,
        "name": "Made in the page",
        "real_counts": [12, 20],
        "balance_to": 40,
        "gans": [
            {
                "name": "infogan",
                "image_size": 32,
                "settings": {"codes": 3},
                "ema_decay": None,
                "privacy": None,
            }
        ],
        "benchmark": {"arms": ["real-only"]},
        "screen": {"near_copies": False},
    }
    expect(plan(page)).to_contain_text("Steps")
    # What was set by hand can be taken back, one by one.
    page.get_by_role("button", name="Undo what was set by hand: GANs").click()
    page.get_by_role("button", name="Undo what was set by hand: Real counts", exact=True).click()
    expect(page.get_by_role("listitem", name="FastGAN")).to_be_visible()
    assert {"gans", "real_counts"}.isdisjoint(spec_of(page))


def test_what_is_wrong_stands_at_its_field(admin: Any, clinic: Any) -> None:
    page = opened(admin, f"?dataset={clinic.dataset_id}")
    size = page.get_by_role("textbox", name="Image size, pixels")
    size.fill("50")
    # Seen by the form itself, in the schema's limits.
    expect(size).to_have_accessible_description(re.compile("A multiple of 16"))
    size.fill("48")
    # Refused by the service, which knows more than the schema says.
    expect(plan(page)).to_contain_text("fastgan makes images of size")
    page.get_by_role("button", name="Add to: Real counts").scroll_into_view_if_needed()
    size.fill("64")
    counts = page.get_by_role("group", name="Real counts", exact=True)
    counts.get_by_role("textbox").fill("5000")
    counts.get_by_role("textbox").press("Enter")
    expect(counts).to_contain_text("has 40 training images")
    admin.check_accessibility()
    counts.get_by_role("button", name="Take out 5,000").click()
    expect(counts).not_to_contain_text("has 40 training images")


def test_a_job_is_submitted_once_however_often_it_is_sent(
    admin: Any, clinic: Any, tiny_spec: dict[str, Any]
) -> None:
    page = opened(admin, f"?from={clinic.job_id}")
    # As the other job was asked for, whose steps are all used again.
    assert spec_of(page) == tiny_spec | {
        "dataset_id": clinic.dataset_id,
        "name": "A small study",
    }
    expect(plan(page)).to_contain_text("At once")
    keys: list[str] = []
    held: list[Any] = []

    def breaks(route: Any) -> None:
        if route.request.method != "POST":
            return route.fallback()
        if "dry_run" in route.request.url:
            return held.append(route)
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.fallback()
        # It reaches the service, and the answer is lost on the way.
        route.fetch()
        return route.abort()

    page.route("**/v1/jobs*", breaks)
    submit = page.get_by_role("button", name="Submit the job")
    with page.expect_request("**/v1/jobs?dry_run=true"):
        page.get_by_role("textbox", name="Name", exact=True).fill("Sent twice")
        submit.click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The service does not answer.")
    # A plan that was asked for before, and comes now, does not hide it.
    held.pop().fallback()
    expect(plan(page)).not_to_contain_text("At once")
    expect(alert).to_contain_text("The service does not answer.")
    submit.click()
    page.wait_for_url(re.compile("#/jobs/job_"))
    assert keys[0] == keys[1]
    with clinic.client() as client:
        made = [job for job in client.jobs.list(limit=50).items if job.name == "Sent twice"]
    assert len(made) == 1
    assert page.url.endswith(made[0].id)
    admin.troubles[:] = [one for one in admin.troubles if "ERR_FAILED" not in one]


def test_whoever_may_only_read_has_no_form(visit: Any, clinic: Any) -> None:
    with clinic.client() as client:
        key = client.keys.create("A reader", scopes=["reader"]).key
    reader = visit(clinic.url)
    reader.sign_in(key)
    page = reader.open("/jobs/new")
    expect(page.get_by_text("Your key can look at jobs")).to_be_visible()
    expect(page.get_by_role("button", name="Submit the job")).to_have_count(0)
    page = reader.open("/jobs")
    expect(page.get_by_role("link", name="A small study")).to_be_visible()
    expect(page.get_by_role("link", name="New job")).to_have_count(0)
