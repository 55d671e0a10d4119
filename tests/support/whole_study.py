"""A study as large as people run them, with findings of every kind: figures are drawn by chance."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from gan_core.report import (
    CopyPair,
    DatasetSection,
    GanSection,
    LeakPicture,
    LearningCurve,
    ReportData,
    Snapshot,
)
from gan_core.report.scores import score_curves
from gan_core.spec.findings import (
    Interval,
    LeakPair,
    Leaks,
    Privacy,
    RatioPoint,
    ScreeningSummary,
    SetQuality,
    Shortcut,
    UpscalerFidelity,
)
from gan_core.spec.job import StudySpec
from gan_core.spec.profiles import resolve
from gan_core.spec.results import (
    ArmSummary,
    Comparison,
    Conclusion,
    ResultRow,
    Results,
    Verdict,
)

COUNTS = (10, 100, 500)
SUBSETS = range(5)
GAN = "fastgan"
AVAILABLE = 963
# How far apart the classes' scores are, at 10 real images; and what each doubling adds.
ARMS = {
    "real-only": 1.10,
    "class-weights": 1.15,
    "oversample": 1.14,
    "classic-augment": 1.25,
    "classic-augment+oversample": 1.32,
    "upscale-control:64": 1.05,
    "gan:fastgan": 1.12,
    "gan:fastgan+classic-augment": 1.36,
    "gan:fastgan@ratio": 1.28,
    "synthetic-only:fastgan": 0.75,
}
CLASSIFIERS = {"seed-cnn": -0.35, "probe": 0.25}
N_TEST = (150, 110)
FEATURES = "EfficientNet-Lite0 (ImageNet), matched images"


def rows_and_scores() -> tuple[list[ResultRow], list[np.ndarray], np.ndarray]:
    chance = np.random.default_rng(7)
    positive = np.repeat([False, True], N_TEST)
    noise = chance.normal(size=len(positive))
    rows, scores = [], []
    for classifier, shift in CLASSIFIERS.items():
        for place, count in enumerate(COUNTS):
            for arm, base in ARMS.items():
                gan = GAN if GAN in arm else None
                fakes = 0 if gan is None else (2 * count if "@" in arm else AVAILABLE - count)
                if "@" in arm and classifier != "probe":
                    continue
                for subset in SUBSETS:
                    apart = base + shift + 0.16 * place + chance.normal(scale=0.05)
                    raw = 0.9 * noise + 0.45 * chance.normal(size=len(positive))
                    raw = raw + positive * apart
                    low = 1.9 - 0.25 * place if arm in ("real-only", "classic-augment") else 0.7
                    score = (1 / (1 + np.exp(-(raw - low)))).astype(np.float32)
                    rows.append(_row(classifier, count, arm, gan, subset, fakes, score, positive))
                    scores.append(score)
    return rows, scores, positive


def _row(  # noqa: PLR0917 - a run is told by as many
    classifier: str,
    count: int,
    arm: str,
    gan: str | None,
    subset: int,
    fakes: int,
    score: np.ndarray,
    positive: np.ndarray,
) -> ResultRow:
    threshold = float(np.quantile(score, 0.6))
    half, moved = _decided(score >= 0.5, positive), _decided(score >= threshold, positive)
    others = np.sort(score[~positive])
    at = {q: float((score[positive] > others[int(q * len(others))]).mean()) for q in (0.9, 0.95)}
    area = float(roc_auc_score(positive, score))
    return ResultRow(
        arm=arm,
        gan=gan,
        real_count=count,
        real_count_label=str(count),
        subset=subset,
        seed=0,
        classifier=classifier,
        n_real=0 if arm.startswith("synthetic-only") else count,
        n_fake=fakes,
        n_other=1144,
        ratio=fakes / count if gan else None,
        threshold=threshold,
        heldout_roc_auc=area - 0.01,
        heldout_balanced_accuracy=moved["balanced_accuracy"],
        **half,
        roc_auc=area,
        pr_auc=float(average_precision_score(positive, score)),
        sensitivity_at_90=at[0.9],
        sensitivity_at_95=at[0.95],
        brier=float(((score - positive) ** 2).mean()),
        calibration_error=float(abs(score.mean() - positive.mean())),
        **{f"moved_{name}": value for name, value in moved.items()},
        seconds=1.0,
    )


def _decided(said: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    found, right = float(said[positive].mean()), float((~said[~positive]).mean())
    return {
        "accuracy": float((said == positive).mean()),
        "balanced_accuracy": (found + right) / 2,
        "sensitivity": found,
        "specificity": right,
    }


FIGURES = [
    name
    for name in ResultRow.model_fields
    if name in ("roc_auc", "pr_auc", "brier", "calibration_error", "accuracy", "specificity")
    or name.startswith(("moved_", "sensitivity", "balanced"))
]


def summarised(rows: list[ResultRow]) -> list[ArmSummary]:
    groups: dict[tuple[str, int, str], list[ResultRow]] = {}
    for row in rows:
        groups.setdefault((row.classifier, row.real_count, row.arm), []).append(row)
    summaries = []
    for (classifier, count, arm), own in groups.items():
        figures = {}
        for name in FIGURES:
            values = np.array([getattr(row, name) for row in own])
            mean = float(values.mean())
            half = 0.035 if "sens" not in name else 0.07
            figures[name] = Interval(
                mean=mean, sd=float(values.std(ddof=1)), low=mean - half, high=min(1.0, mean + half)
            )
        summaries.append(
            ArmSummary(
                arm=arm,
                gan=own[0].gan,
                real_count=count,
                real_count_label=str(count),
                classifier=classifier,
                n_runs=len(own),
                figures=figures,
            )
        )
    return summaries


def judged(summaries: list[ArmSummary]) -> tuple[list[Verdict], list[Conclusion]]:
    verdicts, conclusions = [], []
    by_arm = {(s.classifier, s.real_count, s.arm): s for s in summaries}
    for summary in summaries:
        if summary.gan is None:
            continue
        differences, comparisons = {}, []
        for base in (a for a in ARMS if GAN not in a):
            other = by_arm[summary.classifier, summary.real_count, base]
            for figure in ("roc_auc", "moved_balanced_accuracy", "moved_sensitivity"):
                mean = summary.figures[figure].mean - other.figures[figure].mean
                change = Interval(mean=mean, sd=0.01, low=mean - 0.025, high=mean + 0.025)
                if base == "classic-augment+oversample":
                    differences[figure] = change
                if figure != "moved_sensitivity":
                    comparisons.append(
                        Comparison(
                            figure=figure,
                            against=base,
                            difference=change,
                            p_bootstrap=min(1.0, float(np.exp(-abs(mean) * 90))),
                            p_analytic=min(1.0, float(np.exp(-abs(mean) * 80))),
                        )
                    )
        area = differences["roc_auc"]
        outcome = "no-significant-difference"
        if area.low is not None and area.high is not None:
            outcome = "helps" if area.low > 0 else "harms" if area.high < 0 else outcome
        verdicts.append(
            Verdict(
                real_count=summary.real_count,
                real_count_label=summary.real_count_label,
                classifier=summary.classifier,
                gan=GAN,
                arm=summary.arm,
                outcome=outcome,
                sentence=f"With {summary.real_count} real images, {summary.arm} compared with the"
                f" strongest without it changed ROC-AUC by {area.mean:+.3f}.",
                against="classic-augment+oversample",
                differences=differences,
                comparisons=comparisons,
                p_helps=0.4,
                p_harms=0.03,
                p_holm=min(1.0, float(np.exp(-abs(area.mean) * 60))),
                ratio=2.0,
                n_runs=5,
                caveats=["Fewer than 50 real images."] if summary.real_count < 50 else [],
            )
        )
    for count in COUNTS:
        is_few = count < 50
        conclusions.append(
            Conclusion(
                real_count=count,
                real_count_label=str(count),
                outcome="harms"
                if is_few
                else "helps"
                if count == 100
                else "no-significant-difference",
                sentence=f"With {count} real images of “malignant”, "
                + (
                    "adding FastGAN’s images made the classifier worse than classic augmentation"
                    " alone (ROC-AUC .79 against .83)."
                    if is_few
                    else "adding FastGAN’s images made no difference that can be told from chance;"
                    " classic augmentation does as well without them."
                    if count != 100
                    else "adding two of FastGAN’s images to each real one, with classic"
                    " augmentation, found more cancers than every other way to use the same images."
                ),
                classifier="probe",
                gan=GAN,
                arm="gan:fastgan+classic-augment",
                caveats=["The plain CNN says otherwise: no clear difference."] if is_few else [],
            )
        )
    return verdicts, conclusions


def results() -> Results:
    rows, _, _ = rows_and_scores()
    summaries = summarised(rows)
    verdicts, conclusions = judged(summaries)
    chance = np.random.default_rng(3)
    found: dict[str, list] = {
        name: [] for name in ("ratios", "quality", "screening", "shortcuts", "privacy")
    }
    for place, count in enumerate(COUNTS):
        for subset in SUBSETS:
            of = {
                "gan": GAN,
                "real_count": count,
                "real_count_label": str(count),
                "subset": subset,
            }
            found["ratios"] += _ratios(of, place, chance)
            found["quality"].append(_quality(of, place, chance))
            found["screening"].append(
                ScreeningSummary(
                    **of,
                    drawn=3 * (AVAILABLE - count),
                    kept=AVAILABLE - count,
                    needed=AVAILABLE - count,
                    rejected={"near-copy": 9 - place, "wrong-class": 300, "alike": 1500},
                    is_short=False,
                )
            )
            found["shortcuts"].append(
                Shortcut(
                    **of,
                    n_real=count,
                    n_fake=200,
                    raw=Interval(mean=0.97, low=0.95, high=0.99),
                    matched=Interval(mean=0.86 - 0.04 * place, low=0.7, high=0.9),
                    at_gan_size=Interval(mean=0.6, low=0.52, high=0.68),
                    is_warning=place < 2,
                )
            )
            found["privacy"].append(_privacy(of, place, chance))
    pairs = [
        LeakPair(
            kind="exact" if i == 0 else "near",
            rms=0.0 if i == 0 else 2.0 + 0.4 * i,
            splits=["train", "test"] if i < 5 else ["train", "train"],
            classes=["malignant", "benign"] if i in (1, 6) else ["benign", "benign"],
            entries=[40 + i, 1200 + 3 * i],
        )
        for i in range(14)
    ]
    return Results(
        rare_class="malignant",
        classes={
            "benign": {"train": 1144, "test": N_TEST[0]},
            "malignant": {"train": AVAILABLE, "test": N_TEST[1]},
        },
        conclusions=conclusions,
        rows=rows,
        summaries=summaries,
        verdicts=verdicts,
        **found,
        upscaler=[
            UpscalerFidelity(
                engine="realesrgan",
                size_from=64,
                size_to=224,
                n=200,
                psnr=Interval(mean=33.6, sd=2.1),
                ssim=Interval(mean=0.88, sd=0.03),
                psnr_lanczos=Interval(mean=36.0, sd=2.4),
                ssim_lanczos=Interval(mean=0.92, sd=0.02),
            )
        ],
        leaks=Leaks(
            exact=1,
            near=13,
            across_splits=5,
            across_classes=2,
            is_complete=True,
            training_images_of_test=5,
            left_out=True,
            pairs=pairs,
        ),
    )


def _ratios(of: dict, place: int, chance: np.random.Generator) -> list[RatioPoint]:
    tried = (0, 0.5, 1, 2, 5, 10)
    values = [
        0.84 + 0.012 * place + 0.01 * np.sin(i) + chance.normal(scale=0.004) for i in range(6)
    ]
    best = int(np.argmax(values))
    return [
        RatioPoint(
            **of,
            classifier="probe",
            seed=0,
            ratio=ratio,
            n_fake=int(ratio * of["real_count"]),
            heldout_roc_auc=value,
            roc_auc=value - 0.01,
            moved_balanced_accuracy=value - 0.08,
            is_chosen=i == best,
        )
        for i, (ratio, value) in enumerate(zip(tried, values, strict=True))
    ]


def _quality(of: dict, place: int, chance: np.random.Generator) -> SetQuality:
    return SetQuality(
        **of,
        features=FEATURES,
        against="held-out",
        n_real=400,
        n_fake=400,
        kid=0.09 - 0.01 * place + chance.normal(scale=0.002),
        kid_sd=0.006,
        chance_kid=0.002,
        frechet=120 - 9 * place,
        precision=0.6,
        recall=0.2 + 0.07 * place,
        density=0.7,
        coverage=0.4 + 0.07 * place,
        diversity=0.6 + 0.05 * place,
    )


def _privacy(of: dict, place: int, chance: np.random.Generator) -> Privacy:
    attack = 0.72 - 0.09 * place + chance.normal(scale=0.01)
    half = 0.16 - 0.02 * place
    return Privacy(
        **of,
        n_fake=AVAILABLE,
        n_members=of["real_count"],
        n_others=500,
        others="held-out",
        nearest_ratio=0.8 + 0.05 * place,
        share_below_first_percentile=0.06 - 0.01 * place,
        near_copies=3 - place // 2,
        attack_by_distance=Interval(mean=attack, low=attack - half, high=attack + half),
        attack_by_discriminator=Interval(mean=attack + 0.1, low=attack, high=attack + 0.2),
    )


def blobs(chance: np.random.Generator, n: int, size: int) -> np.ndarray:
    """uint8 [n, size, size, 3]: dark spots on skin colour."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    images = np.empty((n, size, size, 3), np.uint8)
    for i in range(n):
        dx, dy, radius, squeeze = chance.uniform((-0.1, -0.1, 0.15, 0.7), (0.1, 0.1, 0.35, 1.4))
        spot = np.clip(6 * (1 - np.hypot((x - dx) * squeeze, y - dy) / radius), 0, 1)[..., None]
        skin, mole = chance.uniform(170, 230, 3), chance.uniform(50, 120, 3)
        images[i] = np.clip(
            skin + (mole - skin) * spot + chance.normal(size=(size, size, 1)), 0, 255
        )
    return images


