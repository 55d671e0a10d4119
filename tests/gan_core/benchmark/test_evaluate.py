import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gan_core.benchmark.evaluate import BenchmarkData, Evaluation, Fakes, evaluate_arms
from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError

RARE = 2


def data(per_class: int = 30, *, with_images: bool = False) -> BenchmarkData:
    """Three classes in a plane of features; images, where wanted, brighter for the rare class."""
    rng = np.random.default_rng(0)
    labels = np.arange(3 * per_class) % 3
    features = rng.normal(size=(len(labels), 6)).astype(np.float32)
    features[:, 0] += 3 * (labels == RARE)
    side = 224 if with_images else 2
    images = rng.integers(0, 100, (len(labels), side, side, 3), np.uint8)
    images[labels == RARE] += 120
    return BenchmarkData(images, labels, images, labels, RARE, features, features)


def fakes(count: int, side: int = 2) -> Fakes:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    features[:, 0] += 3
    return Fakes(rng.integers(120, 220, (count, side, side, 3), np.uint8), features)


def probed(arms: list[str], made: Fakes | None = None, real_count: int = 5) -> Evaluation:
    return evaluate_arms(
        {"probe": arms},
        data(),
        real_count=real_count,
        real_count_label=str(real_count),
        subset=0,
        seeds=[0, 1],
        sources={} if made is None else {"fakes": made},
    )


def test_every_arm_and_seed_has_a_row_and_its_scores() -> None:
    found = probed(["real-only", "class-weights", "oversample", "gan:infogan"], fakes(25))
    assert [(r.arm, r.seed) for r in found.rows] == [
        (arm, seed)
        for arm in ("real-only", "class-weights", "oversample", "gan:infogan")
        for seed in (0, 1)
    ]
    assert found.scores.shape == (8, 90)
    assert {(r.n_real, r.n_other) for r in found.rows} == {(5, 60)}
    assert [r.n_fake for r in found.rows] == [0] * 6 + [25] * 2
    assert [r.gan for r in found.rows[5:]] == [None, "infogan", "infogan"]


def test_balancing_by_any_means_raises_the_sensitivity() -> None:
    found = probed(["real-only", "class-weights", "oversample", "gan:infogan"], fakes(55))
    by_arm = {r.arm: r.sensitivity or 0.0 for r in found.rows}
    assert by_arm["real-only"] < min(v for k, v in by_arm.items() if k != "real-only")


def test_synthetic_images_enter_the_gan_s_arm_alone() -> None:
    with_fakes = probed(["real-only", "gan:infogan"], fakes(25))
    without = probed(["real-only"])
    assert np.array_equal(with_fakes.scores[:2], without.scores)
    assert not np.array_equal(with_fakes.scores[2:], without.scores)


def test_the_seed_cnn_trains_on_real_and_synthetic_images_and_leaves_a_curve(
    tmp_path: Path,
) -> None:
    seen: list[Progress] = []
    asked = {
        "real_count": 2,
        "real_count_label": "2",
        "subset": 0,
        "seeds": [0],
        "seed_cnn": SeedCnnConfig(epochs=1),
        "sources": {"fakes": fakes(3, side=224)},
        "checkpoint_dir": tmp_path,
    }
    found = evaluate_arms(
        {"seed-cnn": ["gan:infogan"], "probe": ["gan:infogan"]},
        data(3, with_images=True),
        on_progress=seen.append,
        **asked,  # type: ignore[arg-type]
    )
    assert [r.classifier for r in found.rows] == ["seed-cnn", "probe"]
    (curve,) = found.curves
    assert json.loads(json.dumps(asdict(curve)))["points"][0]["epoch"] == 1.0
    assert {"train_loss", "val_loss"} <= set(curve.points[0])
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert seen[0].detail.startswith("gan:infogan, 2 real, seed-cnn, image ")
    assert "gan:infogan, 2 real, seed-cnn, epoch 1/1" in {p.detail for p in seen}
    again = evaluate_arms(
        {"seed-cnn": ["gan:infogan"], "probe": ["gan:infogan"]},
        data(3, with_images=True),
        **asked,  # type: ignore[arg-type]
    )
    assert np.array_equal(again.scores, found.scores)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(GraftError) as no_fakes:
        probed(["gan:infogan"])
    assert no_fakes.value.code == "fakes_missing"
    with pytest.raises(GraftError) as no_features:
        probed(["gan:infogan"], Fakes(fakes(3).images))
    assert no_features.value.code == "features_missing"
    with pytest.raises(GraftError) as no_arm:
        probed(["magic"])
    assert no_arm.value.code == "unknown_arm"


def test_it_stops_when_asked() -> None:
    with pytest.raises(Stopped):
        evaluate_arms(
            {"probe": ["real-only"]},
            data(),
            real_count=5,
            real_count_label="5",
            subset=0,
            seeds=[0],
            should_stop=lambda: True,
        )
