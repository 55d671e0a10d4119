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
