"""File names in the zip: safe on every system, whatever people call their classes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST = 64
SUFFIXES = {"png": "png", "dicom": "dcm"}
"""Of the images' file names, by output format."""

# Windows opens devices under these names, whatever the extension.
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{i}" for d in ("com", "lpt") for i in range(10)}


def folder_names(class_names: Iterable[str]) -> dict[str, str]:
    """Return a folder for each class: ASCII letters, digits, "-" and "_" only, all different.

    The same classes give the same folders. Names that would fall on the same folder, upper and
    lower case taken as equal, get a number ("naevus", "naevus-2").
    """
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(class_names)):
        slug = _slug(name)
        folder, number = slug, 1
        while folder.lower() in taken:
            number += 1
            folder = f"{slug}-{number}"
        taken.add(folder.lower())
        folders[name] = folder
    return folders


def _slug(name: str) -> str:
    # "Nævus géant" → "N-vus-geant": accents go, other letters become a dash.
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")[:_LONGEST].rstrip("-_")
    if not slug or slug.lower() in _RESERVED:
        return f"class-{slug}".rstrip("-")
    return slug


def is_safe_id(image_id: str) -> bool:
    """Whether an image's id can be the stem of a file name on every system."""
    return _SAFE_ID.fullmatch(image_id) is not None and ".." not in image_id
