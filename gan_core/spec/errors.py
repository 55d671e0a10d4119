"""Errors that a person can act on: a code, a sentence, and what to do next."""

from __future__ import annotations


class GraftError(Exception):
    """Something went wrong in a way that the person who asked can mend.

    Attributes:
        code: Stable, machine-readable, snake_case ("real_count_too_large").
        detail: One sentence for the person. Holds no path and no file name of an upload.
        hint: What to do next; may be empty.
    """

    def __init__(self, code: str, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail} {hint}".strip())
        self.code = code
        self.detail = detail
        self.hint = hint

    def __reduce__(self) -> tuple[type[GraftError], tuple[str, str, str]]:
        # The default would rebuild from the joined sentence alone.
        return (type(self), (self.code, self.detail, self.hint))
