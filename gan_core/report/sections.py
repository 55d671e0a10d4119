"""The report's larger sections as the template reads them: GANs and learning curves."""

from __future__ import annotations

from typing import Any

from gan_core.report import plots
from gan_core.report.armnames import in_order
from gan_core.report.bar import headline_arms
from gan_core.report.data import GanSection, Images, LearningCurve, ReportData
from gan_core.report.pictures import data_uri, fitted, sheet
from gan_core.report.quality import quality_view, shown_snapshots
from gan_core.report.tables import share
from gan_core.report.text import ENGLISH, Text

_IN_A_ROW = 8
_FINAL_IMAGES = 16
_NEAREST = 2
_RUNS_IN_A_PLOT = 5
_MOST_CURVES = 4

# Fewer points make no curve.
_POINTS_FOR_A_CURVE = 3

# With more than this many GANs, pictures of the first subset of each real count must do.
_SHOW_ALL_UP_TO = 4


def shown_gans(gans: list[GanSection]) -> list[GanSection]:
    """Return the GANs whose pictures are shown, by real count."""
    ordered = sorted(gans, key=lambda g: (g.gan, g.real_count, g.subset))
    if len(ordered) <= _SHOW_ALL_UP_TO:
        return ordered
    first: dict[tuple[str, str], GanSection] = {}
    for section in ordered:
        first.setdefault((section.gan, section.real_count_label), section)
    return list(first.values())


def gan_views(data: ReportData, text: Text = ENGLISH, quality: int = 88) -> list[dict[str, Any]]:
    """Return what the template shows of each GAN.

    Args:
        data: The report's data.
        text: The texts.
        quality: JPEG quality of the pictures, 1 to 95.
    """
    several_subsets = len({g.subset for g in data.gans}) > 1
    return [_gan_view(section, text, quality, several_subsets) for section in shown_gans(data.gans)]


def _gan_view(
    section: GanSection, text: Text, quality: int, several_subsets: bool
) -> dict[str, Any]:
    name = text.named("gan", section.gan)
    count = text.phrase(section.real_count_label, section.real_count)
    view: dict[str, Any] = {
        "heading": text("gan_heading", gan=name, count=count),
        "subset": text("gan_subset", subset=section.subset) if several_subsets else "",
        "facts": section.facts,
        "training_rows": [],
        "final_rows": [],
        "nearest": [],
        "sweeps": [_sweep_view(s.code, s.images, text, quality) for s in section.sweeps],
        "losses": None,
        "quality": quality_view(
            section, {"gan": name, "count": count, "subset": section.subset}, text
        ),
    }
    if section.snapshots:
        size = section.snapshots[-1].images.shape[1]
        view["size"] = size
        if section.real is not None:
            real = fitted(section.real[:_IN_A_ROW], size)
            view["training_rows"].append(_row(text("row_real"), real, True, text, quality))
        for snapshot in shown_snapshots(section):
            images = snapshot.images[:_IN_A_ROW]
            label = snapshot.label
            if snapshot.is_chosen:
                label = text("snapshot_chosen", when=label)
            view["training_rows"].append(_row(label, images, False, text, quality))
    if section.upscaled is not None:
        size = section.upscaled.shape[1]
        view["final_size"] = size
        if section.real is not None:
            # On wide screens they are drawn at about 110 points: twice that, for sharp screens.
            real = fitted(section.real[:_IN_A_ROW], min(size, 224))
            view["final_rows"].append(_row(text("row_real"), real, True, text, quality))
        upscaled = fitted(section.upscaled[:_FINAL_IMAGES], min(size, 224))
        view["final_rows"].append(_row(text("row_final"), upscaled, False, text, quality))
        if section.nearest is not None:
            view["nearest"] = _nearest(section.nearest[:_IN_A_ROW], upscaled, text, quality)
    if section.history:
        epochs = int(section.history[-1].get("epoch", len(section.history)))
        values = {"gan": name, "count": count, "subset": section.subset, "epochs": epochs}
        alt = text("losses_alt", **values)
        view["losses"] = plots.losses_svg(section.history, alt, text)
    return view


def _row(label: str, images: Images, is_real: bool, text: Text, quality: int) -> dict[str, Any]:
    shown = []
    for i, image in enumerate(images):
        if is_real:
            alt = text("image_alt_real", n=i + 1)
        else:
            alt = text("image_alt_synthetic", n=i + 1, when=label)
        shown.append((data_uri(image, quality), alt))
    return {"label": label, "is_real": is_real, "ranked": False, "images": shown}


