"""What run_step does around a step, and what single steps leave, on data of a few bytes."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.gans.registry import create
from gan_core.generating import TrainedGenerator, generate
from gan_core.progress import Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError
from gan_core.steps import Output, StepContext, StepSettings, run_step
from gan_core.steps import upscale as upscale_step
from gan_core.steps.run import KEY_FILE


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
    (context.checkpoints / KEY_FILE).write_text(context.key)
    (context.checkpoints / "old").write_bytes(b"of another machine")

    def step(given: StepContext) -> list[Output]:
        if (given.checkpoints / "old").exists():
            raise GraftError("checkpoint_mismatch", "It does not fit.")
        (given.outputs / "made").write_bytes(b"new")
        return [Output("made")]

    monkeypatch.setattr(upscale_step, "run", step)
    (made,) = run_step(context)
    assert (made["name"], made["size"]) == ("made", 3)


@pytest.mark.parametrize("kept_for", ["another key", None])
def test_what_was_kept_for_another_key_is_never_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_for: str | None
) -> None:
    # Planned by older code, begun by it, handed back, and claimed by code that gave it a new key.
    context = context_of(tmp_path, "upscale", {})
    if kept_for is not None:
        (context.checkpoints / KEY_FILE).write_text(kept_for)
    (context.checkpoints / "half").write_bytes(b"by old code")
    seen: list[str] = []

    def step(given: StepContext) -> list[Output]:
        seen.extend(path.name for path in given.checkpoints.iterdir())
        (given.outputs / "made").write_bytes(b"new")
        return [Output("made")]

    monkeypatch.setattr(upscale_step, "run", step)
    run_step(context)
    assert seen == [KEY_FILE]
    (context.checkpoints / "half").write_bytes(b"by this code")
    seen.clear()
    run_step(context)
    assert sorted(seen) == ["half", KEY_FILE]


def trained(folder: Path) -> TrainedGenerator:
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
    folder.mkdir()
    model.save(folder / "model-infogan-2-s0.safetensors")
    return model


def test_a_generate_step_that_was_stopped_goes_on_and_leaves_the_same_bytes(
    tmp_path: Path,
) -> None:
    model = trained(tmp_path / "train")
    params = {"count": 35, "first_seed": 5}
    context = context_of(tmp_path, "generate", params, {"train": tmp_path / "train"})
    told: list[str] = []
    stopped = replace(
        context,
        should_stop=lambda: len(told) == 1,
        on_progress=lambda progress: told.append(progress.detail),
    )
    with pytest.raises(Stopped):
        run_step(stopped)
    stopped = replace(stopped, should_stop=never_stop)
    run_step(stopped)
    assert told == [f"infogan, image {done}/35" for done in (16, 32, 35)]
    expected = io.BytesIO()
    np.save(expected, generate(model, range(5, 40)))
    assert (context.outputs / "images.npy").read_bytes() == expected.getvalue()
    assert np.load(context.outputs / "seeds.npy").tolist() == list(range(5, 40))


def test_weights_other_than_the_planned_ones_are_refused_before_any_image(tmp_path: Path) -> None:
    params = {"engine": "realesrgan", "size": 64, "weights_sha256": "0" * 64}
    context = context_of(tmp_path, "upscale", params)
    with pytest.raises(GraftError) as refused:
        run_step(context)
    assert refused.value.code == "weights_mismatch"
    assert not any(context.outputs.iterdir())
