"""What a packed data set says of itself: the models behind ``index.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_PROBLEMS = 100
MAX_PAIRS = 1000

SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Problem(_Plain):
    """Something that a person should know: an image skipped, a folder left out."""

    code: str
    detail: str
    entry: int | None = None
    """Number of the entry in the archive, counted from 1. File names are never kept."""


class ImageRef(_Plain):
    """One image of the set."""

    split: Literal["train", "test"]
    index: int
    """Row in the split's array."""
    entry: int
    """Number of the entry in the archive, counted from 1."""


class DuplicatePair(_Plain):
    """Two images that are the same, or nearly."""

    kind: Literal["exact", "near"]
    """``exact``: every stored pixel agrees; ``near``: the thumbnails do."""
    rms: float
    """Root mean square difference of the 32 × 32 RGB thumbnails, in grey levels (0–255)."""
    first: ImageRef
    second: ImageRef


class Duplicates(_Plain):
    """Pairs of images that are the same, or nearly."""

    exact: int
    near: int
    """Pairs that are near, but not exact."""
    across_splits: int
    """Of both kinds: pairs with one image in train and one in test."""
    across_classes: int
    """Of both kinds: pairs whose images carry two labels; one of them is likely wrong."""
    pairs: list[DuplicatePair]
    """The closest first; at most 1,000."""
    not_listed: int
    is_complete: bool = True
    """False: a set of lookalikes; the search ended after 2,000,000 pairs."""


class SplitIndex(_Plain):
    """The rows of one split's array."""

    labels: list[int]
    """Index into ``classes``."""
    sha256: list[str]
    """Of the row's bytes as stored."""
    entries: list[int]
    """Number of the row's entry in the archive, counted from 1."""


class DatasetIndex(_Plain):
    """Everything about a packed data set but its pixels."""

    format: Literal[1] = 1
    image_size: int
    """Side of the stored images, in pixels."""
    classes: list[str]
    """Sorted; a label is an index into this list."""
    digest: str
    """SHA-256 over image size, classes, and the label and pixels of every row."""
    counts: dict[str, dict[str, int]]
    """``{"malignant": {"train": 963, "test": 234}}``."""
    is_phantom: bool
    """Whether some image says of itself that it was drawn, not taken."""
    has_own_split: bool
    """False: the split was drawn here, stratified and seeded, with copies kept together."""
    unreadable: int
    """Images that were skipped."""
    problems: list[Problem]
    """At most 100."""
    problems_not_listed: int
    duplicates: Duplicates
    splits: dict[Literal["train", "test"], SplitIndex]

    def class_of(self, image: ImageRef) -> str:
        """Return the class of an image."""
        return self.classes[self.splits[image.split].labels[image.index]]

    def gravest_pairs(self) -> list[DuplicatePair]:
        """Return the listed duplicates: across splits first, across classes next, the closest."""

        def place(pair: DuplicatePair) -> tuple[bool, bool, float, int]:
            one, other = pair.first, pair.second
            is_across = self.class_of(one) != self.class_of(other)
            return (one.split == other.split, not is_across, pair.rms, one.entry)

        return sorted(self.duplicates.pairs, key=place)