def _nearest(nearest: Images, upscaled: Images, text: Text, quality: int) -> list[dict[str, Any]]:
    """Return the first synthetic images again, and a row for each of their nearest real ones."""
    size = min(nearest.shape[2], 160)
    fakes = fitted(upscaled[: len(nearest)], size)
    rows = [_row(text("row_final"), fakes, False, text, quality)]
    for rank in range(min(nearest.shape[1], _NEAREST)):
        shown = [
            (data_uri(image, quality), text("image_alt_nearest", n=rank + 1, i=i + 1))
            for i, image in enumerate(fitted(nearest[:, rank], size))
        ]
        label = text("row_nearest") if rank == 0 else text("row_nearest_next", n=rank + 1)
        rows.append({"label": label, "is_real": True, "ranked": True, "images": shown})
    return rows


def _sweep_view(code: int, images: Images, text: Text, quality: int) -> dict[str, Any]:
    categories, steps, size = images.shape[:3]
    whole = sheet(images)
    return {
        "heading": text("sweep_code", code=code + 1),
        "categories": categories,
        "rows": text("sweep_rows", categories=categories),
        "uri": data_uri(whole, quality),
        "alt": text("sweep_alt", categories=categories, steps=steps),
        "width": steps * size,
        "height": categories * size,
    }


def curve_groups(data: ReportData, text: Text = ENGLISH) -> list[dict[str, Any]]:
    """Return the classifiers' learning curves, grouped by classifier and real count.

    A group with fewer than three epochs has a table of its last epoch in place of curves.
    """
    grouped: dict[tuple[str, int, str], dict[str, list[LearningCurve]]] = {}
    for curve in sorted(data.curves, key=lambda c: (c.subset, c.seed)):
        if curve.points:
            key = (curve.classifier, curve.real_count, curve.real_count_label)
            grouped.setdefault(key, {}).setdefault(curve.arm, []).append(curve)
    order = {arm: i for i, arm in enumerate(in_order({c.arm for c in data.curves}))}
    groups = []
    for (classifier, real_count, label), by_arm in sorted(grouped.items()):
        shown = _shown_arms(data, classifier, by_arm)
        runs = [by_arm[arm] for arm in sorted(shown, key=lambda arm: order[arm])]
        count = text.phrase(label, real_count)
        heading = text(
            "curves_heading", classifier=text.named("classifier", classifier), count=count
        )
        longest = max(len(run.points) for same_arm in runs for run in same_arm)
        if longest < _POINTS_FOR_A_CURVE:
            last = _last_points(runs, longest, text)
            groups.append({"heading": heading, "panels": [], "runs": len(runs), **last})
            continue
        panels = []
        for same_arm in runs:
            name = text.arm(same_arm[0].arm)
            alt = text(
                "curves_alt",
                classifier=text.named("classifier", classifier),
                arm=name,
                count=count,
            )
            panels.append((name, plots.learning_svg(same_arm[:_RUNS_IN_A_PLOT], alt, text)))
        n_runs = sum(len(same_arm[:_RUNS_IN_A_PLOT]) for same_arm in runs)
        groups.append({"heading": heading, "panels": panels, "runs": n_runs})
    return groups


def _shown_arms(
    data: ReportData, classifier: str, by_arm: dict[str, list[LearningCurve]]
) -> list[str]:
    """Return the arms whose curves are shown: all, or where they are many those that matter."""
    if len(by_arm) <= _MOST_CURVES:
        return [*by_arm]
    main = [arm for arm in headline_arms(data.results, classifier) if arm in by_arm]
    return main or [*by_arm]


def _last_points(runs: list[list[LearningCurve]], epochs: int, text: Text) -> dict[str, Any]:
    names = [
        name
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
        if any(name in same_arm[0].points[-1] for same_arm in runs)
    ]
    said = text("epochs_one") if epochs == 1 else text("epochs_many", n=epochs)
    return {
        "figures": [text(f"curve:{name}") for name in names],
        "last": [
            (text.arm(same_arm[0].arm), [share(same_arm[0].points[-1].get(n)) for n in names])
            for same_arm in runs
        ],
        "note": text("curves_last_epoch", epochs=said),
    }
