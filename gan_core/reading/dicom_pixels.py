"""From stored values to what a physician would see: 8-bit grey levels or colours.

The order is that of DICOM PS3.3 C.11 and PS3.4 N.2: modality look-up table or rescale, then the
first window or VOI look-up table, then MONOCHROME1 turned round. pydicom does the arithmetic, on
a table of all values that can be stored (at most 65,536), so that a large image costs no more
memory than its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders import get_decoder
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi,
    apply_windowing,
)
from pydicom.uid import RLELossless

from gan_core.reading.dicom_codestream import check_frame
from gan_core.reading.unreadable import UnreadableError

_WINDOW = ("WindowCenter", "WindowWidth", "VOILUTFunction")
_RESCALE = ("RescaleIntercept", "RescaleSlope")


def frames_of(dataset: Dataset) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame as it would be shown: uint8 [H, W] (grey) or [H, W, 3] (RGB).

    Args:
        dataset: As ``read_header`` returns it.

    Raises:
        UnreadableError: ``image_damaged`` or ``image_unsupported``.
        Exception: Whatever a decoder raises on damaged bytes.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax != RLELossless:
        _check_frames(dataset)
    decoder = get_decoder(syntax)
    for number in range(dataset.NumberOfFrames):
        # One at a time, so that only one is in memory.
        stored, _ = next(iter(decoder.iter_array(dataset, indices=[number])))
        if stored.shape[:2] != (dataset.Rows, dataset.Columns):
            raise UnreadableError("image_damaged", "Its pixels are not of the size that it says.")
        values = _meaningful_bits(stored, dataset)
        if dataset.SamplesPerPixel == 3:
            yield _eight_bits(values, dataset.BitsStored)
        elif dataset.PhotometricInterpretation == "PALETTE COLOR":
            yield _palette(values, dataset)
        else:
            yield _grey(values, _of_frame(dataset, number))


def _check_frames(dataset: Dataset) -> None:
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    encoded = generate_frames(
        dataset.PixelData,
        number_of_frames=dataset.NumberOfFrames,
        extended_offsets=offsets if all(offsets) else None,
    )
    count = 0
    for frame in encoded:
        count += 1
        check_frame(
            frame,
            rows=dataset.Rows,
            columns=dataset.Columns,
            samples=dataset.SamplesPerPixel,
        )
    if count != dataset.NumberOfFrames:
        raise UnreadableError("image_damaged", "It has not as many frames as it says.")


def _meaningful_bits(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.int32]:
    """Return the values without what may lie above their bits: old files hide overlays there."""
    bits = dataset.BitsStored
    values = stored.astype(np.int32)
    values &= (1 << bits) - 1
    if dataset.PixelRepresentation == 1:
        values[values >= 1 << (bits - 1)] -= 1 << bits
    return values


def _eight_bits(values: NDArray[np.int32], bits: int) -> NDArray[np.uint8]:
    top = (1 << bits) - 1
    return values.astype(np.uint8) if bits == 8 else ((values * 255 + top // 2) // top).astype("u1")


def _palette(values: NDArray[np.int32], dataset: Dataset) -> NDArray[np.uint8]:
    possible, lowest = _possible(dataset)
    colours = apply_color_lut(possible, dataset)[:, :3]
    table = (colours >> 8).astype(np.uint8) if colours.dtype.itemsize == 2 else colours
    shown: NDArray[np.uint8] = table.astype(np.uint8)[values - lowest]
    return shown


def _possible(dataset: Dataset) -> tuple[NDArray[np.int32], int]:
    """Return every value that can be stored, ascending, and the lowest of them."""
    bits = dataset.BitsStored
    lowest = -(1 << (bits - 1)) if dataset.PixelRepresentation == 1 else 0
    return np.arange(lowest, lowest + (1 << bits), dtype=np.int32), lowest


def _of_frame(dataset: Dataset, number: int) -> Dataset:
    """Return a header with the rescale and window of one frame.

    Enhanced multi-frame images keep these in functional groups, for all frames or for each
    (PS3.3 C.7.6.16).
    """
    groups: list[Dataset] = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    groups += list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[number : number + 1]
    if not groups:
        return dataset
    header = Dataset()
    for name in (*_RESCALE, *_WINDOW, "ModalityLUTSequence", "VOILUTSequence"):
        if name in dataset:
            setattr(header, name, dataset[name].value)
    for group in groups:
        for kind, names in (
            ("PixelValueTransformationSequence", _RESCALE),
            ("FrameVOILUTSequence", _WINDOW),
        ):
            for item in list(group.get(kind) or [])[:1]:
                for name in names:
                    if name in item:
                        setattr(header, name, item[name].value)
    for name in (
        "BitsStored",
        "BitsAllocated",
        "PixelRepresentation",
        "PhotometricInterpretation",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "SamplesPerPixel",
    ):
        if name in dataset:
            setattr(header, name, dataset[name].value)
    header.file_meta = dataset.file_meta
    return header


def _grey(values: NDArray[np.int32], header: Dataset) -> NDArray[np.uint8]:
    possible, lowest = _possible(header)
    is_padding = _is_padding(possible, header)
    meant = np.asarray(apply_modality_lut(possible, header))
    window = _window(meant, header)
    if window is not None:
        levels, bottom, top = window
    else:
        levels = meant.astype(np.float64)
        # 8-bit images mean what they say; of others the range that is used is shown.
        is_used = ~is_padding
        if header.BitsStored > 8:
            occurs = np.bincount(values.ravel() - lowest, minlength=len(possible)) > 0
            is_used &= occurs
        used = levels[is_used]
        bottom, top = (float(used.min()), float(used.max())) if used.size else (0.0, 1.0)
    if not np.isfinite([bottom, top]).all() or not np.isfinite(levels).all():
        raise UnreadableError("image_damaged", "Its rescale or window has no meaning.")
    shares = np.clip((levels - bottom) / ((top - bottom) or 1.0), 0.0, 1.0)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shares = 1.0 - shares
    shares[is_padding] = 0.0
    table = np.rint(255.0 * shares).astype(np.uint8)
    shown: NDArray[np.uint8] = table[values - lowest]
    return shown


def _is_padding(possible: NDArray[np.int32], header: Dataset) -> NDArray[np.bool_]:
    """Say which stored values stand for no measurement (PS3.3 C.7.5.1.1.2)."""
    value = header.get("PixelPaddingValue")
    if type(value) is not int:
        return np.zeros(len(possible), bool)
    limit = header.get("PixelPaddingRangeLimit")
    ends = sorted((value, limit if type(limit) is int else value))
    return (possible >= ends[0]) & (possible <= ends[1])


def _window(
    meant: NDArray[Any], header: Dataset
) -> tuple[NDArray[np.float64], float, float] | None:
    """Return the levels after the first VOI LUT or window, and the ends of their range.

    None: the image brings neither, or a window that has no width.
    """
    if header.get("VOILUTSequence"):
        whole = np.rint(meant).astype(np.int32)
        depth = int(header.VOILUTSequence[0].LUTDescriptor[2])
        return apply_voi(whole, header).astype(np.float64), 0.0, float(2**depth - 1)
    if header.get("WindowCenter") is None or header.get("WindowWidth") is None:
        return None
    try:
        levels = apply_windowing(meant, header)
        # Far outside the window lies nothing but the ends of the range.
        far = np.array([-1e30, 1e30])
        with np.errstate(over="ignore"):
            bottom, top = apply_windowing(far, header).tolist()
    except ValueError:
        return None
    return levels, bottom, top
