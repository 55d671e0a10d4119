"""report: everything that was found, in one page, one table and two pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core import __version__
from gan_core.benchmark.verdict import judge
from gan_core.environment import describe_environment
from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset
from gan_core.report import (
    ReportData,
    curves_png,
    render_report,
    results_csv,
    samples_png,
)
from gan_core.report.data import GanSection
from gan_core.report.failures import failed_columns, failed_trainings
from gan_core.report.gathering import (
    Runs,
    dataset_section,
    gan_sections,
    gather_findings,
    gather_runs,
    leak_pictures,
    leaks_of,
    nearest_sheets,
)
from gan_core.report.scores import score_curves
from gan_core.report.sections import shown_gans
from gan_core.spec.job import StudySpec
from gan_core.spec.plan import plan_study
from gan_core.spec.results import Results
from gan_core.spec.steps import DatasetFacts
from gan_core.steps.context import Output, StepContext

# Of the step's progress; drawing the page is the rest.
_BOOTSTRAP_SHARE = 0.8


def run(context: StepContext) -> list[Output]:
    """Write the report, the table as JSON and CSV, and the pictures.

    ``nearest.json`` says what is on the sheets ``nearest-<column>.png``: synthetic images with the
    training images nearest to them. There is none where nothing was inspected.
    """
    spec = context.params["spec"]
    dataset = PackedDataset.open(context.inputs["dataset"])
    failed = context.params.get("failed", [])
    available = dataset.counts[spec["rare_class"]].get("train", 0)
    runs = gather_runs(context.inputs, spec["benchmark"]["classifiers"])
    positive = dataset.labels("test") == dataset.classes.index(spec["rare_class"])
    results = _results(context, runs, positive, dataset, spec)
    data = ReportData(
        results=results,
        spec=spec,
        dataset=dataset_section(dataset),
        gans=gan_sections(context.inputs, dataset, spec) + failed_trainings(failed, available),
        curves=runs.curves,
        scores=score_curves(runs.rows, runs.scores, positive),
        leaks=leak_pictures(dataset),
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
    return outputs + _nearest(context, dataset, shown_gans(data.gans))


def _nearest(
    context: StepContext, dataset: PackedDataset, sections: Sequence[GanSection]
) -> list[Output]:
    told = []
    for sheet in nearest_sheets(context.inputs, dataset, sections):
        if context.should_stop():
            raise Stopped
        (context.outputs / sheet.name).write_bytes(sheet.png(__version__))
        told.append(sheet.described())
    if not told:
        return []
    context.write_json("nearest.json", {"sheets": told})
    pictures = [Output(sheet["artifact"], "nearest-png", "image/png") for sheet in told]
    return [*pictures, Output("nearest.json", "nearest-json", "application/json")]


def _advice(dataset: PackedDataset, spec: dict[str, Any]) -> list[str]:
    facts = DatasetFacts(
        digest=dataset.digest, image_size=dataset.image_size, classes=dataset.counts
    )
    return plan_study(StudySpec.model_validate(spec), facts).advice


def _results(
    context: StepContext,
    runs: Runs,
    positive: NDArray[np.bool_],
    dataset: PackedDataset,
    spec: dict[str, Any],
) -> Results:
    told = failed_columns(context.params.get("failed", []))

    def say(done: int) -> None:
        if context.should_stop():
            raise Stopped
        share = _BOOTSTRAP_SHARE * done / len(runs.rows)
        context.on_progress(Progress(share, f"intervals, run {done}/{len(runs.rows)}"))

    judged = judge(runs.rows, runs.scores, positive, failed=_lost_trainings(told), on_run=say)
    found = gather_findings(context.inputs, dataset.counts[spec["rare_class"]].get("train", 0))
    return Results(
        rare_class=spec["rare_class"],
        classes=dataset.counts,
        conclusions=judged.conclusions,
        rows=runs.rows,
        summaries=judged.summaries,
        verdicts=judged.verdicts,
        ratios=runs.ratios,
        quality=found.quality,
        screening=found.screening,
        shortcuts=found.shortcuts,
        privacy=found.privacy,
        upscaler=found.upscaler,
        leaks=leaks_of(dataset, left_out=spec.get("leaks") == "leave-out"),
        failed=told,
    )


def _lost_trainings(told: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    """Count the columns of each (GAN, real count) that left no images, or that were not tested."""
    lost = {
        (entry["arm"].removeprefix("gan:"), entry["real_count"], entry["subset"])
        for entry in told
        if "arm" in entry
    }
    return Counter((gan, count) for gan, count, _ in lost)
