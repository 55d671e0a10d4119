"""One image file from a stranger becomes a square of RGB pixels; nothing else survives.

EXIF (GPS tags among it), XMP, ICC profiles, text chunks and further frames end here. Text that is
burned into the pixels does not.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from gan_core.reading.unreadable import UnreadableError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
PHANTOM_NOTE = "Graft phantom: drawn by a computer, not a photograph of anyone."
"""Every phantom's file carries this comment; a set with such an image is a phantom set."""

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """An image as it is kept.

    Attributes:
        pixels: uint8 [S, S, 3], RGB.
        is_phantom: Whether the file says that it was drawn.
    """

    pixels: NDArray[np.uint8]
    is_phantom: bool


@contextmanager
def warnings_are_errors() -> Iterator[None]:
    """Make Pillow's warnings ("corrupt EXIF data") errors, while images of strangers are decoded.

    Warning filters belong to the whole process, not to a thread, so this goes around the pool of
    decoding threads and not into each of them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"PIL(\.|$)")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(data: bytes, size: int, *, max_pixels: int = 50_000_000) -> Decoded:
    """Decode one image.

    The shorter side is resized to ``size`` (antialiased bicubic) and the centre square kept; a
    ``size`` × ``size`` image keeps every pixel. EXIF orientation is applied. Of an animation or a
    multi-page TIFF the first frame counts. Transparent parts are laid on white, as viewers and
    printers show them. 16-bit values are scaled to 8 bit by their full range (12-bit TIFF by
    its own); ICC profiles are ignored, as a training script ignores them.

    Args:
        data: A JPEG, PNG, TIFF, BMP or WebP file.
        size: Side of the result, in pixels.
        max_pixels: Most pixels, by the header, before anything is decoded.

    Raises:
        UnreadableError: ``not_an_image``, ``image_too_large``, ``image_unsupported`` or
            ``image_damaged`` (truncated ones too).
    """
    try:
        _check_canvas(data, max_pixels)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image, max_pixels)
            image.load()
            is_phantom = _is_phantom(image)
            turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
            upright = image if turn is None else image.transpose(turn)
            # transpose() drops what the conversion needs to know (tRNS, bits a sample).
            rgb = _to_rgb(upright, image)
            return Decoded(np.asarray(square(rgb, size)), is_phantom)
    except (UnreadableError, MemoryError):  # memory is the whole process's, not this image's
        raise
    except UnidentifiedImageError:
        raise UnreadableError(
            "not_an_image", "It is no JPEG, PNG, TIFF, BMP, WebP or DICOM image."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(max_pixels) from None
    except Exception as error:  # a decoder fed hostile bytes may raise anything
        raise UnreadableError("image_damaged", "It is cut off or damaged.") from error


def _too_large(max_pixels: int) -> UnreadableError:
    return UnreadableError("image_too_large", f"It has more than {max_pixels:,} pixels.")


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(max_pixels)


def _check_canvas(data: bytes, max_pixels: int) -> None:
    """Look at the size of a WebP, for whose decoder Pillow allocates two canvases on opening.

    RFC 9649: the first chunk says it. What is no sound WebP is left to the decoder.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        height = int.from_bytes(data[28:30], "little") & 0x3FFF
    else:
        return
    if width * height > max_pixels:
        raise _too_large(max_pixels)


def _is_phantom(image: Image.Image) -> bool:
    comment = image.info.get("comment", b"") or image.info.get("Comment", b"")
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return text.startswith(PHANTOM_NOTE)


def _to_rgb(image: Image.Image, opened: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        top = 4095 if _bits(opened) == 12 else 65535
        grey = (np.minimum(values, top) * 255 + top // 2) // top
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise UnreadableError(
            "image_unsupported", "Its 32-bit values have no stated range; save it with 8 or 16 bit."
        )
    if "transparency" in opened.info:
        image.info["transparency"] = opened.info["transparency"]
    if image.has_transparency_data:
        alpha = image.convert("RGBA")
        white = Image.new("RGBA", alpha.size, "white")
        return Image.alpha_composite(white, alpha).convert("RGB")
    return image.convert("RGB")


def _bits(image: Image.Image) -> int:
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))
    return int(bits[0])


def square(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to ``size`` (antialiased bicubic) and keep the centre square."""
    width, height = image.size
    if width == height == size:
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    # With a box, a strip of 1 × 50,000,000 pixels is never blown up as a whole.
    return image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
