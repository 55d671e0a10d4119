r"""Synthetic images as DICOM: secondary captures that say of themselves what they are.

A Secondary Capture Image (PS3.3 A.8.1), explicit VR little endian, not compressed. Programs find
``SyntheticData`` (0008,001C) = YES, the image type DERIVED\SECONDARY\SYNTHETIC and Graft among
the contributing equipment (109100, DCM, "Synthesizing Equipment"); people find a sentence in the
derivation's description. Patient, study and series are made up, one of each for an image: no
image's twin can then lie in another split.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from gan_core.packaging.labels import Label
from gan_core.reading.dicom_header import file_meta
from gan_core.reading.images import PHANTOM_NOTE

# 2.25 and a UUID (PS3.5 B.2): the class UID of this software, and the space of names of all others.
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "graft.synthetic-images.dicom")
_IMPLEMENTATION = UID(f"2.25.{uuid.uuid5(_NAMES, 'implementation').int}")
_SAID = "Synthetic image: made by a computer, not photographed."
_MAX_BYTES = 2**26
_KEYWORDS = (
    "SOPClassUID",
    "SyntheticData",
    "ImageComments",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PixelData",
)
_TAGS: list[BaseTag | int] = [tag for name in _KEYWORDS if (tag := tag_for_keyword(name))]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a synthetic image comes from, as its header says.

    Attributes:
        source: See ``labels.source_text``; at most 1,024 characters.
        gan: Name of the GAN.
        model: SHA-256 of the generator's file, hex.
        real_count: Real images that the generator was trained on.
        version: Of this software.
        created_at: ISO 8601 in UTC, or empty: the dates are then left empty.
        is_phantom: Whether the real images were drawn, not taken of anybody.
    """

    source: str
    gan: str
    model: str
    real_count: int
    version: str
    created_at: str = ""
    is_phantom: bool = False


