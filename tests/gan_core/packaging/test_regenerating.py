"""A real generator, packed and made again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gan_core.packaging import (
    PackageFacts,
    SyntheticImage,
    models_in,
    regenerator,
    resized,
    verify_zip,
    write_zip,
)


@pytest.fixture
def real_package(tmp_path: Path, facts: PackageFacts) -> Path:
    """Twenty images of a barely trained InfoGAN, upscaled and resized as a job does it."""
    from gan_core.gans import registry
    from gan_core.generating import generate
    from gan_core.training.loop import TrainConfig, train
    from gan_core.upscaling import create

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    gan = registry.create("infogan", image_size=32)
    model = train(gan, images, TrainConfig(batch_size=4, epochs=1, snapshots=0)).model
    path = tmp_path / "models" / "m.safetensors"
    path.parent.mkdir()
    model.save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    seeds = range(20)
    upscaler = create("lanczos", cache_dir=tmp_path / "cache")
    pixels = resized(upscaler.upscale(generate(model, seeds), size=64), 48)
    upscale = {"engine": "lanczos", "size": 64, "fingerprint": upscaler.fingerprint}
    entry = replace(
        facts.models[0], sha256=sha256, card=model.card(), upscale=upscale, output_size=48
    )
    out = tmp_path / "synthetic.zip"
    write_zip(
        out,
        images=(
            SyntheticImage(
                class_name="malignant",
                id=f"i{seed}",
                pixels=pixels[seed],
                seed=seed,
                model=sha256,
                gan="infogan",
                real_count=8,
                real_count_label="8",
                subset=0,
            )
            for seed in seeds
        ),
        facts=replace(facts, models=[entry]),
    )
    return out


def test_any_image_can_be_made_again_bit_for_bit_from_manifest_and_model(
    real_package: Path, tmp_path: Path
) -> None:
    report = verify_zip(
        real_package,
        models=models_in(tmp_path / "models"),
        sample=3,
        regenerate=regenerator(cache_dir=tmp_path / "cache"),
    )
    assert [check.outcome for check in report.checks] == ["passed"] * 5
    assert report.regenerated == 3


def test_images_of_another_generator_are_found_out(real_package: Path, tmp_path: Path) -> None:
    from gan_core.generating import TrainedGenerator

    (path,) = (tmp_path / "models").iterdir()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    model = TrainedGenerator.load(path)
    name = max(model.weights, key=lambda n: model.weights[n].numel())
    model.weights[name] = model.weights[name] * 0.5
    other = tmp_path / "other.safetensors"
    model.save(other)
    report = verify_zip(
        real_package,
        models={sha256: other},
        sample=2,
        regenerate=regenerator(cache_dir=tmp_path / "cache"),
    )
    assert not report.is_sound
    assert "comes out differently" in report.checks[-1].detail
