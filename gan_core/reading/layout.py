"""From names in an archive to splits and classes.

``[root/]{train,test}/<class>/…`` or ``[root/]<class>/…``; one folder around everything is looked
through. ``train`` and ``test`` are found in any case, ``training`` and ``testing`` too. A
``val``/``validation`` folder joins the training split: the service holds images back from
training by itself, again and again, so a fixed part would only be lost.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from gan_core.reading.archive import Entry
from gan_core.reading.index import Problem
from gan_core.spec.errors import GraftError

Split = Literal["train", "test"]

MAX_CLASSES = 100
_MAX_CLASS_NAME = 64
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "train",
    "valid": "train",
    "validation": "train",
    "test": "test",
    "testing": "test",
}
_VALIDATION = ("val", "valid", "validation")
_IMAGES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dib", ".webp")
) | frozenset((".dcm", ".dicom", ".dic", ".ima"))
_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"))
_CLUTTER = frozenset(("__macosx", "thumbs.db", "desktop.ini", "dicomdir"))


@dataclass(frozen=True)
class Item:
    """An entry that should be an image."""

    entry: Entry
    class_name: str
    split: Split | None
    """None: the set brings no split."""


@dataclass
class Layout:
    """What the names say.

    Attributes:
        items: Sorted by class and name, so that the order in the archive does not matter.
        classes: Class names, sorted.
        has_own_split: Whether the set brings ``train/`` and ``test/``.
        problems: What was left out, and why.
    """

    items: list[Item]
    classes: list[str]
    has_own_split: bool
    problems: list[Problem] = field(default_factory=list)


def lay_out(entries: list[Entry]) -> Layout:
    """Give every image its class and split.

    Raises:
        GraftError: ``no_images``, ``one_class_only``, ``too_many_classes``, ``bad_class_name``,
            ``class_names_clash``, ``class_missing_in_train`` or ``class_missing_in_test``.
    """
    problems: list[Problem] = []
    found = [(entry, entry.name.split("/")) for entry in entries]
    found = [(entry, parts) for entry, parts in found if not _is_clutter(parts)]
    images = [(entry, parts) for entry, parts in found if _may_be_image(parts)]
    if not images:
        raise GraftError(
            "no_images",
            "There is no image in a folder of its class.",
            "Put JPEG, PNG, TIFF, BMP, WebP or DICOM files into one folder for each class.",
        )
    problems += _not_images(found)
    images = _without_root(images)
    tops = {parts[0].casefold() for _, parts in images if len(parts) > 1}
    brings_train = any(_SPLITS.get(top) == "train" for top in tops)
    brings_test = any(_SPLITS.get(top) == "test" for top in tops)
    if brings_train or brings_test:
        if not brings_train:
            raise GraftError(
                "class_missing_in_train",
                "There is a test folder, but no train folder.",
                "Add train/ beside test/, or leave both away: the set is then split for you.",
            )
        items = _split_items(images, problems, keep_splits=brings_test)
    else:
        items = [(entry, parts[0], None) for entry, parts in images if len(parts) > 1]
        _count_left_out(problems, len(images) - len(items), "outside every class folder")
    names = _class_names({folder for _, folder, _ in items})
    own_split = brings_train and brings_test
    laid_out = sorted(
        (Item(entry, names[folder], split) for entry, folder, split in items),
        key=lambda item: (item.class_name, _normal(item.entry.name)),
    )
    classes = sorted(set(names.values()))
    _check_classes(classes, laid_out, own_split=own_split)
    return Layout(laid_out, classes, own_split, problems)


def _is_clutter(parts: list[str]) -> bool:
    return any(part.startswith(".") or part.casefold() in _CLUTTER for part in parts)


def _suffix(parts: list[str]) -> str:
    _, dot, suffix = parts[-1].rpartition(".")
    return f".{suffix.casefold()}" if dot else ""


def _may_be_image(parts: list[str]) -> bool:
    # A file without a suffix gets its chance: the decoder looks at the content anyway.
    # Many DICOM files are called by their UID, which ends with a number.
    suffix = _suffix(parts)
    return len(parts) > 1 and (suffix in _IMAGES | {""} or suffix[1:].isdecimal())


def _not_images(found: list[tuple[Entry, list[str]]]) -> list[Problem]:
    """Name what lies among the images but is none; a README at the top is nobody's problem."""
    problems = []
    for entry, parts in found:
        if len(parts) < 2 or _may_be_image(parts):
            continue
        if _suffix(parts) in _ARCHIVES:
            detail = "An archive inside the archive was not opened."
            problems.append(Problem(code="nested_archive", detail=detail, entry=entry.number))
        else:
            detail = "A file of a kind that is not read was left out."
            problems.append(Problem(code="not_an_image", detail=detail, entry=entry.number))
    return problems


