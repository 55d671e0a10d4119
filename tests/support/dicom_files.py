"""DICOM files of every kind that is read, made by code."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_FIRST_ORDER = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"


def blocks(seed: int, side: int = 40, top: int = 256, colour: bool = False) -> NDArray[Any]:
    """Return 4 × 4 random blocks, so that no two seeds look alike: uint16 or uint8."""
    shape = (4, 4, 3) if colour else (4, 4)
    coarse = np.random.default_rng(seed).integers(0, top, shape)
    whole = np.repeat(np.repeat(coarse, side // 4, axis=0), side // 4, axis=1)
    return whole.astype(np.uint8 if top <= 256 else np.uint16)


def dicom_dataset(pixels: NDArray[Any], *, frames: bool = False, **attributes: Any) -> FileDataset:
    """Return an uncompressed secondary capture; ``attributes`` are set last.

    Args:
        pixels: [H, W], [H, W, 3], or with ``frames`` one dimension more before them.
        frames: Whether the first dimension counts frames.
        attributes: By keyword; None leaves one out.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    one = pixels[0] if frames else pixels
    data.Rows, data.Columns = one.shape[:2]
    data.SamplesPerPixel = 3 if one.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if one.ndim == 3 else "MONOCHROME2"
    if one.ndim == 3:
        data.PlanarConfiguration = 0
    if frames:
        data.NumberOfFrames = len(pixels)
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored, data.HighBit = data.BitsAllocated, data.BitsAllocated - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    for name, value in attributes.items():
        if value is None:
            if name in data:
                delattr(data, name)
        else:
            setattr(data, name, value)
    if "BitsStored" in attributes and "HighBit" not in attributes:
        data.HighBit = data.BitsStored - 1
    return data


def as_bytes(data: Dataset) -> bytes:
    """Return a data set as a file."""
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom_file(pixels: NDArray[Any], **attributes: Any) -> bytes:
    """Return an uncompressed file."""
    return as_bytes(dicom_dataset(pixels, **attributes))


def encapsulated(data: FileDataset, syntax: str, frames: list[bytes]) -> bytes:
    """Return the file with its pixels replaced by encoded frames."""
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate(frames)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return as_bytes(data)


def pillow_frame(pixels: NDArray[Any], kind: str, **how: Any) -> bytes:
    """Return an image as a JPEG or JPEG 2000 codestream."""
    file = io.BytesIO()
    if kind == "JPEG2000":
        how = {"no_jp2": True, **how}
    Image.fromarray(pixels).save(file, kind, **how)
    return file.getvalue()


def compressed(pixels: NDArray[Any], syntax: str, **attributes: Any) -> bytes:
    """Return a file in any of the compressed transfer syntaxes."""
    data = dicom_dataset(pixels, **attributes)
    if syntax == RLELossless:
        data.compress(RLELossless)
        return as_bytes(data)
    if syntax == JPEG_BASELINE:
        if pixels.ndim == 3:
            data.PhotometricInterpretation = "YBR_FULL_422"
        return encapsulated(data, syntax, [pillow_frame(pixels, "JPEG", quality=95)])
    if syntax in (JPEG_2000, JPEG_2000_LOSSLESS):
        lossy = syntax == JPEG_2000
        if pixels.ndim == 3:
            data.PhotometricInterpretation = "YBR_ICT" if lossy else "YBR_RCT"
        how: dict[str, Any] = {"irreversible": lossy, "mct": int(pixels.ndim == 3)}
        return encapsulated(data, syntax, [pillow_frame(pixels, "JPEG2000", **how)])
    return _by_gdcm(as_bytes(data), syntax)


def _by_gdcm(plain: bytes, syntax: str) -> bytes:
    import tempfile
    from pathlib import Path

    import gdcm

    kinds = {
        JPEG_LOSSLESS: gdcm.TransferSyntax.JPEGLosslessProcess14,
        JPEG_LOSSLESS_FIRST_ORDER: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        JPEG_LS: gdcm.TransferSyntax.JPEGLSLossless,
        JPEG_LS_NEAR: gdcm.TransferSyntax.JPEGLSNearLossless,
    }
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        before.write_bytes(plain)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(before))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(after))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return after.read_bytes()


def deflated(pixels: NDArray[Any], **attributes: Any) -> bytes:
    """Return a file in the deflated transfer syntax."""
    data = dicom_dataset(pixels, **attributes)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return as_bytes(data)


