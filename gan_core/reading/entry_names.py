"""Names of entries in archives, checked as hostile input. None is ever opened as a path."""

from __future__ import annotations

from gan_core.spec.errors import GraftError


def checked_name(raw: bytes, number: int, *, fallback: str | None = None) -> str:
    """Decode an entry's name.

    Args:
        raw: As the archive has it; UTF-8.
        number: The entry's, for what is said of it.
        fallback: Encoding of names that are not valid UTF-8; None: they are refused.

    Raises:
        GraftError: ``archive_control_character``, ``archive_backslash`` or
            ``archive_unsafe_name``.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        if fallback is None:
            raise GraftError(
                "archive_control_character",
                f"The name of entry {number} is not valid UTF-8.",
                "Pack the folder anew.",
            ) from None
        name = raw.decode(fallback)
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name):
        raise GraftError(
            "archive_control_character",
            f"The name of entry {number} holds a control character.",
            "Rename the file.",
        )
    if "\\" in name:
        raise GraftError(
            "archive_backslash",
            f"The name of entry {number} holds a backslash.",
            "Pack the folder with a tool that writes forward slashes.",
        )
    parts = name.removesuffix("/").split("/")
    if not name or name[1:2] == ":" or any(part in ("", ".", "..") for part in parts):
        raise GraftError(
            "archive_unsafe_name",
            f"The name of entry {number} is absolute, or leads out of the archive.",
            "Pack the folder anew, with relative names.",
        )
    return name


def duplicate_name(number: int) -> GraftError:
    """Return the refusal of an archive with two entries of one name."""
    return GraftError(
        "archive_duplicate_names",
        f"Entry {number} has the name of another entry.",
        "Pack the folder anew.",
    )


def irregular_entry(number: int) -> GraftError:
    """Return the refusal of an archive with links or devices in it."""
    return GraftError(
        "archive_irregular_entry",
        f"Entry {number} is a link, a device or something else that is no file.",
        "Pack plain files.",
    )


def too_many_entries(max_entries: int) -> GraftError:
    """Return the refusal of an archive with more entries than are taken."""
    return GraftError(
        "archive_too_many_entries",
        f"The archive holds more than {max_entries:,} entries.",
        "Leave out what is no image, or split the set.",
    )


def empty_archive() -> GraftError:
    """Return the refusal of an archive without entries."""
    return GraftError("empty_archive", "The archive is empty.", "Add folders of images.")
