"""Errors that a person can act on: a code, a sentence, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class GraftError(Exception):
    """Something went wrong in a way that the person who asked can mend.

    Attributes:
        code: Stable, machine-readable, snake_case ("real_count_too_large").
        detail: One sentence for the person. Holds no path and no file name of an upload.
        hint: What to do next; may be empty.
        evidence: What shows how it came to this, JSON-able and small: a training that diverged
            gives {"history": at most 200 points}. Empty where the sentence says it all.
    """

    evidence: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self, code: str, detail: str, hint: str = "", *, evidence: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{detail} {hint}".strip())
        self.code = code
        self.detail = detail
        self.hint = hint
        if evidence:  # else the class's: subclasses are rebuilt from what an instance holds
            self.evidence = evidence

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would rebuild from the joined sentence alone.
        state = {"evidence": dict(self.evidence)} if self.evidence else None
        return (type(self), (self.code, self.detail, self.hint), state)
