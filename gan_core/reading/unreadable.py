"""One image that cannot be read: it is skipped and named by its entry number."""

from __future__ import annotations


class UnreadableError(Exception):
    """An entry that is no usable image.

    Attributes:
        code: Stable, machine-readable ("image_damaged").
        detail: A sentence for the person, without any name from the upload.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
