"""``python -m api.openapi > openapi.json``: the contract, the same from the same code."""

from __future__ import annotations

import json
import sys

from api.app import assemble


def document() -> str:
    """Return the OpenAPI document as it is committed."""
    return json.dumps(assemble().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