def labelled_dicom(pixels: NDArray[np.uint8], origin: Origin) -> bytes:
    """Return an image as a DICOM file.

    Equal arguments give equal bytes with the same version of pydicom. An image whose three
    channels are equal is written as MONOCHROME2, any other as RGB; no value is altered.

    Args:
        pixels: uint8 [H, W, 3].
        origin: What the header says.
    """
    is_grey = bool((pixels == pixels[..., :1]).all())
    stored = np.ascontiguousarray(pixels[..., 0] if is_grey else pixels)
    # Whatever differs in the file gives it another name.
    told = f"{origin!r} {pixels.shape} {hashlib.sha256(stored.tobytes()).hexdigest()}"

    data = _file(_uid("instance", told))
    _describe_patient(data, told)
    _describe_time(data, origin.created_at)
    _describe_equipment(data, origin)
    data.ImageType = ["DERIVED", "SECONDARY", "SYNTHETIC"]
    data.InstanceNumber = 1
    data.PatientOrientation = None
    data.ImageComments = origin.source
    data.DerivationDescription = _derivation(origin)
    data.BurnedInAnnotation = "NO"
    data.LossyImageCompression = "00"

    data.SamplesPerPixel = 1 if is_grey else 3
    data.PhotometricInterpretation = "MONOCHROME2" if is_grey else "RGB"
    if not is_grey:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = pixels.shape[:2]
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelRepresentation = 0
    if is_grey:
        # The identity (PS3.3 C.11.2.1.2.1): viewers show the grey levels as they are.
        data.WindowCenter, data.WindowWidth = "128", "256"
    raw = stored.tobytes()
    data.PixelData = raw + bytes(len(raw) % 2)
    data["PixelData"].VR = "OB"

    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def instance_uid(data: bytes) -> str:
    """Return the SOP instance UID of one of our own files."""
    return str(dcmread(io.BytesIO(data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def read_labelled_dicom(data: bytes) -> tuple[NDArray[np.uint8], Label]:
    """Return the pixels, uint8 [H, W, 3], and the label of a DICOM file that may come from anyone.

    Raises:
        ValueError: It is no secondary capture as this software writes them.
    """
    if len(data) > _MAX_BYTES:
        raise ValueError("larger than any image of ours")
    if data[128:132] != b"DICM":
        raise ValueError("not a DICOM file")
    try:
        # Deflated files, which may unpack to anything, are none of ours.
        syntax, at = file_meta(data)
        if syntax != ExplicitVRLittleEndian:
            raise ValueError("not a DICOM file as this software writes them")  # noqa: TRY301
        body = io.BytesIO(memoryview(data)[at:])
        found = read_dataset(body, False, True, specific_tags=_TAGS)
        pixels = _pixels(found)
        says = found.get("SyntheticData") == "YES"
        source = str(found.get("ImageComments") or "")
    except ValueError:
        raise
    except Exception as error:  # a parser fed hostile bytes may raise anything
        raise ValueError("not a readable DICOM file") from error
    return pixels, Label(says, source)


def _pixels(found: Dataset) -> NDArray[np.uint8]:
    shape = (found.Rows, found.Columns, found.SamplesPerPixel)
    expected = {1: "MONOCHROME2", 3: "RGB"}
    is_ours = (
        found.SOPClassUID == SecondaryCaptureImageStorage
        and expected.get(found.SamplesPerPixel) == found.PhotometricInterpretation
        and (found.BitsAllocated, found.BitsStored, found.PixelRepresentation) == (8, 8, 0)
        and found.get("PlanarConfiguration", 0) == 0
        and "NumberOfFrames" not in found
    )
    count = int(np.prod(shape, dtype=np.int64))
    if not is_ours or len(found.PixelData) != count + count % 2:
        raise ValueError("not a DICOM file as this software writes them")
    stored = np.frombuffer(found.PixelData, np.uint8, count).reshape(shape)
    return np.repeat(stored, 3, axis=2) if shape[2] == 1 else stored


def _uid(kind: str, told: str) -> UID:
    return UID(f"2.25.{uuid.uuid5(_NAMES, f'{kind} {told}').int}")


def _file(instance: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "GRAFT"
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = instance
    return data


def _describe_patient(data: Dataset, told: str) -> None:
    number = uuid.uuid5(_NAMES, f"patient {told}").hex[:16].upper()
    data.PatientName = "SYNTHETIC^GRAFT"
    data.PatientID = f"SYNTHETIC-{number}"
    data.PatientBirthDate = ""
    data.PatientSex = ""
    data.PatientComments = _SAID
    data.StudyInstanceUID = _uid("study", told)
    data.SeriesInstanceUID = _uid("series", told)
    data.StudyID = "SYNTHETIC"
    data.AccessionNumber = ""
    data.ReferringPhysicianName = ""
    data.StudyDescription = "Synthetic image"
    data.SeriesDescription = "Synthetic image"
    data.SeriesNumber = 1
    data.Modality = "OT"
    # The standard wants it absent where no body part is named; validators want it there.
    data.Laterality = ""


def _describe_time(data: Dataset, created_at: str) -> None:
    """Give the job's time, in UTC: the same job gives the same bytes."""
    day = created_at[:10].replace("-", "")
    moment = created_at[11:19].replace(":", "")
    is_known = len(day) == 8 and len(moment) == 6 and (day + moment).isdecimal()
    data.StudyDate = day if is_known else ""
    data.StudyTime = moment if is_known else ""
    if is_known:
        data.ContentDate = data.InstanceCreationDate = day
        data.ContentTime = data.InstanceCreationTime = moment
        data.TimezoneOffsetFromUTC = "+0000"


def _describe_equipment(data: Dataset, origin: Origin) -> None:
    data.SyntheticData = "YES"
    data.ConversionType = "WSD"
    data.Manufacturer = "Graft"
    data.ManufacturerModelName = f"Graft {origin.gan}"
    data.SoftwareVersions = origin.version
    data.SecondaryCaptureDeviceManufacturer = "Graft"
    data.SecondaryCaptureDeviceSoftwareVersions = origin.version
    purpose = Dataset()
    code = codes.cid7005.SynthesizingEquipment
    purpose.CodeValue = code.value
    purpose.CodingSchemeDesignator = code.scheme_designator
    purpose.CodeMeaning = code.meaning
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [purpose]
    equipment.Manufacturer = "Graft"
    equipment.ManufacturerModelName = f"Graft {origin.gan}"
    equipment.SoftwareVersions = origin.version
    equipment.ContributionDescription = f"Drawn by the generator {origin.model}"
    data.ContributingEquipmentSequence = [equipment]


def _derivation(origin: Origin) -> str:
    said = (
        f"{_SAID} Drawn by a generative model ({origin.gan}) that was trained on"
        f" {origin.real_count} real images. Not for diagnosis."
    )
    return f"{said} {PHANTOM_NOTE}" if origin.is_phantom else said
