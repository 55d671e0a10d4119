"""What the service answers about the pictures of a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from graft.client.answers import CONFIG


class _Answer(BaseModel):
    # `class` is no name that a field can have in Python.
    model_config = CONFIG | ConfigDict(populate_by_name=True)


class PreviewTiles(_Answer):
    """A sheet of pictures without gaps: picture k begins at column k mod ``columns``."""

    number: int
    columns: int
    rows: int
    size: int
    """Side of a picture, in pixels."""
    links: dict[str, str] = {}


class PreviewSheet(PreviewTiles):
    """Some images of one class and split, row by row."""

    class_name: str = Field(alias="class")
    split: Literal["train", "test"]
    count: int
    """Pictures on the sheet."""


class PreviewImage(_Answer):
    """One of two images that resemble each other."""

    split: Literal["train", "test"]
    class_name: str = Field(alias="class")
    entry: int
    """Number of the entry in the archive, counted from 1."""


class PreviewPair(_Answer):
    """Two images that are the same, or nearly."""

    kind: Literal["exact", "near"]
    rms: float
    """Difference of small copies of the two, in grey levels (0–255)."""
    first: PreviewImage
    """In the sheet's upper row."""
    second: PreviewImage
    column: int
    """Of the sheet."""


class PreviewDuplicates(_Answer):
    """Pairs of images that are the same, or nearly."""

    exact: int
    near: int
    across_splits: int
    across_classes: int
    is_complete: bool = True
    """False: a set of lookalikes; the search ended before all were compared."""
    pairs: list[PreviewPair] = []
    """Those on the sheet, the gravest first."""
    not_listed: int = 0
    sheet: PreviewTiles | None = None


class PreviewSentence(_Answer):
    """Something to know about a data set, in plain words."""

    code: str
    values: dict[str, int] = {}
    text: str


class Preview(_Answer):
    """Sheets of a data set's images, and what occurs twice in it."""

    sheets: list[PreviewSheet]
    classes_not_shown: int = 0
    """Pictures are of the largest classes only."""
    duplicates: PreviewDuplicates
    sentences: list[PreviewSentence] = []