def deflate_bomb(size: int) -> bytes:
    """Return a small file that inflates to ``size`` bytes of zeros."""
    whole = deflated(np.zeros((8, 8), np.uint8))
    at = data_set_at(whole)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = struct.pack("<HH2sHL", 0x0009, 0x0010, b"UN", 0, size)
    packed = packer.compress(head) + packer.compress(bytes(size)) + packer.flush()
    return whole[:at] + packed


def data_set_at(whole: bytes) -> int:
    """Return where the data set begins, after the group 0002."""
    at = 132
    while whole[at : at + 2] == b"\x02\x00":
        is_long = whole[at + 4 : at + 6] in (b"OB", b"UN")
        length = struct.unpack_from("<L" if is_long else "<H", whole, at + (8 if is_long else 6))[0]
        at += (12 if is_long else 8) + length
    return at


def palette_file(indices: NDArray[Any], **attributes: Any) -> bytes:
    """Return a file whose 8-bit values stand for colours: (v, 255 - v, 128)."""
    data = dicom_dataset(indices, PhotometricInterpretation="PALETTE COLOR")
    values = np.arange(256, dtype=np.uint16)
    tables = {"Red": values * 257, "Green": (255 - values) * 257, "Blue": 0 * values + 128 * 257}
    for name, table in tables.items():
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", table.astype("<u2").tobytes())
    for name, value in attributes.items():
        setattr(data, name, value)
    return as_bytes(data)


def enhanced_file() -> bytes:
    """Return two frames of 0 to 15 with a window of their own each, in functional groups."""
    ramp = np.tile(np.arange(16, dtype=np.uint16), (16, 1))
    shared, rescale = Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = "10", "0", "US"
    shared.PixelValueTransformationSequence = [rescale]
    groups = []
    # 0 to 150 after the rescale: the first frame shows all of it, the second the lower half.
    for width in ("151", "76"):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = str((int(width) + 1) / 2), width
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    return dicom_file(
        np.stack([ramp, ramp]),
        frames=True,
        BitsStored=12,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
    )


PLANTED = "ZZPLANTEDZZ"
"""What a file from ``full_of_names`` is full of."""


def full_of_names(pixels: NDArray[Any] | None = None) -> tuple[bytes, int]:
    """Return a file with an identifier in every kind of value there is, and how many there are.

    Public and private elements, nested sequences, an overlay, the preamble, the file meta
    information, and what lies after the pixels.
    """
    data = dicom_dataset(blocks(7) if pixels is None else pixels)
    text = PLANTED
    data.PatientName = f"{text}^{text}"  # PN
    data.PatientID = text  # LO
    data.PatientBirthDate = "19620817"  # DA
    data.PatientAge = "061Y"  # AS
    data.PatientComments = text  # LT
    data.AccessionNumber = text  # SH
    data.InstitutionAddress = text  # ST
    data.AcquisitionTime = "101112"  # TM
    data.AcquisitionDateTime = "20260102030405"  # DT
    data.StationAETitle = text  # AE
    data.RetrieveURL = f"https://example.org/{text}"  # UR
    data.LongCodeValue = text  # UC
    data.TextValue = text  # UT
    data.StudyInstanceUID = "1.2.3.4.5.678901234"  # UI
    data.ImageComments = text
    data.BurnedInAnnotation = "YES"
    data.EncapsulatedDocument = text.encode() + b" "  # OB
    person = Dataset()
    person.PatientName = text
    person.OtherPatientIDsSequence = [Dataset()]
    person.OtherPatientIDsSequence[0].PatientID = text
    data.ReferencedPatientSequence = [person]
    block = data.private_block(0x0011, text, create=True)
    block.add_new(0x01, "UN", text.encode() + b" ")
    block.add_new(0x02, "LO", text)
    block.add_new(0x03, "SQ", [person])
    block.add_new(0x04, "OW", text.encode() + b" ")
    data.add_new(0x60000010, "US", 8)  # an overlay of 8 × 8
    data.add_new(0x60000011, "US", 8)
    data.add_new(0x60000022, "LO", text)
    data.add_new(0x60003000, "OW", text.encode()[:8])
    data.add_new(0xFFFCFFFC, "OB", text.encode() + b" ")
    data.file_meta.SourceApplicationEntityTitle = text
    data.file_meta.PrivateInformationCreatorUID = "1.2.3"
    data.file_meta.PrivateInformation = text.encode() + b" "
    data.preamble = text.encode().ljust(128, b"\0")
    whole = as_bytes(data)
    return whole, whole.count(text.encode())
