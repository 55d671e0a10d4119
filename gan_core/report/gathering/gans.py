"""What the train, upscale and inspect steps left of each GAN, for its part of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan_core.benchmark.subsets import nested_subset
from gan_core.leaks import left_out
from gan_core.reading import PackedDataset
from gan_core.report.data import CopyPair, GanSection, Images, Snapshot, Sweep
from gan_core.report.gathering.runs import labelled, read_json
from gan_core.report.learning import how_it_learnt
from gan_core.steps.context import model_in

# Images shown of each set, and near-copies of each.
_SHOWN = 16
_COPIES = 4
_NEAREST_OF = 8


def gan_sections(
    inputs: Mapping[str, Path], dataset: PackedDataset, spec: Mapping[str, Any]
) -> list[GanSection]:
    """Return a section for each training among a step's inputs, by GAN, real count and subset."""
    labels = dataset.labels("train")
    rare_index = dataset.classes.index(spec["rare_class"])
    without = left_out(dataset, spec)
    sections = []
    for label, folder in labelled(inputs, "train"):
        card = json.loads(model_in(folder).with_suffix(".json").read_text(encoding="utf-8"))
        training = card["training"]
        seen = nested_subset(
            labels, rare_index, training["real_count"], training["subset"], without=without
        )
        fakes = _images_of(inputs.get(f"upscale-{label}"))
        chosen = card["quality"]["epoch"] if "quality" in card else None
        sections.append(
            GanSection(
                gan=training["gan"],
                real_count=training["real_count"],
                real_count_label=label.rsplit("-", 2)[1],
                subset=training["subset"],
                real=np.asarray(dataset.images("train")[seen[:_SHOWN]]),
                snapshots=_snapshots(folder, chosen),
                upscaled=None if fakes is None else np.asarray(fakes[:_SHOWN]),
                **_neighbours(inputs.get(f"inspect-{label}"), fakes, dataset, spec),
                history=read_json(folder / "history.json") or [],
                # A training of the version before was not judged.
                judgements=read_json(folder / "judgements.json") or [],
                chosen_epoch=chosen,
                was_chosen=training.get("keep", "last") == "best",
                ended=card.get("ended_early"),
                sweeps=_sweeps(folder),
                facts=_facts(card),
            )
        )
    return sorted(sections, key=lambda s: (s.gan, s.real_count, s.subset))


def _images_of(folder: Path | None) -> Images | None:
    # Its upscaling may have failed where its training had not.
    if folder is None:
        return None
    images: Images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    return images


def _snapshots(folder: Path, chosen: int | None) -> list[Snapshot]:
    with np.load(folder / "snapshots.npz", allow_pickle=False) as saved:
        return [
            Snapshot(label=f"epoch {epoch}", images=images, is_chosen=epoch == chosen)
            for epoch, images in zip(saved["epochs"], saved["images"], strict=True)
        ]


def _sweeps(folder: Path) -> list[Sweep]:
    path = folder / "sweeps.npy"
    if not path.exists():
        return []
    saved = np.load(path, allow_pickle=False)
    return [Sweep(code=code, images=images) for code, images in enumerate(saved)]


def _neighbours(
    folder: Path | None, fakes: Images | None, dataset: PackedDataset, spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the nearest training images of the first fakes, and the near-copies, as images."""
    if folder is None or fakes is None or not (folder / "neighbours.npz").exists():
        return {}
    training = dataset.images("train")
    limit = spec.get("screen", {}).get("near_copy_rms", 0.0)
    with np.load(folder / "neighbours.npz", allow_pickle=False) as saved:
        rows = saved["rows"][:_NEAREST_OF]
        nearest = np.stack([np.asarray(training[of_one]) for of_one in rows]) if len(rows) else None
        copies = [
            CopyPair(
                synthetic=np.asarray(fakes[fake]), real=np.asarray(training[row]), rms=float(rms)
            )
            for fake, row, rms in zip(
                saved["copy_fakes"], saved["copy_rows"], saved["copy_rms"], strict=True
            )
            if rms <= limit
        ]
    return {"nearest": nearest, "copies": copies[:_COPIES]}


def _facts(card: Mapping[str, Any]) -> dict[str, str]:
    training = card["training"]
    return {
        "size": f"{training['image_size']} × {training['image_size']} pixels",
        "epochs": str(training["epochs"]),
        "batch size": str(training["batch_size"]),
        "weights": card["weights_kind"],
        **how_it_learnt(card),
        **({"trained on": card["device"]["name"]} if "device" in card else {}),
        **({"on the way": " ".join(card["notices"])} if "notices" in card else {}),
    }
