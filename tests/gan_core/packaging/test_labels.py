from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gan_core.packaging.labels import DIGITAL_SOURCE_TYPE, labelled_png, read_png, source_text

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)


def png_with(text: dict[str, str]) -> bytes:
    info = PngInfo()
    for keyword, value in text.items():
        info.add_itxt(keyword, value)
    out = BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_the_label_survives_a_reader_in_xmp_and_in_plain_text() -> None:
    data = labelled_png(PIXELS, source=source_text("infogan", "ab", 3), software="Graft 1 & <2>")
    with Image.open(BytesIO(data)) as image:
        texts = dict(image.text)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(image), PIXELS)
    assert texts["Description"].startswith("Synthetic image")
    assert texts["Source"] == "infogan, model ab, seed 3"
    root = ET.fromstring(texts["XML:com.adobe.xmp"].strip("\ufeff"))  # noqa: S314 - ours
    found = root.find(".//{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert found is not None
    assert found.text == DIGITAL_SOURCE_TYPE
    tool = root.find(".//{http://ns.adobe.com/xap/1.0/}CreatorTool")
    assert tool is not None
    assert tool.text == "Graft 1 & <2>"


def test_what_was_written_is_read_back() -> None:
    pixels, label = read_png(labelled_png(PIXELS, source="s", software="x"))
    np.testing.assert_array_equal(pixels, PIXELS)
    assert label.is_synthetic
    assert label.source == "s"


def test_saving_the_image_anew_drops_the_label_and_that_is_noticed() -> None:
    _, label = read_png(png_with({}))
    assert not label.is_synthetic


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "not xml",
        f"<a>{DIGITAL_SOURCE_TYPE}</a>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a/>',
        (
            '<a xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><i:DigitalSourceType>'
            "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
            "</i:DigitalSourceType></a>"
        ),
    ],
)
def test_any_other_packet_is_no_label(packet: str) -> None:
    _, label = read_png(png_with({"XML:com.adobe.xmp": packet}))
    assert not label.is_synthetic


def test_what_is_no_rgb_png_is_refused() -> None:
    jpeg, grey = BytesIO(), BytesIO()
    Image.fromarray(PIXELS).save(jpeg, "JPEG")
    Image.fromarray(PIXELS[..., 0]).save(grey, "PNG")
    whole = labelled_png(PIXELS, source="", software="")
    for data in (b"", b"x" * 99, jpeg.getvalue(), grey.getvalue(), whole[:300]):
        with pytest.raises(ValueError, match=r"PNG|pixels"):
            read_png(data)


def test_vast_images_are_refused_before_they_are_unpacked() -> None:
    data = bytearray(labelled_png(PIXELS, source="", software=""))
    data[16:20] = (1 << 20).to_bytes(4)
    with pytest.raises(ValueError, match="larger"):
        read_png(bytes(data))


def test_damaged_files_are_refused_wherever_the_damage_is() -> None:
    whole = labelled_png(PIXELS, source="s", software="x")
    chance = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole)
        data[int(chance.integers(len(data)))] ^= int(chance.integers(1, 256))
        try:
            pixels, _ = read_png(bytes(data))
        except ValueError:
            continue
        assert pixels.dtype == np.uint8