def _without_root(
    images: list[tuple[Entry, list[str]]],
) -> list[tuple[Entry, list[str]]]:
    """Look through one folder that lies around everything."""
    tops = {parts[0] for _, parts in images}
    if len(tops) == 1 and _SPLITS.get(next(iter(tops)).casefold()) is None:
        inner = [(entry, parts[1:]) for entry, parts in images]
        if any(len(parts) > 1 for _, parts in inner):
            return inner
    return images


def _split_items(
    images: list[tuple[Entry, list[str]]], problems: list[Problem], *, keep_splits: bool
) -> list[tuple[Entry, str, Split | None]]:
    items: list[tuple[Entry, str, Split | None]] = []
    validation = 0
    for entry, parts in images:
        split = _SPLITS.get(parts[0].casefold())
        if split is None or len(parts) < 3:
            continue
        validation += parts[0].casefold() in _VALIDATION
        items.append((entry, parts[1], split if keep_splits else None))
    # The study's set carries a second copy of everything under another folder, for one.
    _count_left_out(problems, len(images) - len(items), "outside train/ and test/")
    if validation:
        detail = f"{validation} images of a validation folder joined the training images."
        problems.append(Problem(code="validation_merged", detail=detail))
    return items


def _count_left_out(problems: list[Problem], count: int, where: str) -> None:
    if count:
        detail = f"{count} images that lie {where} were left out."
        problems.append(Problem(code="left_out", detail=detail))


def _normal(name: str) -> str:
    # macOS writes é as two characters, others as one.
    return unicodedata.normalize("NFC", name)


def clean_class_name(folder: str) -> str:
    """Turn a folder's name into a class name that is safe as a file name anywhere.

    Letters and digits of any script, ``_``, ``-``, ``.`` and ``+`` stay; runs of anything else
    become one ``_``.

    Raises:
        GraftError: ``bad_class_name`` when nothing stays, or more than 64 characters.
    """
    kept = "".join(
        c if unicodedata.category(c)[0] in "LNM" or c in "_-.+" else " " for c in _normal(folder)
    )
    name = "_".join(kept.split()).strip("_.-")
    if not name or len(name) > _MAX_CLASS_NAME or len(name.encode()) > 3 * _MAX_CLASS_NAME:
        raise GraftError(
            "bad_class_name",
            f"A class folder's name is empty or longer than {_MAX_CLASS_NAME} characters once "
            "only letters, digits, '_', '-', '.' and '+' are kept.",
            "Rename the folder.",
        )
    return name


def _class_names(folders: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    seen: dict[str, tuple[str, str]] = {}
    for folder in sorted(folders):
        name = clean_class_name(folder)
        other = seen.setdefault(name.casefold(), (_normal(folder), name))
        if other[0] != _normal(folder):
            raise GraftError(
                "class_names_clash",
                f"Two class folders would both be called {name}.",
                "Give every class one name, spelt the same everywhere.",
            )
        names[folder] = name
    return names


def _check_classes(classes: list[str], items: list[Item], *, own_split: bool) -> None:
    if not classes:
        raise GraftError(
            "no_images",
            "There is no image in a folder of its class.",
            "Put the images into one folder for each class.",
        )
    if len(classes) == 1:
        raise GraftError(
            "one_class_only",
            f"All images belong to one class, {classes[0]}.",
            "Add at least one other class in a folder of its own.",
        )
    if len(classes) > MAX_CLASSES:
        raise GraftError(
            "too_many_classes",
            f"There are {len(classes)} class folders; at most {MAX_CLASSES} are taken.",
            "Put the images into one folder for each class.",
        )
    if not own_split:
        return
    for split in ("train", "test"):
        present = {item.class_name for item in items if item.split == split}
        for name in classes:
            if name not in present:
                raise GraftError(
                    f"class_missing_in_{split}",
                    f"The class {name} has no image in the {split} split.",
                    f"Add images to {split}/{name}, or leave train/ and test/ away: the set is "
                    "then split for you.",
                )