def gan_section(count: int, subset: int, size: int = 32) -> GanSection:
    chance = np.random.default_rng([count, subset])
    upscaled = blobs(chance, 16, 2 * size)
    return GanSection(
        gan=GAN,
        real_count=count,
        real_count_label=str(count),
        subset=subset,
        real=blobs(chance, 8, 2 * size),
        snapshots=[
            Snapshot(label=f"epoch {e}", images=blobs(chance, 8, size), is_chosen=e == 200)
            for e in (100, 200)
        ],
        upscaled=upscaled,
        nearest=np.stack([blobs(chance, 3, 2 * size) for _ in range(8)]),
        copies=[CopyPair(synthetic=upscaled[0], real=upscaled[0] // 2 + 60, rms=4.5 + subset)],
        history=[{"epoch": float(e), "generator": 1 + 1 / e, "discriminator": 0.6} for e in (1, 9)],
        facts={"epochs": "200", "size": "64 × 64 pixels"},
    )


def whole_study() -> ReportData:
    found = results()
    rows, scores, positive = rows_and_scores()
    chance = np.random.default_rng(1)
    spec = resolve(StudySpec(profile="quick"), {"benign": 1144, "malignant": AVAILABLE})
    points = [
        {"epoch": float(e), "train_loss": 0.7 / e, "val_loss": 0.8 / e, "train_accuracy": 0.9}
        for e in range(1, 6)
    ]
    assert found.leaks is not None
    return ReportData(
        results=found,
        spec=spec.model_dump(mode="json"),
        dataset=DatasetSection(
            digest="0123456789abcdef" * 4,
            image_size=224,
            classes=found.classes,
            exact_duplicates=1,
            near_duplicates=13,
            across_splits=5,
            across_classes=2,
        ),
        version="0.1.0",
        gans=[gan_section(count, subset) for count in COUNTS for subset in SUBSETS],
        curves=[
            LearningCurve(
                classifier="seed-cnn",
                arm=arm,
                real_count=count,
                real_count_label=str(count),
                subset=0,
                seed=0,
                points=points,
            )
            for arm in ARMS
            for count in COUNTS
            if "@" not in arm
        ],
        scores=score_curves(rows, scores, positive),
        leaks=[
            LeakPicture(pair=pair, first=image, second=image)
            for pair, image in zip(found.leaks.pairs, blobs(chance, 12, 64), strict=False)
        ],
        advice=["Below about 50 real images GANs harm as often as they help."],
        environment={"torch": "2.15.0"},
        created_at="2026-01-02T03:04:05+00:00",
    )
