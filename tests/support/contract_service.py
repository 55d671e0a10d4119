"""A service that answers every call as openapi.json says, with every field that it knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())


def operations() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, methods in CONTRACT["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "put", "post", "patch", "delete", "head"}:
                pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
                found[operation["operationId"]] = operation | {
                    "method": method.upper(),
                    "pattern": pattern,
                }
    return found


OPERATIONS = operations()


def example(schema: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a kind of schema
    """An answer that has every field that a schema knows."""
    if "$ref" in schema:
        return example(CONTRACT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            known = {name: example(s) for name, s in schema.get("properties", {}).items()}
            more = schema.get("additionalProperties")
            return known | ({"more": example(more)} if isinstance(more, dict) and more else {})
        case "array":
            return [example(schema.get("items", {}))]
        case "string":
            return "2026-01-02T00:00:00Z" if schema.get("format") == "date-time" else "x"
        case "integer":
            return 1
        case "number":
            return 0.5
        case "boolean":
            return True
    return None


def answer_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    for status in ("201", "202", "200"):
        content = operation["responses"].get(status, {}).get("content", {})
        if "application/json" in content:
            found: dict[str, Any] = content["application/json"]["schema"]
            return found
    return None


def answered(request: httpx.Request) -> httpx.Response:
    for operation in OPERATIONS.values():
        if operation["method"] == request.method and operation["pattern"].fullmatch(
            request.url.path
        ):
            schema = answer_schema(operation)
            if schema is None:
                return httpx.Response(204)
            body = example(schema)
            if isinstance(body, dict) and "next_cursor" in body:
                body["next_cursor"] = None
            if operation["operationId"] == "get_upload":
                body |= {"status": "open", "size": 300, "part_size": 100, "parts": []}
            return httpx.Response(200, json=body)
    raise AssertionError(f"the service has no {request.method} {request.url.path}")


class ContractService:
    """Answers as openapi.json says, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer(request)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path.endswith("/content"):
            return httpx.Response(404, json={"code": "enough", "detail": "Enough."})
        if request.url.path.endswith("/events"):
            data = 'id: 8\ndata: {"status": "succeeded"}\n\n'
            return httpx.Response(200, text=data)
        if request.url.path.endswith("/export"):
            return httpx.Response(200, text="{}\n")
        return answered(request)

    def those(self, operation_id: str) -> list[httpx.Request]:
        operation = OPERATIONS[operation_id]
        return [
            r
            for r in self.asked
            if r.method == operation["method"] and operation["pattern"].fullmatch(r.url.path)
        ]
