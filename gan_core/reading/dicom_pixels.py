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
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_windowing,
)
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from gan_core.reading.dicom_codestream import check_frame
from gan_core.reading.unreadable import UnreadableError

# GDCM reads all of these, and breaks down on damaged ones where Pillow says that they are damaged.
_BY_PILLOW = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000, JPEG2000Lossless)
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
    plugin = "pillow" if syntax in _BY_PILLOW else ""
    for number in range(dataset.NumberOfFrames):
        # One at a time, so that only one is in memory.
        stored, _ = next(
            iter(decoder.iter_array(dataset, indices=[number], decoding_plugin=plugin))
        )
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


def _meaningful_bits(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Return the values without what may lie above their bits: old files hide overlays there."""
    bits = dataset.BitsStored
    if dataset.PixelRepresentation == 0:
        unsigned: NDArray[Any] = stored & stored.dtype.type((1 << bits) - 1)
        return unsigned
    values = stored.astype(np.int32)
    values &= (1 << bits) - 1
    values[values >= 1 << (bits - 1)] -= 1 << bits
    return values


def _eight_bits(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Scale unsigned colours to 8 bits, a channel at a time for the sake of memory."""
    top = (1 << bits) - 1
    table = ((np.arange(top + 1) * 255 + top // 2) // top).astype(np.uint8)
    shown = np.empty(values.shape, np.uint8)
    for channel in range(values.shape[2]):
        shown[..., channel] = table[values[..., channel]]
    return shown


def _palette(values: NDArray[Any], dataset: Dataset) -> NDArray[np.uint8]:
    possible, lowest = _possible(dataset)
    entries, _, depth = dataset.RedPaletteColorLookupTableDescriptor
    if depth == 8 and not 1 <= entries <= 256:  # pydicom would count entries in 8 bits, too
        raise UnreadableError("image_unsupported", "Its palette is stored in a way not read.")
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


def _grey(values: NDArray[Any], header: Dataset) -> NDArray[np.uint8]:
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
        table, first, depth = _look_up_table(header.VOILUTSequence[0])
        if first > 32767 and meant.min() < 0:  # a signed number, written as an unsigned one
            first -= 65536
        places = np.clip(np.rint(meant).astype(np.int64) - first, 0, len(table) - 1)
        return table[places], 0.0, float(2**depth - 1)
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


def _look_up_table(item: Dataset) -> tuple[NDArray[np.float64], int, int]:
    """Return a table's entries, the value that the first stands for, and their bits (C.11.2.1.1).

    pydicom's own counts entries in as many bits as the entries have, which fails for the usual
    table of 4,096 entries of 8 bits.
    """
    count, first, depth = (int(number) for number in item.LUTDescriptor)
    if not 1 <= depth <= 16:
        raise UnreadableError("image_damaged", "Its look-up table has no meaning.")
    data = item.LUTData
    if isinstance(data, bytes):
        is_narrow = depth == 8 and len(data) < 2 * (count or 65536)
        data = np.frombuffer(data, "u1" if is_narrow else _word(item))
    table = np.atleast_1d(np.asarray(data, np.float64))[: count or 65536]
    if not table.size:
        raise UnreadableError("image_damaged", "Its look-up table is empty.")
    return table, first, depth


def _word(item: Dataset) -> str:
    return "<u2" if item.original_encoding[1] is not False else ">u2"
