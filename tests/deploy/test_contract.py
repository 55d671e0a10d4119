"""``/v1`` stays as it was promised, and the check that says so sees each kind of break."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract_changes import breaking_changes

ROOT = Path(__file__).parents[2]
Change = Callable[[Any], object]


def test_the_code_keeps_the_promise() -> None:
    promised, today = (
        json.loads((ROOT / name).read_text("utf-8"))
        for name in ("docs/contract/v1.json", "openapi.json")
    )
    assert breaking_changes(promised, today) == []


THING = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "enum": ["new", "old"]},
        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    },
}
WISH = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "count": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]},
    },
}
CONTRACT: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "make",
                "security": [{"key": ["writer"]}],
                "parameters": [
                    {"in": "query", "name": "dry", "schema": {"type": "boolean"}},
                    {"in": "header", "name": "If-Match", "schema": {"type": "string"}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}
                    }
                },
                "responses": {
                    "201": {
                        "headers": {"Location": {}},
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    },
                    "404": {},
                },
            }
        }
    },
    "components": {"schemas": {"Thing": THING, "Wish": WISH}},
}


def _post(document: Any) -> Any:
    return document["paths"]["/things"]["post"]


def _thing(document: Any) -> Any:
    return document["components"]["schemas"]["Thing"]


def _wish(document: Any) -> Any:
    return document["components"]["schemas"]["Wish"]


BREAKS: dict[str, Change] = {
    "POST /things is gone": lambda d: d["paths"].pop("/things"),
    "POST /things is called 'make_thing' in generated clients": lambda d: _post(d).update(
        operationId="make_thing"
    ),
    "POST /things does not take {'key': ['writer']} any more": lambda d: _post(d).update(
        security=[{"key": ["admin"]}]
    ),
    "POST /things: query dry is gone": lambda d: _post(d)["parameters"].pop(0),
    "POST /things: query dry is required": lambda d: _post(d)["parameters"][0].update(
        required=True
    ),
    "POST /things: query dry is integer, and was boolean": lambda d: _post(d)["parameters"][
        0
    ].update(schema={"type": "integer"}),
    "POST /things: query more is new and required": lambda d: _post(d)["parameters"].append(
        {"in": "query", "name": "more", "required": True, "schema": {}}
    ),
    "POST /things takes no body any more": lambda d: _post(d).pop("requestBody"),
    "POST /things asks for a body": lambda d: _post(d)["requestBody"].update(required=True),
    "POST /things body knows application/json no more": lambda d: _post(d)["requestBody"].update(
        content={"application/xml": {}}
    ),
    "POST /things body/kind is required": lambda d: _wish(d)["required"].append("kind"),
    "POST /things body/kind is gone": lambda d: _wish(d)["properties"].pop("kind"),
    "POST /things body/kind does not take 'b' any more": lambda d: _wish(d)["properties"][
        "kind"
    ].update(enum=["a", "c"]),
    "POST /things body/name takes fewer values": lambda d: _wish(d)["properties"]["name"].update(
        enum=["x"]
    ),
    "POST /things body/name has maxLength 10, and had 20": lambda d: _wish(d)["properties"][
        "name"
    ].update(maxLength=10),
    "POST /things body/name has minLength 1, and had None": lambda d: _wish(d)["properties"][
        "name"
    ].update(minLength=1),
    "POST /things body/name has pattern '^a', and had None": lambda d: _wish(d)["properties"][
        "name"
    ].update(pattern="^a"),
    "POST /things body/count does not take integer any more": lambda d: _wish(d)["properties"][
        "count"
    ]["anyOf"].pop(0),
    "POST /things body takes no further fields any more": lambda d: _wish(d).update(
        additionalProperties=False
    ),
    "POST /things does not answer 404 any more": lambda d: _post(d)["responses"].pop("404"),
    "POST /things 201 has no header Location any more": lambda d: _post(d)["responses"]["201"].pop(
        "headers"
    ),
    "POST /things 201/id is gone": lambda d: _thing(d)["properties"].pop("id"),
    "POST /things 201/id is integer, and was string": lambda d: _thing(d)["properties"].update(
        id={"type": "integer"}
    ),
    "POST /things 201/status may be missing": lambda d: _thing(d)["required"].remove("status"),
    "POST /things 201/status may be 'lost' now": lambda d: _thing(d)["properties"]["status"][
        "enum"
    ].append("lost"),
    "POST /things 201/status has any value now": lambda d: _thing(d)["properties"]["status"].pop(
        "enum"
    ),
    "POST /things 201/size may be string now": lambda d: _thing(d)["properties"]["size"][
        "anyOf"
    ].append({"type": "string"}),
    "POST /things 201/id may be null now": lambda d: _thing(d)["properties"].update(
        id={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
}
HARMLESS: dict[str, Change] = {
    "a new route": lambda d: d["paths"].update({"/more": {"get": {"responses": {}}}}),
    "a new optional parameter": lambda d: _post(d)["parameters"].append(
        {"in": "query", "name": "more", "schema": {}}
    ),
    "a header in another case": lambda d: _post(d)["parameters"][1].update(name="if-match"),
    "another way to authenticate": lambda d: _post(d)["security"].append({"oidc": ["writer"]}),
    "a new optional field of a request": lambda d: _wish(d)["properties"].update(
        more={"type": "string"}
    ),
    "a field that is not required any more": lambda d: _wish(d)["required"].clear(),
    "another value that is taken": lambda d: _wish(d)["properties"]["kind"]["enum"].append("c"),
    "a wider bound": lambda d: _wish(d)["properties"]["name"].update(maxLength=30),
    "null is taken, too": lambda d: _wish(d)["properties"].update(
        kind={"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]}
    ),
    "a new field of an answer": lambda d: _thing(d)["properties"].update(more={"type": "string"}),
    "a field that is always there now": lambda d: _thing(d)["required"].append("size"),
    "a value that is not answered any more": lambda d: _thing(d)["properties"]["status"].update(
        enum=["new"]
    ),
    "a field that is never null any more": lambda d: _thing(d)["properties"].update(
        size={"type": "integer"}
    ),
    "another status": lambda d: _post(d)["responses"].update({"409": {}}),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_each_break_is_told(sentence: str) -> None:
    changed = copy.deepcopy(CONTRACT)
    BREAKS[sentence](changed)
    assert sentence in breaking_changes(CONTRACT, changed)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_breaks_nobody_is_let_through(what: str) -> None:
    changed = copy.deepcopy(CONTRACT)
    HARMLESS[what](changed)
    assert breaking_changes(CONTRACT, changed) == []
