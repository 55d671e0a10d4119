"""Steps as child processes that are killed, and asked to stop, at random moments.

Whatever happened on the way, the outputs are those of an undisturbed run, by their SHA-256.
"""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import pack
from gan_core.steps import load_step, run_step

RUN = [sys.executable, "-m", "gan_core", "run"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
EXIT_STOPPED = 4
# A stop is heard within seconds; this leaves room for a machine that is busy with other things.
STOP_SECONDS = 60.0

TRAIN = {
    "gan": "infogan",
    "image_size": 32,
    "rare_class": "malignant",
    "real_count": 4,
    "subset": 0,
    "batch_size": 2,
    "epochs": 12,
    "seed": 0,
    "ema_decay": 0.9,
    "snapshots": 2,
    "keep": "best",
    "stop_early": False,
    "near_copy_rms": 8.0,
}
EVALUATE = {
    "rare_class": "malignant",
    "arms": {"probe": ["real-only", "oversample"], "seed-cnn": ["real-only", "oversample"]},
    "folds": 2,
    "fill_to": 6,
    "real_count": 4,
    "real_count_label": "4",
    "subset": 0,
    "seeds": [0],
    "seed_cnn": {"epochs": 2, "batch_size": 2},
}


def step_folder(
    folder: Path, kind: str, params: dict[str, Any], inputs: dict[str, Path], cache: Path
) -> Path:
    folder.mkdir()
    for label, source in inputs.items():
        shutil.copytree(source, folder / "inputs" / label)
    settings = {
        "device": "cpu",
        "cache_dir": str(cache),
        "threads": 1,
        "checkpoint_seconds": 0.05,
    }
    step = {
        "name": kind,
        "kind": kind,
        "key": "0" * 64,
        "params": params,
        "inputs": {label: f"inputs/{label}" for label in inputs},
        "settings": settings,
    }
    (folder / "step.json").write_text(json.dumps(step))
    return folder


def undisturbed(folder: Path) -> Path:
    context = load_step(folder, on_progress=ignore_progress, should_stop=never_stop)
    run_step(context)
    return folder / "outputs"


def digests(outputs: Path) -> dict[str, str]:
    """SHA-256 of each output; of an evaluation's rows without the seconds that they took."""
    found = {}
    for path in sorted(outputs.iterdir()):
        data = path.read_bytes()
        if path.name == "rows.json":
            rows = json.loads(data)
            data = json.dumps([{**row, "seconds": 0} for row in rows]).encode()
        found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def disturb(folder: Path, how: signal.Signals, seconds: float) -> int:
    """Start the step, wait for a sign of life and some time more, and send a signal."""
    child = subprocess.Popen(
        [*RUN, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(how)
    sent = time.monotonic()
    _, complaints = child.communicate(timeout=STOP_SECONDS)
    if how == signal.SIGTERM:
        assert child.returncode in (0, EXIT_STOPPED), complaints.decode()
        assert time.monotonic() - sent < STOP_SECONDS
    return child.returncode


def survives(whole: Path, folder: Path, *, seed: int, seconds: float) -> None:
    """Disturb a step again and again, let it end, and compare."""
    chance = random.Random(seed)
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        disturb(folder, how, chance.uniform(0, seconds))
    done = subprocess.run([*RUN, folder], capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert digests(folder / "outputs") == digests(whole)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training images a class, 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    pixels = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for split, count in (("train", 8), ("test", 4)):
            for name in ("benign", "malignant"):
                for number in range(count):
                    buffer = io.BytesIO()
                    noise = pixels.integers(0, 256, (32, 32, 3), np.uint8)
                    Image.fromarray(noise).save(buffer, "PNG")
                    archive.writestr(f"{split}/{name}/{number}.png", buffer.getvalue())
    pack(folder / "pictures.zip", folder / "packed", image_size=32)
    return folder / "packed"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(dataset: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "step"
    return undisturbed(step_folder(folder, "train", TRAIN, {"dataset": dataset}, cache))


def test_an_upscaling_killed_once_leaves_the_same_bytes(tmp_path: Path, cache: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    np.save(made / "images.npy", np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), "u1"))
    params = {"engine": "lanczos", "size": 224}
    whole = undisturbed(step_folder(tmp_path / "a", "upscale", params, {"generate": made}, cache))
    folder = step_folder(tmp_path / "b", "upscale", params, {"generate": made}, cache)
    disturb(folder, signal.SIGKILL, 0.0)
    done = subprocess.run([*RUN, folder], capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert digests(folder / "outputs") == digests(whole)


@pytest.mark.slow
@pytest.mark.chaos
def test_a_training_survives(tmp_path: Path, dataset: Path, cache: Path, trained: Path) -> None:
    folder = step_folder(tmp_path / "b", "train", TRAIN, {"dataset": dataset}, cache)
    survives(trained, folder, seed=1, seconds=2.0)


@pytest.mark.slow
@pytest.mark.chaos
def test_a_generation_survives(tmp_path: Path, cache: Path, trained: Path) -> None:
    params = {"count": 600, "first_seed": 3}
    inputs = {"train": trained}
    whole = undisturbed(step_folder(tmp_path / "a", "generate", params, inputs, cache))
    folder = step_folder(tmp_path / "b", "generate", params, inputs, cache)
    survives(whole, folder, seed=2, seconds=1.0)


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize(("engine", "count"), [("lanczos", 600), ("realesr-compact-x2", 12)])
def test_an_upscaling_survives(tmp_path: Path, cache: Path, engine: str, count: int) -> None:
    made = tmp_path / "made"
    made.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    np.save(made / "images.npy", pixels)
    params = {"engine": engine, "size": 64}
    inputs = {"generate": made}
    whole = undisturbed(step_folder(tmp_path / "a", "upscale", params, inputs, cache))
    folder = step_folder(tmp_path / "b", "upscale", params, inputs, cache)
    survives(whole, folder, seed=3, seconds=1.0)


@pytest.mark.slow
@pytest.mark.chaos
def test_features_and_an_evaluation_survive(tmp_path: Path, dataset: Path, cache: Path) -> None:
    inputs = {"dataset": dataset}
    whole = undisturbed(step_folder(tmp_path / "a", "features", {}, inputs, cache))
    folder = step_folder(tmp_path / "b", "features", {}, inputs, cache)
    survives(whole, folder, seed=4, seconds=1.0)
    inputs["features"] = whole
    whole = undisturbed(step_folder(tmp_path / "c", "evaluate", EVALUATE, inputs, cache))
    folder = step_folder(tmp_path / "d", "evaluate", EVALUATE, inputs, cache)
    survives(whole, folder, seed=5, seconds=3.0)
