"""One DICOM file from a stranger becomes squares of RGB pixels; nothing else survives.

Every frame is an image. Who the patient is leaves this module as a hash with a salt that is thrown
away after reading: enough to keep one person's images on one side of a split, and nothing more.
Overlays are not drawn. Text that is burned into the pixels stays; an image that says of itself that
it has such text is counted.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from gan_core.reading.dicom_header import Limits, read_header
from gan_core.reading.dicom_pixels import frames_of
from gan_core.reading.images import PHANTOM_NOTE, square
from gan_core.reading.unreadable import UnreadableError

# Placeholders that de-identifying programs write: they name nobody.
_NOBODY = frozenset(
    ("", "0", "anon", "anonymous", "anonymized", "anonymised", "deidentified", "unknown", "none")
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What is kept of a header, until the set has been split.

    Attributes:
        frames: Frames that follow.
        patient: Salted hash of the patient's id, hex; empty: none is given, or a placeholder.
        study: Salted hash of the study's UID, hex; empty: none is given.
        is_synthetic: The file says that it is no image of anybody (0008,001C).
        has_burned_in_text: The file says that its pixels name the patient (0028,0301).
        is_phantom: The file says that it is one of Graft's phantoms.
    """

    frames: int
    patient: str = ""
    study: str = ""
    is_synthetic: bool = False
    has_burned_in_text: bool = False
    is_phantom: bool = False


def open_dicom(
    data: bytes, size: int, *, limits: Limits, salt: bytes
) -> tuple[About, Iterator[NDArray[np.uint8]]]:
    """Read a file's header; its frames are decoded one by one, as they are asked for.

    Memory and time beyond ``limits`` are the caller's to bound: see ``dicom_process``.

    Args:
        data: The file.
        size: Side S of the frames, made square as other images are (see ``images.decode``).
        limits: Looked up in the header.
        salt: Of the hashes, at least 16 random bytes.

    Returns:
        What the header says; and its frames, uint8 [S, S, 3]. Asking for one may raise what this
        raises.

    Raises:
        UnreadableError: ``not_an_image``, ``image_too_large``, ``image_unsupported`` or
            ``image_damaged``.
    """
    with _only_unreadable():
        dataset = read_header(data, limits)
        about = About(
            frames=dataset.NumberOfFrames,
            patient=_hashed(salt, _patient(dataset)),
            study=_hashed(salt, str(dataset.get("StudyInstanceUID") or "")),
            is_synthetic=dataset.get("SyntheticData") == "YES",
            has_burned_in_text=dataset.get("BurnedInAnnotation") == "YES",
            is_phantom=any(
                PHANTOM_NOTE in str(dataset.get(name) or "")
                for name in ("ImageComments", "DerivationDescription")
            ),
        )
    return about, _squares(dataset, size)


def _squares(dataset: Dataset, size: int) -> Iterator[NDArray[np.uint8]]:
    with _only_unreadable():
        for frame in frames_of(dataset):
            yield np.asarray(square(Image.fromarray(frame), size).convert("RGB"))


@contextmanager
def _only_unreadable() -> Iterator[None]:
    """Turn whatever a decoder raises on hostile bytes into ``image_damaged``; hush warnings."""
    try:
        with warnings.catch_warnings():
            # Warnings of pydicom quote the header.
            warnings.simplefilter("ignore")
            yield
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError("image_damaged", "It is cut off or damaged.") from error


def _patient(dataset: Dataset) -> str:
    patient = str(dataset.get("PatientID") or "").strip()
    if patient.casefold() in _NOBODY:
        return ""
    return f"{dataset.get('IssuerOfPatientID') or ''}\0{patient}"


def _hashed(salt: bytes, name: str) -> str:
    return hmac.digest(salt, name.encode("utf-8", "replace"), "sha256").hex() if name else ""
