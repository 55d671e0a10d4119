"""report: everything that was found, in one page, one table and two pictures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gan_core import __version__
from gan_core.benchmark.subsets import nested_subset
from gan_core.benchmark.verdict import judge
from gan_core.environment import describe_environment
from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset
from gan_core.report import (
    DatasetSection,
    GanSection,
    LearningCurve,
    ReportData,
    Snapshot,
    Sweep,
    curves_png,
    render_report,
    results_csv,
    samples_png,
)
from gan_core.report.failures import failed_columns, failed_trainings
from gan_core.report.learning import how_it_learnt
from gan_core.spec.job import StudySpec
from gan_core.spec.plan import plan_study
from gan_core.spec.results import ResultRow, Results
from gan_core.spec.steps import DatasetFacts
from gan_core.steps.context import Output, StepContext, model_in

# Images shown of each set.
_SHOWN = 16
# Of the step's progress; drawing the page is the rest.
_BOOTSTRAP_SHARE = 0.8


def run(context: StepContext) -> list[Output]:
    """Write the report, the table as JSON and CSV, and the pictures."""
    spec = context.params["spec"]
    dataset = PackedDataset.open(context.inputs["dataset"])
    failed = context.params.get("failed", [])
    results, curves = _results(context, dataset, spec, failed)
    data = ReportData(
        results=results,
        spec=spec,
        dataset=_dataset_section(dataset),
        gans=_gan_sections(context, dataset, spec)
        + failed_trainings(failed, dataset.counts[spec["rare_class"]].get("train", 0)),
        curves=curves,
        advice=_advice(dataset, spec),
        environment=describe_environment(),
        version=__version__,
        steps=context.job.get("steps", {}),
        created_at=context.job.get("created_at", ""),
        title=spec.get("name", ""),
    )
    outputs = [
        Output("report.html", "report-html", "text/html"),
        Output("results.json", "results-json", "application/json"),
        Output("results.csv", "results-csv", "text/csv"),
    ]
    context.on_progress(Progress(_BOOTSTRAP_SHARE, "drawing the report"))
    (context.outputs / "report.html").write_text(render_report(data), encoding="utf-8")
    (context.outputs / "results.json").write_text(
        results.model_dump_json(indent=1) + "\n", encoding="utf-8"
    )
    (context.outputs / "results.csv").write_text(results_csv(results), encoding="utf-8")
    for name, kind, picture in (
        ("samples.png", "samples-png", samples_png(data)),
        ("curves.png", "curves-png", curves_png(data)),
    ):
        if picture is not None:
            (context.outputs / name).write_bytes(picture)
            outputs.append(Output(name, kind, "image/png"))  # type: ignore[arg-type]
    return outputs


def _advice(dataset: PackedDataset, spec: dict[str, Any]) -> list[str]:
    facts = DatasetFacts(
        digest=dataset.digest, image_size=dataset.image_size, classes=dataset.counts
    )
    return plan_study(StudySpec.model_validate(spec), facts).advice


def _labelled(context: StepContext, kind: str) -> list[Path]:
    return [path for label, path in sorted(context.inputs.items()) if label.startswith(f"{kind}-")]


def _results(
    context: StepContext,
    dataset: PackedDataset,
    spec: dict[str, Any],
    failed: list[dict[str, Any]],
) -> tuple[Results, list[LearningCurve]]:
    rows: list[ResultRow] = []
    scores: list[np.ndarray] = []
    curves: list[LearningCurve] = []
    for folder in _labelled(context, "evaluate"):
        written = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        rows.extend(ResultRow.model_validate(row) for row in written)
        scores.extend(np.load(folder / "scores.npy", allow_pickle=False))
        curves.extend(
            LearningCurve(**curve)
            for curve in json.loads((folder / "curves.json").read_text(encoding="utf-8"))
        )
    positive = dataset.labels("test") == dataset.classes.index(spec["rare_class"])
    order = _table_order(rows, spec)
    rows = [rows[i] for i in order]
    scores = [scores[i] for i in order]
    told = failed_columns(failed)

    def say(done: int) -> None:
        if context.should_stop():
            raise Stopped
        share = _BOOTSTRAP_SHARE * done / len(rows)
        context.on_progress(Progress(share, f"intervals, run {done}/{len(rows)}"))

    judged = judge(rows, scores, positive, failed=_lost_trainings(told), on_run=say)
    return (
        Results(
            rare_class=spec["rare_class"],
            classes=dataset.counts,
            rows=rows,
            summaries=judged.summaries,
            verdicts=judged.verdicts,
            conclusions=judged.conclusions,
            failed=told,
        ),
        curves,
    )


def _lost_trainings(told: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    """Count the columns of each (GAN, real count) that left no images, or that were not tested."""
    lost = {
        (entry["arm"].removeprefix("gan:"), entry["real_count"], entry["subset"])
        for entry in told
        if "arm" in entry
    }
    return Counter((gan, count) for gan, count, _ in lost)


def _table_order(rows: list[ResultRow], spec: dict[str, Any]) -> list[int]:
    """Sort as the table is read: classifier, real count, arms without a GAN first, runs."""
    classifiers = spec["benchmark"]["classifiers"]
    arms = ["real-only", "class-weights", "oversample"]

    def place(i: int) -> tuple[int, int, int, str, int, int]:
        row = rows[i]
        arm = arms.index(row.arm) if row.arm in arms else len(arms)
        return (
            classifiers.index(row.classifier),
            row.real_count,
            arm,
            row.arm,
            row.subset,
            row.seed,
        )

    return sorted(range(len(rows)), key=place)


def _dataset_section(dataset: PackedDataset) -> DatasetSection:
    index = dataset.index
    return DatasetSection(
        digest=dataset.digest,
        image_size=dataset.image_size,
        classes=dataset.counts,
        problems=[
            {"code": p.code, "detail": p.detail, "entry": "" if p.entry is None else str(p.entry)}
            for p in index.problems
        ],
        exact_duplicates=index.duplicates.exact,
        near_duplicates=index.duplicates.near,
        across_splits=index.duplicates.across_splits,
        across_classes=index.duplicates.across_classes,
        problems_not_listed=index.problems_not_listed,
        is_phantom=index.is_phantom,
    )


def _gan_sections(
    context: StepContext, dataset: PackedDataset, spec: dict[str, Any]
) -> list[GanSection]:
    sections = []
    labels = dataset.labels("train")
    rare_index = dataset.classes.index(spec["rare_class"])
    for folder in _labelled(context, "train"):
        card = json.loads(model_in(folder).with_suffix(".json").read_text(encoding="utf-8"))
        training = card["training"]
        seen = nested_subset(labels, rare_index, training["real_count"], training["subset"])
        label = folder.name.removeprefix("train-")
        # Its upscaling may have failed where its training had not.
        upscaled = None
        if f"upscale-{label}" in context.inputs:
            upscaled = np.load(
                context.inputs[f"upscale-{label}"] / "images.npy", mmap_mode="r", allow_pickle=False
            )
        judged = folder / "judgements.json"
        # A training of the version before was not judged.
        judgements = json.loads(judged.read_text(encoding="utf-8")) if judged.exists() else []
        chosen = card["quality"]["epoch"] if "quality" in card else None
        with np.load(folder / "snapshots.npz", allow_pickle=False) as saved:
            snapshots = [
                Snapshot(label=f"epoch {epoch}", images=images, is_chosen=epoch == chosen)
                for epoch, images in zip(saved["epochs"], saved["images"], strict=True)
            ]
        sweeps = folder / "sweeps.npy"
        sections.append(
            GanSection(
                gan=training["gan"],
                real_count=training["real_count"],
                real_count_label=label.rsplit("-", 2)[1],
                subset=training["subset"],
                real=np.asarray(dataset.images("train")[seen[:_SHOWN]]),
                snapshots=snapshots,
                upscaled=None if upscaled is None else np.asarray(upscaled[:_SHOWN]),
                history=json.loads((folder / "history.json").read_text(encoding="utf-8")),
                judgements=judgements,
                chosen_epoch=chosen,
                was_chosen=training.get("keep", "last") == "best",
                ended=card.get("ended_early"),
                sweeps=[
                    Sweep(code=code, images=images)
                    for code, images in enumerate(np.load(sweeps, allow_pickle=False))
                ]
                if sweeps.exists()
                else [],
                facts={
                    "size": f"{training['image_size']} × {training['image_size']} pixels",
                    "epochs": str(training["epochs"]),
                    "batch size": str(training["batch_size"]),
                    "weights": card["weights_kind"],
                    **how_it_learnt(card),
                    **({"trained on": card["device"]["name"]} if "device" in card else {}),
                    **({"on the way": " ".join(card["notices"])} if "notices" in card else {}),
                },
            )
        )
    return sorted(sections, key=lambda s: (s.gan, s.real_count, s.subset))
