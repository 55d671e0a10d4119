"""The tables of ``docs/job-spec-fields.md``, written from the models themselves.

python -m gan_core.spec.document > docs/job-spec-fields.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from gan_core.spec.images import ImagesSpec
from gan_core.spec.job import JobSpec
from gan_core.spec.profiles import ASKED_FOR, PROFILES
from gan_core.spec.recommend import RULES

_HEAD = """\
# The job spec, field by field

Made from the code by `python -m gan_core.spec.document`; do not edit it by hand.
[job-spec.md](job-spec.md) explains the fields and gives examples.
"""
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "minItems": "{} or more",
    "maxItems": "up to {}",
}
PRETRAINS = "on the other classes first"
# The order in which a reader meets them; the schema itself sorts by name.
_ORDER = [
    "GanSpec",
    "ScheduleRow",
    "UpscaleSpec",
    "BenchmarkSpec",
    "SeedCnnSpec",
    "FinetuneSpec",
    "StudyScreenSpec",
]
_ORDER += ["OutputSpec"]


def _bounds(schema: dict[str, Any]) -> str:
    found = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    return f" ({', '.join(found)})" if found else ""


def _kind(schema: dict[str, Any]) -> str:
    """Say in words what a piece of JSON schema accepts."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}{_bounds(schema)}"
    return f"{schema['type']}{_bounds(schema)}"


def _default(name: str, schema: dict[str, Any], required: list[str]) -> str:
    if name in required:
        return "required"
    if "default" not in schema:
        return "[]" if schema.get("type") == "array" else "its own defaults"
    value = schema["default"]
    return "its own defaults" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _prose(schema: dict[str, Any]) -> str:
    # reStructuredText's double backquotes are Markdown's single ones.
    text = re.sub(r"``([^`]*)``", r"`\1`", schema.get("description", ""))
    return " ".join(text.split())


def _table(schema: dict[str, Any]) -> Iterator[str]:
    yield _row("field", "accepts", "default", "meaning")
    yield _row("---", "---", "---", "---")
    for name, field in schema["properties"].items():
        default = _default(name, field, schema.get("required", []))
        yield _row(f"`{name}`", _kind(field), default, _prose(field))


def _briefly(gan: dict[str, Any]) -> str:
    """How a GAN is trained on 100 real images, in a few words."""
    rows: list[dict[str, Any]] = gan["schedule"]
    row = next(row for row in rows if row["up_to"] is None or row["up_to"] >= 100)
    return (
        f"`{gan['name']}` at {gan['image_size']} pixels (on 100 real images {row['epochs']} epochs"
        f" in batches of {row['batch_size']})"
    )


def _rules() -> Iterator[str]:
    """The profile ``best``'s choice, as a table."""
    yield _row("device", "real images", "GAN", "pixels", "batch", "images shown", PRETRAINS, "why")
    yield _row(*["---"] * 8)
    for rule in RULES:
        sizes = (rule.image_size, rule.batch_size, rule.images_shown)
        told = ["–"] * 3 if rule.gan is None else [f"{size:,}" for size in sizes]
        told.append("–" if rule.pretrain_from is None else f"with {rule.pretrain_from} of them")
        gan = "none" if rule.gan is None else f"`{rule.gan}`"
        yield _row(rule.device, f"from {rule.from_count}", gan, *told, rule.because)


def document() -> str:
    """Return the page: a table for each model, then each profile as JSON."""
    schema = JobSpec.model_json_schema()
    lines = [_HEAD, "## JobSpec", "", *_table(schema)]
    definitions = schema["$defs"]
    for name in [*_ORDER, *sorted(set(definitions) - set(_ORDER))]:
        lines += ["", f"## {name}", "", _prose(definitions[name]), ""]
        lines += _table(definitions[name])
    images = ImagesSpec.model_json_schema()
    lines += [
        "",
        "## ImagesSpec",
        "",
        f"{_prose(images)} See [api.md](api.md).",
        "",
        *_table(images),
    ]
    for name in sorted(set(images["$defs"]) - set(definitions)):
        lines += ["", f"## {name}", "", _prose(images["$defs"][name]), ""]
        lines += _table(images["$defs"][name])
    lines += ["", "## What the profiles fill in", ""]
    lines.append("A field given by hand wins; a default above holds where a profile is silent.")
    for name, values in PROFILES.items():
        lines += ["", f"### {name}", "", "```json", json.dumps(values, indent=2), "```"]
        trained = [gan["name"] for gan in values.get("gans", [])]
        if not trained:
            lines += ["", "Its GANs, when none are given:", "", *_rules()]
        others = [_briefly(gan) for gan in ASKED_FOR[name] if gan["name"] not in trained]
        lines += ["", f"Other GANs, when they are asked for by name: {', '.join(others)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
