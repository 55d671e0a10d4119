"""The preview of a data set: what its sheets of pictures show, and what is said beside them.

The ingest step writes it (``preview.json`` and ``preview-0.png``, ``preview-1.png``, …), the API
hands it out. No other step reads it: it is no part of a data set's digest.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PREVIEW = "preview.json"
MOST_CLASSES = 50
"""Of a set of more classes only the largest are shown."""

_Split = Literal["train", "test"]


class _Plain(BaseModel):
    model_config = ConfigDict(
        # What a later version adds is ignored by an API that is older than the worker.
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
    )


class Tiles(_Plain):
    """A sheet of pictures without gaps: picture k begins at column k mod ``columns``."""

    number: int
    """Of the sheet, from 0."""
    columns: int
    rows: int
    """The last one may be filled up with white."""
    size: int
    """Side of a picture, in pixels."""


class ClassSheet(Tiles):
    """Some images of one class and split, spread evenly over them, row by row."""

    class_name: str = Field(alias="class")
    split: _Split
    count: int
    """Pictures on the sheet."""


class PreviewImage(_Plain):
    """One of two images that resemble each other."""

    split: _Split
    class_name: str = Field(alias="class")
    entry: int
    """Number of the entry in the archive, counted from 1."""


class PreviewPair(_Plain):
    """Two images that are the same, or nearly."""

    kind: Literal["exact", "near"]
    """``exact``: every stored pixel agrees; ``near``: the thumbnails do."""
    rms: float
    """Root mean square difference of the 32 × 32 RGB thumbnails, in grey levels (0–255)."""
    first: PreviewImage
    """In the sheet's upper row."""
    second: PreviewImage
    column: int
    """Of the sheet."""


class PreviewDuplicates(_Plain):
    """Pairs of images that are the same, or nearly, and a sheet with the gravest of them."""

    exact: int
    near: int
    """Pairs that are near, but not exact."""
    across_splits: int
    """Of both kinds: pairs with one image in train and one in test."""
    across_classes: int
    """Of both kinds: pairs whose images carry two labels; one of them is likely wrong."""
    is_complete: bool
    """False: a set of lookalikes; the search ended after 2,000,000 pairs."""
    pairs: list[PreviewPair]
    """Those on the sheet: across splits first, then across classes, then the closest."""
    not_listed: int
    """How many more pairs there are."""
    sheet: Tiles | None
    """Two rows, a pair a column; null where there is no pair."""


class Preview(_Plain):
    """What the ingest step leaves as ``preview.json``."""

    format: Literal[1] = 1
    sheets: list[ClassSheet]
    classes_not_shown: int
    duplicates: PreviewDuplicates


class Sentence(_Plain):
    """Something to know, in plain words."""

    code: str
    """``duplicates_none``, ``duplicates_exact``, ``duplicates_near``, ``duplicates_across_splits``,
    ``duplicates_across_classes``, ``duplicates_incomplete``, ``duplicates_not_listed``,
    ``classes_not_shown``."""
    values: dict[str, int]
    """The numbers in the sentence."""
    text: str
    """English."""


def picture_name(number: int) -> str:
    """Return the name of a sheet's file."""
    return f"preview-{number}.png"


def is_of_preview(name: str) -> bool:
    """Say whether a data set's file is there for the preview alone."""
    return name == PREVIEW or (name.startswith("preview-") and name.endswith(".png"))


def sentences_of(preview: Preview) -> list[Sentence]:
    """Say in plain words which images occur twice, what that does, and what is not shown."""
    found = preview.duplicates
    said: list[Sentence] = []
    if found.exact + found.near == 0:
        text = "No image was found twice, neither as an exact nor as a nearly equal copy."
        said.append(Sentence(code="duplicates_none", values={}, text=text))
    if n := found.exact:
        text = f"{_pairs(n)} of images {_are(n)} equal in every pixel."
        said.append(Sentence(code="duplicates_exact", values={"n": n}, text=text))
    if n := found.near:
        text = (
            f"{_pairs(n)} of images {_are(n)} nearly equal: the same picture saved anew, say, or"
            " two shots of the same thing."
        )
        said.append(Sentence(code="duplicates_near", values={"n": n}, text=text))
    if n := found.across_splits:
        text = (
            f"{_of_these(n)} between training and test. What is learnt by heart from the one is"
            " asked of the other, so every figure comes out too good. Set `leaks` to `leave-out`"
            " in a job, or take them out and upload the set anew."
        )
        said.append(Sentence(code="duplicates_across_splits", values={"n": n}, text=text))
    if n := found.across_classes:
        text = f"{_of_these(n)} between two classes: one of the two labels is likely wrong."
        said.append(Sentence(code="duplicates_across_classes", values={"n": n}, text=text))
    if not found.is_complete:
        text = (
            "The images are so alike that the search ended before all were compared: there are"
            " more pairs than are counted here."
        )
        said.append(Sentence(code="duplicates_incomplete", values={}, text=text))
    if n := found.not_listed:
        shown = len(found.pairs)
        text = (
            f"Shown {_are(shown)} the {_pairs(shown, 'gravest ')}; {n:,} more {_are(n)} not shown."
        )
        values = {"n": n, "shown": shown}
        said.append(Sentence(code="duplicates_not_listed", values=values, text=text))
    if n := preview.classes_not_shown:
        text = (
            f"Pictures are shown of the {MOST_CLASSES} largest classes; of {n:,} more they are not."
        )
        values = {"n": n, "shown": MOST_CLASSES}
        said.append(Sentence(code="classes_not_shown", values=values, text=text))
    return said


def _pairs(n: int, what: str = "") -> str:
    return f"{n:,} {what}pair" if n == 1 else f"{n:,} {what}pairs"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _of_these(n: int) -> str:
    return f"{n:,} of these pairs {'lies' if n == 1 else 'lie'}"
