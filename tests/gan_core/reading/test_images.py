"""One image of every kind becomes the right square of pixels, and nothing else survives."""

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hostile_files import hostile_images, private_image, webp_of_size
from PIL import Image, ImageFile, PngImagePlugin

from gan_core.reading.images import PHANTOM_NOTE, decode, warnings_are_errors
from gan_core.reading.unreadable import UnreadableError


def _file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _pixels(data: bytes, size: int, **options: int) -> np.ndarray:
    with warnings_are_errors():
        return decode(data, size, **options).pixels


def _code(data: bytes, **options: int) -> str:
    with warnings_are_errors(), pytest.raises(UnreadableError) as caught:
        decode(data, 32, **options)
    return caught.value.code


@pytest.fixture
def scene() -> np.ndarray:
    """uint8 [48, 48, 3], every quarter of another colour and gradient."""
    y, x = np.mgrid[:48, :48]
    return np.stack([x * 5, y * 5, (x // 24 * 2 + y // 24) * 60], axis=2).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_an_image_of_the_stored_size_keeps_every_pixel(scene: np.ndarray, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = _file(Image.fromarray(scene), kind, **options)
    np.testing.assert_array_equal(_pixels(data, 48), scene)


def test_a_jpeg_of_the_stored_size_is_decoded_and_not_resampled(scene: np.ndarray) -> None:
    data = _file(Image.fromarray(scene), "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(_pixels(data, 48), expected)


def test_a_wide_image_is_shrunk_by_its_shorter_side_and_cropped_in_the_middle() -> None:
    wide = np.zeros((64, 192, 3), np.uint8)
    wide[:, 64:128] = 200
    np.testing.assert_array_equal(_pixels(_file(Image.fromarray(wide)), 64), wide[:, 64:128])
    small = _pixels(_file(Image.fromarray(wide)), 32)
    assert small.shape == (32, 32, 3)
    assert small[:, 4:-4].min() == 200


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = _pixels(_file(Image.fromarray(stripes)), 64)[8:-8, 8:-8]
    assert abs(small.astype(int) - 128).max() <= 3


def test_a_strip_of_one_pixel_height_costs_no_memory() -> None:
    strip = Image.new("RGB", (200_000, 1), (10, 20, 30))
    assert (_pixels(_file(strip), 64) == (10, 20, 30)).all()


def test_grey_becomes_three_equal_channels() -> None:
    grey = Image.linear_gradient("L").resize((32, 32))
    pixels = _pixels(_file(grey), 32)
    for channel in range(3):
        np.testing.assert_array_equal(pixels[..., channel], np.asarray(grey))


def test_black_and_white_becomes_0_and_255() -> None:
    pixels = _pixels(_file(Image.linear_gradient("L").resize((32, 32)).convert("1")), 32)
    assert set(np.unique(pixels)) == {0, 255}


def test_a_palette_is_looked_up() -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 12, 34, 56])
    assert (_pixels(_file(image), 32) == (12, 34, 56)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (32, 32), (100, 100, 100, 255))
    image.paste((0, 0, 0, 0), (0, 0, 16, 32))
    pixels = _pixels(_file(image.convert(mode)), 32)
    assert (pixels[:, :16] == 255).all()
    assert (pixels[:, 16:] == 100).all()


def test_half_transparent_parts_are_mixed_with_white() -> None:
    image = Image.new("RGBA", (32, 32), (100, 100, 100, 128))
    assert abs(int(_pixels(_file(image), 32)[0, 0, 0]) - 177) <= 1


def test_a_transparent_palette_entry_is_laid_on_white() -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 12, 34, 56])
    image.paste(0, (0, 0, 16, 32))
    pixels = _pixels(_file(image, transparency=0), 32)
    assert (pixels[:, :16] == 255).all()
    assert (pixels[:, 16:] == (12, 34, 56)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_by_its_full_range(kind: str) -> None:
    values = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    pixels = _pixels(_file(Image.fromarray(values), kind), 32)
    np.testing.assert_array_equal(pixels[..., 0], np.rint(values / 257).astype(np.uint8))
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_big_endian_sixteen_bit_grey_is_read_too() -> None:
    values = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    image = Image.frombytes("I;16B", (32, 32), values.astype(">u2").tobytes())
    pixels = _pixels(_file(image, "TIFF"), 32)
    np.testing.assert_array_equal(pixels[..., 1], np.rint(values / 257).astype(np.uint8))


def test_sixteen_bit_colour_keeps_its_upper_byte() -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))
        )

    row = b"\0" + struct.pack(">HHH", 0x1280, 0x8000, 0xFFFF) * 32
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2L5B", 32, 32, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(row * 32)) + chunk(b"IEND", b"")
    assert (_pixels(data, 32) == (0x12, 0x80, 0xFF)).all()


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    pixels = _pixels(_file(red, "JPEG", quality=95), 32)
    assert abs(pixels.astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bit_values_are_refused_since_their_range_is_unknown(mode: str) -> None:
    assert _code(_file(Image.new(mode, (32, 32)), "TIFF")) == "image_unsupported"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_exif_orientation_is_turned_upright(
    scene: np.ndarray, orientation: int, kind: str
) -> None:
    undo = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1),
        7: scene.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(scene, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _file(Image.fromarray(np.ascontiguousarray(undo)), kind, exif=exif)
    np.testing.assert_array_equal(_pixels(data, 48), scene)


def test_only_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = _file(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert (_pixels(data, 32) == (255, 0, 0)).all()


def test_an_image_bomb_is_refused_by_its_header() -> None:
    data = bytearray(_file(Image.new("L", (32, 32))))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert _code(bytes(data)) == "image_too_large"
    assert _code(_file(Image.new("L", (32, 32))), max_pixels=1000) == "image_too_large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_a_truncated_image_is_refused(scene: np.ndarray, kind: str) -> None:
    data = _file(Image.fromarray(scene), kind)
    assert _code(data[: len(data) * 2 // 3]) in {"image_damaged", "not_an_image"}


@pytest.mark.parametrize("kind", ["GIF", "ICO", "PPM", "TGA", "PDF"])
def test_other_formats_are_not_even_tried(scene: np.ndarray, kind: str) -> None:
    assert _code(_file(Image.fromarray(scene), kind)) == "not_an_image"


def test_svg_and_text_are_no_images() -> None:
    assert _code(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "not_an_image"
    assert _code(b"") == "not_an_image"


def test_a_warning_of_the_decoder_is_an_error(scene: np.ndarray) -> None:
    data = _file(Image.fromarray(scene), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01")
    assert _code(data) == "image_damaged"


def test_a_phantom_is_known_by_its_note(scene: np.ndarray) -> None:
    image = Image.fromarray(scene)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", PHANTOM_NOTE)
    assert decode(_file(image, "JPEG", comment=PHANTOM_NOTE), 48).is_phantom
    assert decode(_file(image, pnginfo=text), 48).is_phantom
    assert not decode(_file(image, "JPEG", comment="a camera"), 48).is_phantom
    assert not decode(_file(image), 48).is_phantom


_HOSTILE = hostile_images()


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_image_is_refused_with_a_code_and_in_little_memory(name: str) -> None:
    data, codes = _HOSTILE[name]
    tracemalloc.start()
    try:
        assert _code(data) in codes
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80_000_000


@pytest.mark.parametrize("width", [16_383, 16_000])
def test_the_canvas_of_a_webp_is_looked_at_before_its_decoder_allocates_it(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the file was given to the decoder")

    monkeypatch.setattr(Image, "open", never)
    assert _code(webp_of_size(width, 16_383)) == "image_too_large"
    for options in ({"lossless": True}, {"lossless": False}):
        data = _file(Image.new("RGB", (300, 200)), "WEBP", **options)
        assert _code(data, max_pixels=59_999) == "image_too_large"


def test_a_webp_of_just_the_allowed_size_is_decoded() -> None:
    for options in ({"lossless": True}, {"lossless": False}):
        data = _file(Image.new("RGB", (300, 200)), "WEBP", **options)
        assert _pixels(data, 32, max_pixels=60_000).shape == (32, 32, 3)
    frames = [Image.new("RGB", (300, 200), colour) for colour in ("red", "blue")]
    data = _file(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert data[12:16] == b"VP8X"
    assert _pixels(data, 32, max_pixels=60_000).shape == (32, 32, 3)
    assert _code(data, max_pixels=59_999) == "image_too_large"


def test_half_images_are_never_completed() -> None:
    """Pillow's switch that makes grey of what is missing, which some library may turn on."""
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_lack_of_memory_is_not_taken_for_a_damaged_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        decode(b"any", 32)


def test_of_metadata_nothing_is_left() -> None:
    pixels = _pixels(private_image(), 40)
    assert b"PATIENT" not in pixels.tobytes()
