"""What in a new OpenAPI document breaks clients that were written for an old one.

    python tests/support/contract_changes.py docs/contract/v1.json openapi.json

A client may send whatever it could send before, and finds in an answer whatever it found there:
requests may only become more liberal, answers only richer. (RFC 9110 lets unknown fields be
ignored; a value that an answer's enumeration did not have is a break all the same, for typed
clients refuse it.)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = Any

_METHODS = ("get", "head", "post", "put", "patch", "delete")
# By keyword: whether a larger number lets less through.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
}


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return a sentence for each change that breaks a client."""
    return list(dict.fromkeys(_Comparison(old, new).all()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._being_compared: set[tuple[int, int, bool]] = set()

    def all(self) -> Iterator[str]:
        for path, calls in self._old["paths"].items():
            for method in _METHODS:
                if method not in calls:
                    continue
                place = f"{method.upper()} {path}"
                found = self._new["paths"].get(path, {}).get(method)
                if found is None:
                    yield f"{place} is gone"
                else:
                    yield from self._call(place, calls[method], found)

    def _call(self, place: str, old: Json, new: Json) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{place} is called {new.get('operationId')!r} in generated clients"
        for alternative in old.get("security", []):
            if alternative not in new.get("security", []) and new.get("security"):
                yield f"{place} does not take {alternative} any more"
        if new.get("security") and not old.get("security"):
            yield f"{place} asks for a key"
        yield from self._parameters(place, old, new)
        yield from self._body(place, old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            now = new["responses"].get(status)
            if now is None:
                yield f"{place} does not answer {status} any more"
                continue
            here = f"{place} {status}"
            for header in answer.get("headers", {}):
                if header not in now.get("headers", {}):
                    yield f"{here} has no header {header} any more"
            yield from self._contents(here, answer, now, is_request=False)

    def _parameters(self, place: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _by_name(old), _by_name(new)
        for key, parameter in before.items():
            here = f"{place}: {parameter['in']} {parameter['name']}"
            now = after.get(key)
            if now is None:
                yield f"{here} is gone"
                continue
            if now.get("required") and not parameter.get("required"):
                yield f"{here} is required"
            yield from self._schema(here, parameter["schema"], now["schema"], is_request=True)
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"{place}: {parameter['in']} {parameter['name']} is new and required"

    def _body(self, place: str, old: Json, new: Json) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield f"{place} asks for a body"
        elif new is None:
            yield f"{place} takes no body any more"
        else:
            if new.get("required") and not old.get("required"):
                yield f"{place} asks for a body"
            yield from self._contents(f"{place} body", old, new, is_request=True)

    def _contents(self, place: str, old: Json, new: Json, *, is_request: bool) -> Iterator[str]:
        for media_type, content in old.get("content", {}).items():
            now = new.get("content", {}).get(media_type)
            if now is None:
                yield f"{place} knows {media_type} no more"
            else:
                yield from self._schema(
                    place, content.get("schema", {}), now.get("schema", {}), is_request=is_request
                )

    def _schema(self, place: str, old: Json, new: Json, *, is_request: bool) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        pair = (id(old), id(new), is_request)
        if old == new and "$ref" not in json.dumps(old):
            return
        if pair in self._being_compared:  # a schema that holds itself
            return
        self._being_compared.add(pair)
        try:
            yield from self._branches(place, old, new, is_request=is_request)
        finally:
            self._being_compared.discard(pair)

    def _branches(self, place: str, old: Json, new: Json, *, is_request: bool) -> Iterator[str]:
        olds, news = _alternatives(old), _alternatives(new)
        if len(olds) == len(news) == 1:
            yield from self._plain(place, olds[0], news[0], is_request=is_request)
            return
        # Whatever may be said on one side must be understood on the other.
        said, understood = (olds, news) if is_request else (news, olds)
        for branch in said:
            fits = any(
                not list(
                    self._schema(
                        place,
                        *((branch, other) if is_request else (other, branch)),
                        is_request=is_request,
                    )
                )
                for other in understood
            )
            if not fits:
                name = _name(branch)
                what = f"does not take {name} any more" if is_request else f"may be {name} now"
                yield f"{place} {what}"

    def _plain(self, place: str, old: Json, new: Json, *, is_request: bool) -> Iterator[str]:
        said, understood = (old, new) if is_request else (new, old)
        types_said, types_understood = _types(said), _types(understood)
        if types_understood and not (types_said and types_said <= types_understood):
            yield f"{place} is {_name(new)}, and was {_name(old)}"
            return
        values_said, values_understood = _values(said), _values(understood)
        if values_understood is not None:
            if values_said is None:
                yield f"{place} takes fewer values" if is_request else f"{place} has any value now"
            else:
                for value in values_said:
                    if value not in values_understood:
                        yield (
                            f"{place} does not take {value!r} any more"
                            if is_request
                            else f"{place} may be {value!r} now"
                        )
        if is_request:
            yield from _narrowed(place, old, new)
        yield from self._parts(place, old, new, is_request=is_request)

    def _parts(self, place: str, old: Json, new: Json, *, is_request: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", [])), set(new.get("required", []))
        for name, schema in before.items():
            if name not in after:
                yield f"{place}/{name} is gone"
            else:
                yield from self._schema(
                    f"{place}/{name}", schema, after[name], is_request=is_request
                )
        if is_request:
            for name in sorted(needed_after - needed_before):
                yield f"{place}/{name} is required"
            if new.get("additionalProperties") is False and (
                old.get("additionalProperties", True) is not False
            ):
                yield f"{place} takes no further fields any more"
        else:
            for name in sorted((needed_before - needed_after) & set(after)):
                yield f"{place}/{name} may be missing"
        for keyword in ("items", "additionalProperties"):
            if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
                yield from self._schema(
                    f"{place}/*", old[keyword], new[keyword], is_request=is_request
                )


def _narrowed(place: str, old: Json, new: Json) -> Iterator[str]:
    for keyword, larger_is_stricter in _BOUNDS.items():
        if keyword not in new:
            continue
        before, now = old.get(keyword), new[keyword]
        if before is None or (now > before if larger_is_stricter else now < before):
            yield f"{place} has {keyword} {now}, and had {before}"
    for keyword in ("pattern", "format"):
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{place} has {keyword} {new[keyword]!r}, and had {old.get(keyword)!r}"


def _by_name(call: Json) -> dict[tuple[str, str], Json]:
    # Names of headers are the same in any case (RFC 9110, 5.1).
    return {
        (p["in"], p["name"].lower() if p["in"] == "header" else p["name"]): p
        for p in call.get("parameters", [])
    }


def _resolved(document: Json, schema: Json) -> Json:
    while isinstance(schema, dict) and "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema if isinstance(schema, dict) else {}


def _alternatives(schema: Json) -> list[Json]:
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return list(schema[keyword])
    return [schema]


def _types(schema: Json) -> set[str]:
    """Return the types of a schema; none: any."""
    found = schema.get("type", [])
    types = {found} if isinstance(found, str) else set(found)
    if not types and _values(schema) is not None:
        types = {_type_of(value) for value in _values(schema) or []}
    return types | {"integer"} if "number" in types else types


def _type_of(value: Json) -> str:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return kinds.get(type(value), "object")


def _values(schema: Json) -> list[Json] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _name(schema: Json) -> str:
    types = sorted(_types(schema))
    return schema.get("$ref", "").rsplit("/", 1)[-1] or " or ".join(types) or "anything"


def main() -> int:
    """Compare two files; return 1 when the second breaks clients of the first."""
    old, new = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
    found = breaking_changes(old, new)
    for sentence in found:
        sys.stdout.write(f"{sentence}\n")
    if found:
        sys.stdout.write("This breaks clients of /v1: see docs/contract/README.md.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
