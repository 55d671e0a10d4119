"""Pictures for the report: data URIs, sheets of samples, and the samples as one PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image, ImageDraw

from gan_core.report.data import GanSection, Images, ReportData
from gan_core.report.text import ENGLISH, Text

_GAP = 4


def fitted(images: Images, size: int) -> Images:
    """Return uint8 [N, H, W, 3] brought to [N, size, size, 3], for display."""
    if images.shape[1:3] == (size, size):
        return images
    shrinks = images.shape[1] >= size
    resample = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    if shrinks and images.shape[1] % size:
        resample = Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(i).resize((size, size), resample)) for i in images])


def data_uri(image: Images, quality: int) -> str:
    """Return uint8 [H, W, 3] as a JPEG in a data URI."""
    out = io.BytesIO()
    # Full colour resolution: small images are looked at closely.
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def sheet(images: Images, gap: int = 0) -> Images:
    """Lay uint8 [rows, columns, S, S, 3] out as one image, ``gap`` white pixels between.

    Returns:
        uint8 [rows·S + gaps, columns·S + gaps, 3].
    """
    rows, across, size = images.shape[:3]
    whole = np.full(
        (rows * (size + gap) - gap, across * (size + gap) - gap, 3), 255, dtype=np.uint8
    )
    for i, j in np.ndindex(rows, across):
        top, left = i * (size + gap), j * (size + gap)
        whole[top : top + size, left : left + size] = images[i, j]
    return whole


def samples_png(data: ReportData, text: Text = ENGLISH, per_row: int = 8) -> bytes | None:
    """Return real images above final synthetic ones, for every GAN and real count, as one PNG.

    Every row says whether it is real or synthetic.

    Returns:
        PNG bytes, or None when there are no synthetic images.
    """
    bands: list[tuple[str, Images]] = []
    for section in data.gans:
        final = final_images(section)
        if final is None:
            continue
        name = text.named("gan", section.gan)
        count = text.phrase(section.real_count_label, section.real_count)
        heading = text("gan_heading", gan=name, count=count)
        if section.real is not None:
            bands.append((f"{heading}: {text('real_tag')}", section.real[:per_row]))
        bands.append((f"{heading}: {text('synthetic_tag')}", final[:per_row]))
    if not bands:
        return None
    size, head, margin = 128, 24, 12
    width = per_row * (size + _GAP) - _GAP + 2 * margin
    height = len(bands) * (head + size + _GAP) + margin
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    for i, (heading, images) in enumerate(bands):
        top = i * (head + size + _GAP)
        draw.text((margin, top + 6), heading, fill=(31, 42, 51), font_size=13)
        row = sheet(fitted(images, size)[None], _GAP)
        page.paste(Image.fromarray(row), (margin, top + head))
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()


def final_images(section: GanSection) -> Images | None:
    """Return the images as they are handed out: upscaled, else the kept snapshot's; or None."""
    if section.upscaled is not None:
        return section.upscaled
    kept = [shot for shot in section.snapshots if shot.is_chosen] or section.snapshots[-1:]
    return kept[0].images if kept else None
