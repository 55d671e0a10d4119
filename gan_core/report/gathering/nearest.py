"""What the inspect steps found nearest to the first synthetic images of each set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gan_core.reading import PackedDataset
from gan_core.report.data import GanSection
from gan_core.report.gathering.runs import read_json
from gan_core.report.nearest import NearestSheet


def nearest_sheets(
    inputs: Mapping[str, Path], dataset: PackedDataset, sections: Sequence[GanSection]
) -> Iterator[NearestSheet]:
    """Yield a sheet for each section whose images were inspected, one at a time in memory.

    Args:
        inputs: Label → folder, with ``inspect-…`` and ``upscale-…`` among them.
        dataset: The data set.
        sections: Of the GANs that are shown.
    """
    training = dataset.images("train")
    for section in sections:
        label = f"{section.gan}-{section.real_count_label}-s{section.subset}"
        inspected, drawn = inputs.get(f"inspect-{label}"), inputs.get(f"upscale-{label}")
        # A step may have failed, or a screen may have left no image to inspect.
        if inspected is None or drawn is None or not (inspected / "neighbours.npz").exists():
            continue
        with np.load(inspected / "neighbours.npz", allow_pickle=False) as saved:
            fakes, rows, distances = saved["fakes"], saved["rows"], saved["distances"]
        if not len(fakes):
            continue
        images = np.load(drawn / "images.npy", mmap_mode="r", allow_pickle=False)
        privacy = (read_json(inspected / "findings.json") or {}).get("privacy") or {}
        yield NearestSheet(
            gan=section.gan,
            real_count=section.real_count,
            real_count_label=section.real_count_label,
            subset=section.subset,
            synthetic=np.asarray(images[fakes]),
            nearest=np.stack([np.asarray(training[of_one]) for of_one in rows]),
            distances=[[round(float(d), 4) for d in of_one] for of_one in distances],
            near_copies=privacy.get("near_copies"),
        )
