"""A whole study without the service, on pictures small enough for a test."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from gan_core.phantoms import draw_phantoms
from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset, pack
from gan_core.spec import GraftError, StudySpec, plan_study, resolve
from gan_core.spec.job import UpscaleSpec
from gan_core.steps import Output, StepContext, StepSettings
from gan_core.steps import pretrain as pretrain_step
from gan_core.steps import train as train_step
from gan_core.study import facts, run_study

SPEC = StudySpec.model_validate(
    {
        "profile": "quick",
        "real_counts": [6, "all"],
        "gans": [{"name": "infogan", "image_size": 32, "epochs": 2, "batch_size": 4}],
        "balance_to": 12,
        "upscale": {"engine": "lanczos", "size": 224},
        "benchmark": {"classifiers": ["probe"], "arms": ["real-only", "class-weights"]},
    }
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    counts = {"train": {"benign": 14, "malignant": 10}, "test": {"benign": 6, "malignant": 6}}
    draw_phantoms(folder, counts=counts, image_size=64)
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StepSettings:
    return StepSettings(device="cpu", cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(data: Path, settings: StepSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    run_study(data, SPEC, out, settings=settings, image_size=64)
    return out


def test_a_study_leaves_the_zip_the_report_and_the_table(finished: Path) -> None:
    names = {path.name for path in finished.iterdir() if path.is_file()}
    assert {"synthetic.zip", "report.html", "results.json", "results.csv"} <= names


def test_the_table_has_a_row_for_each_arm_and_real_count(finished: Path) -> None:
    rows = json.loads((finished / "results.json").read_text())["rows"]
    found = {(row["arm"], row["real_count_label"], row["n_real"], row["n_fake"]) for row in rows}
    chosen = {one for one in found if one[0] == "gan:infogan@ratio"}
    # None, or as many as were favoured.
    assert {(label, real) for _, label, real, _ in chosen} == {("6", 6), ("all", 10)}
    assert found - chosen == {
        ("real-only", "6", 6, 0),
        ("class-weights", "6", 6, 0),
        ("gan:infogan", "6", 6, 6),
        ("real-only", "all", 10, 0),
        ("class-weights", "all", 10, 0),
        ("gan:infogan", "all", 10, 2),
        *(("gan:infogan+classic-augment", *rest) for rest in (("6", 6, 6), ("all", 10, 2))),
        *(("synthetic-only:infogan", *rest) for rest in (("6", 0, 6), ("all", 0, 2))),
    }
    assert all(0 <= row["roc_auc"] <= 1 for row in rows)


def test_every_image_in_the_zip_is_of_the_asked_size_and_says_that_it_is_synthetic(
    finished: Path,
) -> None:
    with zipfile.ZipFile(finished / "synthetic.zip") as archive:
        lines = archive.read("metadata.jsonl").decode().splitlines()
        assert 0 < len(lines) <= 8
        for line in lines:
            image = Image.open(io.BytesIO(archive.read(json.loads(line)["file_name"])))
            assert image.size == (224, 224)
            assert "synthetic" in json.dumps(image.info, default=str).lower()


def test_a_study_leaves_synthetic_images_beside_their_nearest_real_ones(finished: Path) -> None:
    sheets = json.loads((finished / "nearest.json").read_text())["sheets"]
    assert {(one["gan"], one["real_count_label"]) for one in sheets} == {
        ("infogan", "6"),
        ("infogan", "all"),
    }
    left = {path.name for path in finished.glob("nearest-*.png")}
    assert left == {one["artifact"] for one in sheets}
    for one in sheets:
        with Image.open(finished / one["artifact"]) as image:
            assert image.size == (one["columns"] * one["size"], len(one["rows"]) * one["size"])
        assert len(one["distances"]) == one["columns"]
        assert all(len(of_one) == 3 and of_one == sorted(of_one) for of_one in one["distances"])
        assert one["near_copies"] >= 0


def test_a_finished_study_is_not_computed_again(
    finished: Path, data: Path, settings: StepSettings
) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.glob("steps/*/outputs/*")}
    run_study(data, SPEC, finished, settings=settings, image_size=64)
    assert {p: p.stat().st_mtime_ns for p in finished.glob("steps/*/outputs/*")} == before


def test_another_real_count_computes_only_what_is_new(
    finished: Path, data: Path, settings: StepSettings
) -> None:
    before = {p.name for p in finished.glob("steps/*")}
    wider = SPEC.model_copy(update={"real_counts": [6, 8, "all"]})
    run_study(data, wider, finished, settings=settings, image_size=64)
    new = {p.name for p in finished.glob("steps/*")} - before
    kinds = sorted(
        json.loads((finished / "steps" / name / "step.json").read_text())["kind"] for name in new
    )
    of_column = ["evaluate", "evaluate", "features", "generate", "inspect", "train", "upscale"]
    assert kinds == sorted([*of_column, "report", "package"])


def test_an_interrupted_study_ends_with_the_same_images(
    finished: Path, data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    seen: list[str] = []
    with pytest.raises(Stopped):
        run_study(
            data,
            SPEC,
            tmp_path,
            settings=settings,
            image_size=64,
            on_progress=lambda progress: seen.append(progress.detail),
            should_stop=lambda: any("epoch 1/2" in detail for detail in seen),
        )
    run_study(data, SPEC, tmp_path, settings=settings, image_size=64)

    def images(folder: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(folder / "synthetic.zip") as archive:
            return {n: archive.read(n) for n in archive.namelist() if n.endswith(".png")}

    with zipfile.ZipFile(finished / "synthetic.zip") as archive:
        assert archive.testzip() is None
    first, second = images(finished), images(tmp_path)
    assert second
    assert {name: first[name] for name in second} == second


def test_progress_never_goes_back_and_ends_at_one(
    finished: Path, data: Path, settings: StepSettings
) -> None:
    seen: list[Progress] = []
    run_study(data, SPEC, finished, settings=settings, image_size=64, on_progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_real_count_above_what_there_is_is_refused(
    data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"real_counts": [11]})
    with pytest.raises(GraftError) as refused:
        run_study(data, spec, tmp_path, settings=settings, image_size=64)
    assert refused.value.code == "real_count_too_large"
    assert "10 training images" in refused.value.detail


def test_an_upscaler_that_cannot_be_had_is_told_before_anything_is_trained(
    data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"no weights")
    spec = SPEC.model_copy(update={"upscale": UpscaleSpec(engine="realesrgan", size=224)})
    with pytest.raises(GraftError) as refused:
        run_study(
            data,
            spec,
            tmp_path / "out",
            settings=settings.model_copy(update={"realesrgan_weights": weights}),
            image_size=64,
        )
    assert refused.value.code == "weights_unrecognised"
    assert not (tmp_path / "out" / "steps").exists()


def test_the_controls_upscaler_is_looked_at_as_well(
    data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"no weights")
    bench = SPEC.benchmark.model_copy(update={"arms": ["real-only", "upscale-control"]})
    upscale = UpscaleSpec(engine="realesrgan", size=224)
    spec = SPEC.model_copy(update={"upscale": upscale, "benchmark": bench})
    pack(data, tmp_path / "packed", image_size=64)
    dataset = facts(PackedDataset.open(tmp_path / "packed"))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    plan = plan_study(resolve(spec, dataset.train_counts()), dataset, weights_sha256=digest)
    # All that was to be upscaled is there, as of a study that had no control before.
    upscaled = [step for step in plan.steps if step.kind == "upscale"]
    for step in upscaled:
        (tmp_path / "out" / "steps" / step.key).mkdir(parents=True)
        (tmp_path / "out" / "steps" / step.key / "done.json").write_text("[]")
    with pytest.raises(GraftError) as refused:
        run_study(
            data,
            spec,
            tmp_path / "out",
            settings=settings.model_copy(update={"realesrgan_weights": weights}),
            image_size=64,
        )
    assert refused.value.code == "weights_unrecognised"
    assert len(list((tmp_path / "out" / "steps").iterdir())) == len(upscaled) > 0


def test_other_images_are_read_anew_even_into_the_same_folder(
    data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    spec = StudySpec.model_validate(
        {"gans": [], "benchmark": {"classifiers": ["probe"], "arms": ["real-only"]}}
    )
    first = run_study(data, spec, tmp_path / "out", settings=settings, image_size=64)
    other = tmp_path / "other"
    counts = {"train": {"benign": 9, "malignant": 8}, "test": {"benign": 4, "malignant": 4}}
    draw_phantoms(other, counts=counts, image_size=64)
    second = run_study(other, spec, tmp_path / "out", settings=settings, image_size=64)
    assert first.classes["malignant"]["train"] == 10
    assert second.classes["malignant"]["train"] == 8


def test_weights_that_cannot_be_read_are_said_so_before_anything_is_trained(
    data: Path, settings: StepSettings, tmp_path: Path
) -> None:
    without = settings.model_copy(update={"realesrgan_weights": tmp_path / "none.pth"})
    with pytest.raises(GraftError) as missing:
        run_study(data, SPEC, tmp_path / "out", settings=without, image_size=64)
    assert missing.value.code == "weights_missing"
    assert not (tmp_path / "out" / "steps").exists()


def test_a_column_that_fails_is_named_and_the_others_are_there(
    data: Path, settings: StepSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = train_step.run

    def fails_at_8(context: StepContext) -> list[Output]:
        if context.params["real_count"] == 8:
            raise GraftError("diverged", "The training diverged.", "Use another seed.")
        return honest(context)

    monkeypatch.setattr(train_step, "run", fails_at_8)
    spec = SPEC.model_copy(update={"real_counts": [6, 8]})
    results = run_study(data, spec, tmp_path / "out", settings=settings, image_size=64)
    (failed,) = results.failed
    assert (failed["arm"], failed["real_count"], failed["code"]) == ("gan:infogan", "8", "diverged")
    assert {row.real_count for row in results.rows if row.gan} == {6}
    assert {row.real_count for row in results.rows if not row.gan} == {6, 8}
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "The training diverged." in report


def test_a_pretraining_that_fails_marks_every_column_that_needed_it(
    data: Path, settings: StepSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: StepContext) -> list[Output]:
        raise GraftError("diverged", "The training diverged.", "Use another seed.")

    monkeypatch.setattr(pretrain_step, "run", fails)
    gan = {"name": "dcgan", "image_size": 32, "pretrain": "other-classes"}
    spec = StudySpec.model_validate(
        SPEC.model_dump() | {"real_counts": [6, 8], "gans": [gan], "balance_to": 10}
    )
    with pytest.raises(GraftError, match="diverged"):  # no images are left to pack
        run_study(data, spec, tmp_path / "out", settings=settings, image_size=64)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    marked = {(told["arm"], told["real_count"], told["stage"]) for told in results["failed"]}
    assert marked == {("gan:dcgan", count, "pretrain") for count in ("6", "8")}


def test_the_report_shows_how_good_the_samples_were_on_the_way(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert page.count("Quality over the training") == 2
    assert "was kept" in page


def test_a_model_says_how_its_samples_compare_with_the_training_images(finished: Path) -> None:
    cards = [json.loads(path.read_text()) for path in finished.rglob("model-*.json")]
    assert cards
    for card in cards:
        quality = card["quality"]
        assert quality["features"] == "EfficientNet-Lite0"
        assert quality["step"] == card["step"]
        assert 0 <= quality["coverage"] <= 1
