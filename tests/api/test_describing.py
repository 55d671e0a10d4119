"""What ``/openapi.json`` says beyond what the framework reads off the endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from api.app import assemble
from api.problems import MEDIA_TYPE


@pytest.fixture(scope="module")
def document() -> Any:
    return assemble().openapi()


def _calls(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield path, method, call


def test_every_call_has_a_readable_name_of_its_own(document: Any) -> None:
    names = [call["operationId"] for _, _, call in _calls(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_problem_that_a_call_may_answer_is_described(document: Any) -> None:
    for path, method, call in _calls(document):
        answers, place = call["responses"], f"{method} {path}"
        expected = {"default"}
        if call.get("security"):
            expected |= {"401", "403", "500", "503"}
        if "{" in path:
            expected |= {"404", "422"}
        if "application/json" in call.get("requestBody", {}).get("content", {}):
            expected |= {"413", "415", "422"}
        if any(p["name"] == "cursor" for p in call.get("parameters", [])):
            expected |= {"400"}
        assert expected <= set(answers), place
        for status, answer in answers.items():
            if status == "default" or status[0] in "45":
                assert list(answer["content"]) == [MEDIA_TYPE], place
                assert answer["description"], place


def test_every_link_leads_to_a_call_that_takes_what_it_hands_on(document: Any) -> None:
    known = {call["operationId"]: call for _, _, call in _calls(document)}
    followed = set()
    for path, method, call in _calls(document):
        for answer in call["responses"].values():
            for name, link in answer.get("links", {}).items():
                target = known[link["operationId"]]
                names = {parameter["name"] for parameter in target.get("parameters", [])}
                assert set(link.get("parameters", {})) <= names, f"{method} {path}: {name}"
                assert "requestBody" not in link or "requestBody" in target
                followed.add(link["operationId"])
    # Whatever works on one thing can be come to from where the thing is made or shown.
    of_one = {call["operationId"] for path, _, call in _calls(document) if "{" in path}
    assert of_one <= followed


def test_links_lead_from_a_data_set_to_the_bytes_of_a_zip(document: Any) -> None:
    def links(name: str, status: str) -> set[str]:
        [call] = [call for _, _, call in _calls(document) if call["operationId"] == name]
        return set(call["responses"][status]["links"])

    assert {"get_dataset", "submit_job"} <= links("upload_dataset", "202")
    assert {"get_job", "watch_job", "get_results", "list_artifacts", "cancel_job"} <= links(
        "submit_job", "202"
    )
    assert {"get_artifact", "get_content"} <= links("list_artifacts", "200")
    assert "make_images" in links("get_model", "200")
    assert "get_job" in links("make_images", "202")


def test_every_example_is_what_its_schema_asks_for(document: Any) -> None:
    found = 0
    for _, _, call in _calls(document):
        for content in call.get("requestBody", {}).get("content", {}).values():
            if "example" in content:
                schema = content["schema"] | {"components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(content["example"])
                found += 1
    assert found >= 3


def test_tags_headers_and_the_way_to_authenticate_are_described(document: Any) -> None:
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {tag for _, _, call in _calls(document) for tag in call["tags"]}
    assert used == set(described)
    assert all(described.values())
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, method, call in _calls(document):
        if method == "get" and path.startswith("/v1/"):
            # Where a browser is only sent on there is nothing to look at.
            answer = call["responses"].get("200", {})
            assert answer or "303" in call["responses"], path
            if "application/json" in answer.get("content", {}):
                assert "ETag" in answer["headers"], path
                assert "304" in call["responses"], path


def test_a_body_that_does_not_say_that_it_is_json_is_refused_as_such(client: Any) -> None:
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        answer = client.post("/v1/jobs", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
        assert answer.json()["code"] == "media_type_unsupported"
        assert answer.headers["accept-post"] == "application/json"
    assert client.post("/v1/jobs").status_code == 422
