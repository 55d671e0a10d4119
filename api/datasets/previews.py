"""The preview of a data set: sheets of its images, and what occurs twice in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from api.http_rules import retry_after
from api.problems import Problem, not_found
from gan_core.spec.preview import (
    PREVIEW,
    ClassSheet,
    Preview,
    PreviewDuplicates,
    Sentence,
    Tiles,
    picture_name,
    sentences_of,
)
from store.objects import Objects
from store.tables import Dataset


class SheetView(ClassSheet):
    """A sheet of images of one class and split."""

    links: dict[str, str]
    """``content``: the sheet as a PNG."""


class PairsSheetView(Tiles):
    """A sheet of pairs, the first image of each above the second."""

    links: dict[str, str]
    """``content``: the sheet as a PNG."""


class DuplicatesView(PreviewDuplicates):
    """Pairs of images that are the same, or nearly."""

    sheet: PairsSheetView | None
    """Null where there is no pair."""


class PreviewView(BaseModel):
    """What a data set looks like."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    sheets: list[SheetView]
    """By class and split; of the 50 largest classes."""
    classes_not_shown: int
    duplicates: DuplicatesView
    sentences: list[Sentence]
    """What there is to know about the above, for a person."""

    @classmethod
    def of(cls, dataset_id: str, preview: Preview) -> Self:
        """Return the view of what an ingest step left."""

        def linked(sheet: Tiles) -> dict[str, Any]:
            content = f"/v1/datasets/{dataset_id}/preview/{sheet.number}"
            return {**sheet.model_dump(), "links": {"content": content}}

        found = preview.duplicates
        return cls(
            sheets=[SheetView(**linked(sheet)) for sheet in preview.sheets],
            classes_not_shown=preview.classes_not_shown,
            duplicates=DuplicatesView(
                **found.model_dump(exclude={"sheet"}),
                sheet=None if found.sheet is None else PairsSheetView(**linked(found.sheet)),
            ),
            sentences=sentences_of(preview),
        )


def has_preview(files: Sequence[dict[str, Any]]) -> bool:
    """Say whether there is a preview among the files of a data set."""
    return any(file["name"] == PREVIEW for file in files)


def object_key(dataset: Dataset, number: int | None = None) -> str:
    """Return where the preview lies, or one of its sheets.

    Raises:
        Problem: 409 ``not_ready``; 404 ``no_preview``, or ``not_found`` for the number of no sheet.
    """
    if dataset.status == "ingesting":
        raise Problem(
            409,
            "not_ready",
            "The data set is still being read.",
            "Ask again when it is `ready`.",
            headers={"Retry-After": retry_after(None)},
        )
    if not has_preview(dataset.files):
        is_rejected = dataset.status == "rejected"
        raise Problem(
            404,
            "no_preview",
            "The data set was rejected, and nothing of it was kept."
            if is_rejected
            else "The data set was read by a version that made no previews.",
            "Its `problems` say why." if is_rejected else "Upload it again to see it.",
        )
    wanted = PREVIEW if number is None else picture_name(number)
    for file in dataset.files:
        if file["name"] == wanted:
            key: str = file["object_key"]
            return key
    raise not_found("picture of the data set")


def content_of(objects: Objects, key: str) -> bytes:
    """Return a file of the preview, all of it: none is larger than some megabytes.

    Raises:
        Problem: 410 ``preview_gone`` when the storage has lost it.
    """
    try:
        return b"".join(objects.iterate(key))
    except FileNotFoundError:
        raise Problem(
            410,
            "preview_gone",
            "The picture is not in the file storage any more.",
            "Upload the data set again.",
        ) from None
