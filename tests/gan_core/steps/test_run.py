"""What run_step does around a step, and what single steps leave, on data of a few bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.gans.registry import create
from gan_core.generating import TrainedGenerator, generate
from gan_core.progress import ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.steps import Output, StepContext, StepSettings, run_step
from gan_core.steps import generate as generate_step
from gan_core.steps import upscale as upscale_step


def context_of(
    folder: Path, kind: str, params: dict[str, Any], inputs: dict[str, Path] | None = None
) -> StepContext:
    for name in ("outputs", "checkpoints"):
        (folder / name).mkdir()
    return StepContext(
        name=kind,
        kind=kind,
        key="k",
        params=params,
        inputs=inputs or {},
        outputs=folder / "outputs",
        checkpoints=folder / "checkpoints",
        settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
        job={},
        on_progress=ignore_progress,
        should_stop=never_stop,
    )


def test_a_checkpoint_of_another_machine_is_thrown_away_and_the_step_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(tmp_path, "upscale", {})
    (context.checkpoints / "old").write_bytes(b"of another machine")

    def step(given: StepContext) -> list[Output]:
        if any(given.checkpoints.iterdir()):
            raise GraftError("checkpoint_mismatch", "It does not fit.")
        (given.outputs / "made").write_bytes(b"new")
        return [Output("made")]

    monkeypatch.setattr(upscale_step, "run", step)
    (made,) = run_step(context)
    assert (made["name"], made["size"]) == ("made", 3)


def test_images_made_in_blocks_are_those_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan = create("infogan", image_size=32)
    model = TrainedGenerator(
        gan=gan.name,
        settings=gan.settings_dict(),
        weights=gan.generator.state_dict(),
        weights_kind="raw",
        real_count=2,
        step=1,
        data_digest="d",
    )
    train = tmp_path / "train"
    train.mkdir()
    model.save(train / "model-infogan-2-s0.safetensors")
    monkeypatch.setattr(generate_step, "_BLOCK", 3)
    context = context_of(tmp_path, "generate", {"count": 7, "first_seed": 5}, {"train": train})
    run_step(context)
    made = np.load(context.outputs / "images.npy")
    np.testing.assert_array_equal(made, generate(model, range(5, 12)))
    assert np.load(context.outputs / "seeds.npy").tolist() == list(range(5, 12))


def test_weights_other_than_the_planned_ones_are_refused_before_any_image(tmp_path: Path) -> None:
    params = {"engine": "realesrgan", "size": 64, "weights_sha256": "0" * 64}
    context = context_of(tmp_path, "upscale", params)
    with pytest.raises(GraftError) as refused:
        run_step(context)
    assert refused.value.code == "weights_mismatch"
    assert not any(context.outputs.iterdir())
