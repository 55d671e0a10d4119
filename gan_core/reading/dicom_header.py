"""The header of a stranger's DICOM file: the few attributes that its pixels need, checked.

Of a header only the attributes of ``_NEEDED`` are ever held: names, birth dates, private tags and
overlays are passed over unread (DICOM PS3.10 for the file, PS3.5 for the encoding, PS3.3 C.7.6.3
for what an image says of its pixels).
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.tag import BaseTag
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGExtended12Bit

from gan_core.reading.unreadable import UnreadableError

_PREAMBLE = 128
_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
# Value representations whose length has four bytes (PS3.5 7.1.2).
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"))
_MAX_META_BYTES = 2**16
_MAX_ELEMENTS = 50_000

# What has pixels and is no picture of a patient that a training could learn from.
_NO_IMAGES = (
    "1.2.840.10008.1.3.10",  # DICOMDIR
    "1.2.840.10008.5.1.4.1.1.66.4",  # segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # label map segmentation
    "1.2.840.10008.5.1.4.1.1.77.1.6",  # whole slide: tiles
    "1.2.840.10008.5.1.4.1.1.481.2",  # radiotherapy dose
)
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_NEEDED = (
    # who, for a hash that keeps one patient's images on one side of a split
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    # what the file says of itself
    "SOPClassUID",
    "SyntheticData",
    "BurnedInAnnotation",
    "ImageComments",
    "DerivationDescription",
    # pixels
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    # from stored values to grey levels and colours
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PixelPresentation",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
)
_TAGS: list[BaseTag | int] = [tag for name in _NEEDED if (tag := tag_for_keyword(name))]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a file may hold; looked up before anything is decoded.

    Attributes:
        pixels: Most pixels of a frame.
        frames: Most frames of a file.
        all_pixels: Most pixels of all frames together.
        bytes: Most bytes that a deflated file may become.
    """

    pixels: int = 50_000_000
    frames: int = 256
    all_pixels: int = 200_000_000
    bytes: int = 256 * 2**20


def read_header(data: bytes, limits: Limits) -> Dataset:
    """Return what an image's pixels need of its header, with the pixel data still encoded.

    Raises:
        UnreadableError: ``not_an_image``, ``image_too_large``, ``image_unsupported`` or
            ``image_damaged``.
    """
    syntax, at = file_meta(data)
    _check_syntax(syntax)
    body = memoryview(data)[at:]
    source = io.BytesIO(_inflated(body, limits.bytes) if syntax == _DEFLATED else body)
    dataset = read_dataset(
        source,
        is_implicit_VR=syntax == _IMPLICIT_LITTLE,
        is_little_endian=syntax != _EXPLICIT_BIG,
        stop_when=_Counter(),
        specific_tags=_TAGS,
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    _check_image(dataset)
    _check_size(dataset, limits)
    return dataset


class _Counter:
    """Ends the reading of a header that goes on and on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> bool:
        self.count += 1
        if self.count > _MAX_ELEMENTS:
            raise UnreadableError("image_damaged", f"It has more than {_MAX_ELEMENTS:,} elements.")
        return False


def _damaged(how: str = "It is cut off or damaged.") -> UnreadableError:
    return UnreadableError("image_damaged", how)


def file_meta(data: bytes) -> tuple[str, int]:
    """Return the transfer syntax of a DICOM file, and where its data set begins.

    The group 0002 is always explicit and little endian (PS3.10 7.1); its stated length is not
    believed.

    Raises:
        UnreadableError: ``image_damaged``.
    """
    at, syntax = _PREAMBLE + 4, ""
    while data[at : at + 2] == b"\x02\x00":
        if at > _MAX_META_BYTES:
            raise _damaged("Its file meta information does not end.")
        element = int.from_bytes(data[at + 2 : at + 4], "little")
        if data[at + 4 : at + 6] in _LONG:
            length, start = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        else:
            length, start = int.from_bytes(data[at + 6 : at + 8], "little"), at + 8
        if start + length > len(data):
            raise _damaged()
        if element == 0x0010:
            syntax = data[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        at = start + length
    if not syntax:
        raise _damaged("It does not say how it is encoded (no transfer syntax).")
    return syntax, at


def _check_syntax(syntax: str) -> None:
    try:
        is_read = UID(syntax).is_valid and get_decoder(UID(syntax)).is_available
    except NotImplementedError:
        is_read = False
    if not is_read:
        raise UnreadableError(
            "image_unsupported",
            "Its pixels are compressed in a way that is not read (transfer syntax).",
        )


def _inflated(body: memoryview, limit: int) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error:
        raise _damaged("Its deflated data cannot be unpacked.") from None
    if len(plain) > limit:
        raise UnreadableError("image_too_large", f"It unpacks to more than {limit:,} bytes.")
    return plain


def _check_image(dataset: Dataset) -> None:
    if str(dataset.get("SOPClassUID", "")).startswith(_NO_IMAGES) or "PixelData" not in dataset:
        raise UnreadableError("not_an_image", "It is a DICOM file of a kind that is no image.")
    photometric = dataset.get("PhotometricInterpretation")
    samples = dataset.get("SamplesPerPixel")
    is_grey = photometric in (*_GREY, "PALETTE COLOR") and samples == 1
    if not is_grey and not (photometric in _COLOURS and samples == 3):
        raise UnreadableError("image_unsupported", "Its colours are stored in a way not read.")
    allocated, stored = dataset.get("BitsAllocated"), dataset.get("BitsStored")
    if allocated not in (8, 16) or type(stored) is not int:
        raise UnreadableError("image_unsupported", "Its values have neither 8 nor 16 bits.")
    syntax = dataset.file_meta.TransferSyntaxUID
    is_beyond = stored != 8 if syntax == JPEGExtended12Bit else samples == 3 and stored > 8
    if is_beyond and syntax in (JPEGExtended12Bit, *JPEG2000TransferSyntaxes):
        raise UnreadableError(
            "image_unsupported",
            "JPEG of 12 bits and JPEG 2000 in colours of more than 8 are not read.",
        )
    if not 1 <= stored <= allocated or dataset.get("PixelRepresentation") not in (
        (0, 1) if samples == 1 else (0,)
    ):
        raise _damaged("It describes its pixels wrongly.")
    # Values that do not begin at the lowest bit: retired, and read by nobody in the same way.
    if dataset.get("HighBit", stored - 1) != stored - 1:
        raise UnreadableError("image_unsupported", "Its values do not begin at the lowest bit.")


def _check_size(dataset: Dataset, limits: Limits) -> None:
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if type(rows) is not int or type(columns) is not int or rows < 1 or columns < 1:
        raise _damaged("It does not say how large it is.")
    try:
        frames = int(dataset.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        raise _damaged("It does not say how many frames it has.") from None
    if frames < 1:
        raise _damaged("It does not say how many frames it has.")
    if rows * columns > limits.pixels:
        raise UnreadableError("image_too_large", f"It has more than {limits.pixels:,} pixels.")
    if frames > limits.frames:
        raise UnreadableError("image_too_large", f"It has more than {limits.frames} frames.")
    if rows * columns * frames > limits.all_pixels:
        raise UnreadableError(
            "image_too_large", f"Its frames have more than {limits.all_pixels:,} pixels together."
        )
    dataset.NumberOfFrames = frames
