"""What ``/openapi.json`` says beyond what the framework reads off the endpoints.

All of it follows from the document itself, so that a new route has it without being asked:
statuses that any call may be answered with, entity tags, and links (OpenAPI 3.1 Link Objects) from
what makes, shows or lists a thing to what can be done with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute

from api.problems import ProblemDocument, described

Document = dict[str, Any]

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_JSON = "application/json"
_TAGS = {
    "datasets": "Images in class folders: uploading, looking, deleting.",
    "uploads": "Large archives that arrive in parts, and can go on after a broken connection.",
    "jobs": "Studies of a data set, and their progress, results and files.",
    "models": "Trained generators, and jobs that make more images from one.",
    "artifacts": "The files that jobs leave.",
    "webhooks": "Messages to the portal when something has ended (Standard Webhooks).",
    "keys": "API keys: making, listing, revoking.",
    "identity": "Who is asking, and the people whom an issuer has vouched for.",
    "session": "Signing in with a browser, for the service's own page; programs need none of it.",
    "limits": "What may be used, how much of it is left, and what was used.",
    "audit": "The append-only trail: who did what.",
    "workers": "What carries out the steps, and how much waits for it.",
    "health": "For probes and scrapers.",
}
_HEADERS = {
    "Location": "Where what was made is, relative to this service.",
    "Retry-After": "Seconds after which to ask again.",
    "ETag": "Of this answer; send it as `If-None-Match`.",
    "Idempotency-Replayed": "`true`: the answer was given before, and nothing was done now.",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "If-None-Match"},
}
# Links that no pattern tells: by operation and status.
_FROM_A_DATASET: dict[str, Document] = {
    "submit_job": {
        "operationId": "submit_job",
        "requestBody": {"dataset_id": "$response.body#/id", "profile": "quick"},
        "description": "Once its status is `ready`.",
    },
    "list_jobs": {
        "operationId": "list_jobs",
        "parameters": {"dataset_id": "$response.body#/id"},
    },
    "list_models": {
        "operationId": "list_models",
        "parameters": {"dataset_id": "$response.body#/id"},
    },
}
_FROM_AN_UPLOAD: dict[str, Document] = {
    "put_part": {
        "operationId": "put_part",
        "parameters": {"upload_id": "$response.body#/id", "number": 1},
        "description": "For each part.",
    },
    "upload_dataset": {
        "operationId": "upload_dataset",
        "parameters": {"upload_id": "$response.body#/id"},
        "description": "Once all parts are there.",
    },
}
_MORE_LINKS: dict[tuple[str, str], dict[str, Document]] = {
    ("upload_dataset", "202"): _FROM_A_DATASET,
    ("get_dataset", "200"): _FROM_A_DATASET,
    ("create_upload", "201"): _FROM_AN_UPLOAD,
    ("get_upload", "200"): _FROM_AN_UPLOAD,
    ("list_artifacts", "200"): {
        name: {"operationId": name, "parameters": {"artifact_id": "$response.body#/items/0/id"}}
        for name in ("get_artifact", "get_content")
    },
    ("list_steps", "200"): {
        "get_course": {
            "operationId": "get_course",
            "parameters": {
                "job_id": "$request.path.job_id",
                "step_name": "$response.body#/items/0/name",
            },
            "description": "Of a step that trains.",
        },
    },
    ("get_course", "200"): {
        "get_snapshot": {
            "operationId": "get_snapshot",
            "parameters": {
                "job_id": "$request.path.job_id",
                "step_name": "$request.path.step_name",
                "number": "$response.body#/snapshots/0/number",
            },
        },
    },
}
_EXAMPLES: dict[str, Document] = {
    "submit_job": {
        "dataset_id": "ds_01k0a1b2c3d4e5f6g7h8j9k0m1",
        "profile": "quick",
        "real_counts": [50, "all"],
    },
    "make_images": {"name": "for the lecture", "seeds": [1, 2, 3]},
    "create_key": {"name": "portal", "scopes": ["researcher"]},
}


def operation_id(route: APIRoute) -> str:
    """Return an endpoint's name in generated clients: its function's, ``head_…`` for HEAD."""
    return f"head_{route.name}" if route.methods == {"HEAD"} else route.name


@dataclass(frozen=True)
class _Call:
    path: str
    method: str
    operation: Document

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])

    def path_parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)


def describe(document: Document) -> Document:
    """Complete a document in place, and return it."""
    schemas = document["components"]["schemas"]
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {})
    schemas["ProblemDocument"] = problem
    calls = list(_calls(document))
    for call in calls:
        _name_headers(call)
        _describe_problems(call)
        _describe_answers(call)
        if call.name in _EXAMPLES:
            content = call.operation["requestBody"]["content"][_JSON]
            content["example"] = _EXAMPLES[call.name]
    for call in calls:
        _link(call, calls)
    used = {tag for call in calls for tag in call.operation.get("tags", [])}
    document["tags"] = [
        {"name": name, "description": text} for name, text in _TAGS.items() if name in used
    ]
    return document


def _calls(document: Document) -> Iterator[_Call]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield _Call(path, method, methods[method])


def _name_headers(call: _Call) -> None:
    """Write headers as their standards do."""
    for parameter in call.operation.get("parameters", []):
        if parameter["in"] == "header":
            words = parameter["name"].replace("_", "-").split("-")
            parameter["name"] = "-".join(word.capitalize() for word in words)
            if parameter["name"].endswith("-Id"):
                parameter["name"] = parameter["name"].removesuffix("Id") + "ID"


def _describe_problems(call: _Call) -> None:
    responses = call.operation["responses"]
    names = {parameter["name"] for parameter in call.operation.get("parameters", [])}
    statuses = {500, 503}
    if "cursor" in names:
        statuses.add(400)
    if "Idempotency-Key" in names:
        statuses.add(409)
    if _JSON in call.operation.get("requestBody", {}).get("content", {}):
        statuses |= {400, 413, 415}
    if call.path == "/livez":
        statuses = set()
    for status, answer in described(*sorted(statuses)).items():
        responses.setdefault(str(status), answer)
    [other] = described(500).values()
    responses.setdefault("default", other | {"description": "Any other problem."})
    for answer in responses.values():
        # The framework describes its own 422, which is none of ours.
        content = answer.get("content", {})
        if "HTTPValidationError" in str(content):
            answer["content"] = other["content"]


def _describe_answers(call: _Call) -> None:
    operation, responses = call.operation, call.operation["responses"]
    parameters = operation.setdefault("parameters", [])
    names = {parameter["name"] for parameter in parameters}
    if call.method == "get" and call.path.startswith("/v1/") and _schema(call, "200"):
        if "If-None-Match" not in names:
            parameters.append(_IF_NONE_MATCH)
        responses.setdefault("304", {"description": "Nothing has changed."})
        _show(responses["200"], "ETag")
        _show(responses["304"], "ETag")
    for status in ("201", "202"):
        if status in responses:
            _show(responses[status], "Location")
            if status == "202":
                _show(responses[status], "Retry-After")
            if "Idempotency-Key" in names:
                _show(responses[status], "Idempotency-Replayed")
    for status in ("409", "429", "503"):
        if status in responses:
            _show(responses[status], "Retry-After")
    if not parameters:
        del operation["parameters"]


def _show(answer: Document, header: str) -> None:
    answer.setdefault("headers", {})[header] = {
        "description": _HEADERS[header],
        "schema": {"type": "string"},
    }


def _schema(call: _Call, status: str) -> Document | None:
    answer = call.operation["responses"].get(status, {})
    schema: Document | None = answer.get("content", {}).get(_JSON, {}).get("schema")
    return schema


def _link(call: _Call, calls: list[_Call]) -> None:
    """Lead from an answer to what can be done with the thing that it shows."""
    known = {other.name for other in calls}
    for status, answer in call.operation["responses"].items():
        schema = _schema(call, status)
        if not status.startswith("2") or schema is None:
            continue
        links: dict[str, Document] = {}
        for one in _things(schema, status, call, calls):
            *outer, parameter = one.path_parameters()
            handed_on = {name: f"$request.path.{name}" for name in outer} | {
                parameter: f"$response.body#/{'items/0/' if _is_list(call) else ''}id"
            }
            for other in calls:
                is_about_it = other.path.startswith(one.path) and (
                    other.path_parameters() == one.path_parameters()
                )
                # Of a list's first item only looking: what is done to it is its owner's choice.
                is_offered = other.method == "get" or not _is_list(call)
                if other is not call and is_about_it and is_offered:
                    links[other.name] = {"operationId": other.name, "parameters": handed_on}
        if any(p["name"] == "cursor" for p in call.operation.get("parameters", [])):
            links["next_page"] = {
                "operationId": call.name,
                "parameters": {"cursor": "$response.body#/next_cursor"},
                "description": "Unless it is null.",
            }
        links |= _MORE_LINKS.get((call.name, status), {})
        links = {name: link for name, link in links.items() if link["operationId"] in known}
        if links:
            answer["links"] = dict(sorted(links.items()))


def _is_list(call: _Call) -> bool:
    return call.method == "get" and not call.path.endswith("}")


def _things(schema: Document, status: str, call: _Call, calls: list[_Call]) -> list[_Call]:
    """Return calls that work on a thing of which an answer shows one."""
    found = []
    for one in calls:
        *outer, _last = one.path_parameters() or [""]
        if not one.path.endswith("}") or not set(outer) <= set(call.path_parameters()):
            continue
        is_of_it = call.path == one.path.rsplit("/", 1)[0]
        lists_or_makes_it = is_of_it and (call.method == "get" or status != "200")
        if lists_or_makes_it or (one.method == "get" and schema == _schema(one, "200")):
            found.append(one)
    return found
