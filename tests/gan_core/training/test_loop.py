import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.gans import registry
from gan_core.gans.infogan import InfoGAN
from gan_core.generating import generate
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError
from gan_core.training.loop import Snapshot, TrainConfig, TrainResult, train
from gan_core.training.run import epoch_order
from gan_core.training.snapshots import snapshot_epochs

IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def config(**more: Any) -> TrainConfig:
    """Five images in batches of 2, 2 and 1: every epoch has a short last batch."""
    return TrainConfig(
        **{"batch_size": 2, "epochs": 2, "snapshots": 2, "sample_count": 2, "ema_decay": 0.9} | more
    )


def run(settings: TrainConfig, **more: Any) -> TrainResult:
    return train(registry.create("infogan", image_size=32), IMAGES, settings, **more)


def stop_after(steps: int) -> Any:
    asked = iter(range(10**6))
    return lambda: next(asked) >= steps


def same(one: TrainResult, other: TrainResult) -> bool:
    return (
        one.model.to_bytes() == other.model.to_bytes()
        and one.history == other.history
        and [snapshot.epoch for snapshot in one.snapshots]
        == [snapshot.epoch for snapshot in other.snapshots]
        and all(
            np.array_equal(first.images, second.images)
            for first, second in zip(one.snapshots, other.snapshots, strict=True)
        )
    )


@pytest.fixture(scope="module")
def undisturbed() -> TrainResult:
    return run(config())


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 6])
def test_a_resumed_run_equals_an_undisturbed_one_bit_for_bit(
    tmp_path: Path, undisturbed: TrainResult, steps: int
) -> None:
    if steps < 6:
        with pytest.raises(Stopped):
            run(config(), checkpoint_dir=tmp_path, should_stop=stop_after(steps))
        torch.manual_seed(steps)  # another process would have another global state
    else:
        run(config(checkpoint_seconds=0, checkpoint_share=1), checkpoint_dir=tmp_path)
    assert same(run(config(), checkpoint_dir=tmp_path), undisturbed)


def test_a_run_stopped_again_and_again_equals_an_undisturbed_one(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    for _ in range(5):
        with pytest.raises(Stopped):
            run(config(), checkpoint_dir=tmp_path, should_stop=stop_after(1))
    assert same(run(config(), checkpoint_dir=tmp_path, should_stop=stop_after(1)), undisturbed)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("ema_decay", [None, 0.99])
def test_resuming_is_exact_in_either_precision_with_and_without_average(
    tmp_path: Path, precision: str, ema_decay: float | None
) -> None:
    settings = config(precision=precision, ema_decay=ema_decay)
    with pytest.raises(Stopped):
        run(settings, checkpoint_dir=tmp_path, should_stop=stop_after(4))
    assert same(run(settings, checkpoint_dir=tmp_path), run(settings))


def test_checkpoints_on_the_way_do_not_change_the_run(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    assert same(
        run(config(checkpoint_seconds=0, checkpoint_share=1), checkpoint_dir=tmp_path), undisturbed
    )
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2
    assert (tmp_path / "milestone.safetensors").exists()


def test_a_truncated_newest_checkpoint_costs_time_but_no_bit(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    with pytest.raises(Stopped):
        run(
            config(checkpoint_seconds=0, checkpoint_share=1),
            checkpoint_dir=tmp_path,
            should_stop=stop_after(4),
        )
    newest = max(tmp_path.glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert same(run(config(), checkpoint_dir=tmp_path), undisturbed)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"batch_size": 3}, {"epochs": 3}, {"ema_decay": None}]
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(Stopped):
        run(config(), checkpoint_dir=tmp_path, should_stop=stop_after(1))
    with pytest.raises(GraftError) as refused:
        run(config(**change), checkpoint_dir=tmp_path)
    assert refused.value.code == "checkpoint_mismatch"


def test_a_checkpoint_of_other_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(config(), checkpoint_dir=tmp_path, should_stop=stop_after(1))
    with pytest.raises(GraftError, match="other settings, images or code"):
        train(
            registry.create("infogan", image_size=32),
            255 - IMAGES,
            config(),
            checkpoint_dir=tmp_path,
        )


def test_another_seed_trains_another_generator(undisturbed: TrainResult) -> None:
    other = run(config(seed=1)).model.weights["project.weight"]
    assert not torch.equal(other, undisturbed.model.weights["project.weight"])


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    gan = registry.create("infogan", image_size=32)
    torch.set_rng_state(before)
    train(gan, IMAGES, config())
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_shows_every_image_once_the_short_batch_included() -> None:
    seen: list[torch.Tensor] = []

    class Watched(InfoGAN):
        def step(self, real: torch.Tensor, *_: Any) -> dict[str, torch.Tensor]:
            seen.append(real.clone())
            return {"generator": torch.tensor(float(len(seen)))}

    plain = registry.create("infogan", image_size=32)
    gan = Watched(plain.settings)  # type: ignore[arg-type]
    result = train(gan, IMAGES, config(snapshots=0))
    assert [len(batch) for batch in seen] == [2, 2, 1, 2, 2, 1]
    expected = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 127.5 - 1
    for epoch in range(2):
        shown = torch.cat(seen[3 * epoch : 3 * epoch + 3])
        assert torch.equal(shown, expected[epoch_order(5, 0, epoch)])
        assert shown.is_contiguous(memory_format=torch.channels_last)
    assert result.history == [{"epoch": 1, "generator": 2.0}, {"epoch": 2, "generator": 5.0}]


def test_epochs_are_permutations_that_differ() -> None:
    orders = [epoch_order(50, 0, epoch).tolist() for epoch in range(3)]
    orders.append(epoch_order(50, 1, 0).tolist())
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert epoch_order(50, 0, 2).tolist() == orders[2]


def test_the_history_stays_short_and_is_json() -> None:
    class Quick(InfoGAN):
        def step(self, *arguments: Any) -> dict[str, torch.Tensor]:
            return {"generator": torch.tensor(arguments[-1])}

    gan = Quick(registry.create("infogan", image_size=32).settings)  # type: ignore[arg-type]
    result = train(gan, IMAGES, config(epochs=1201, batch_size=5, snapshots=0))
    assert len(result.history) == 401
    assert [point["epoch"] for point in result.history[-2:]] == [1200, 1201]
    assert json.loads(json.dumps(result.history)) == result.history
    assert result.history[0]["generator"] == pytest.approx(1 / 1201)


def test_progress_names_the_label_and_the_epoch_and_ends_at_one() -> None:
    reports: list[Progress] = []
    run(config(label="infogan, 5 real"), on_progress=reports.append)
    assert reports[0].detail == "infogan, 5 real, epoch 1/2"
    assert reports[-1] == Progress(1.0, "infogan, 5 real, epoch 2/2")
    assert [report.fraction for report in reports] == sorted(report.fraction for report in reports)


def test_snapshots_are_evenly_spaced_and_end_with_the_result() -> None:
    assert snapshot_epochs(1000, 4) == {250, 500, 750, 1000}
    assert snapshot_epochs(2, 4) == {1, 2}
    assert snapshot_epochs(10, 0) == set()
    given: list[Snapshot] = []
    result = run(config(), on_snapshot=given.append)
    assert [snapshot.epoch for snapshot in given] == [1, 2]
    assert given[-1].model is not None
    assert given[-1].model.to_bytes() == result.model.to_bytes()
    assert [snapshot.step for snapshot in result.snapshots] == [3, 6]
    assert result.snapshots[0].images.shape == (2, 32, 32, 3)
    assert not np.array_equal(result.snapshots[0].images, result.snapshots[1].images)


def test_the_card_says_where_the_model_comes_from() -> None:
    card = run(config(snapshots=0), data_digest="d1").model.card()
    assert card["gan"] == "infogan"
    assert card["settings"]["image_size"] == 32
    assert (card["real_count"], card["step"], card["data_digest"]) == (5, 6, "d1")
    assert card["weights_kind"] == "ema"
    assert run(config(snapshots=0, ema_decay=None)).model.card()["weights_kind"] == "raw"


def test_one_image_is_too_few() -> None:
    with pytest.raises(GraftError) as refused:
        train(registry.create("infogan", image_size=32), IMAGES[:1], config())
    assert refused.value.code == "too_few_images"


def test_images_of_another_size_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not uint8"):
        train(registry.create("infogan", image_size=48), IMAGES, config())


def test_it_learns_the_colour_of_what_it_is_shown() -> None:
    images = np.empty((8, 32, 32, 3), np.uint8)
    images[:] = (220, 60, 30)
    settings = TrainConfig(batch_size=8, epochs=12, snapshots=0, precision="float32")
    gan = registry.create("infogan", image_size=32, learning_rate=2e-3)
    result = train(gan, images, settings)
    mean = generate(result.model, range(8)).mean((0, 1, 2))
    assert mean[0] > 160
    assert mean[1] < 110
    assert mean[2] < 90


CHILD = """
import sys
from pathlib import Path
import numpy as np
from gan_core.gans import registry
from gan_core.training.loop import TrainConfig, train

images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
settings = TrainConfig(
    batch_size=2, epochs=8, snapshots=2, sample_count=2, ema_decay=.99, checkpoint_seconds=0.2,
    checkpoint_share=1
)
directory = Path(sys.argv[1])
result = train(
    registry.create("infogan", image_size=32), images, settings, checkpoint_dir=directory / "kept",
    on_progress=lambda progress: print(progress.fraction, flush=True),
)
result.model.save(directory / "model.safetensors")
"""


@pytest.mark.slow
@pytest.mark.chaos
def test_a_process_killed_with_sigkill_and_resumed_leaves_the_same_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(name: str) -> subprocess.Popen[bytes]:
        (tmp_path / name).mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / name)],
            env=environment,
            stdout=subprocess.PIPE,
        )

    kills = 0
    for number in range(4):
        child = start("killed")
        kept = tmp_path / "killed" / "kept"
        before = set(kept.glob("*.safetensors"))
        while child.poll() is None and set(kept.glob("*.safetensors")) == before:
            time.sleep(0.003)
        time.sleep(0.01 * number)  # somewhere in a step, or in the midst of writing
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        child.communicate()
    assert kills >= 2
    for name in ("killed", "undisturbed"):
        child = start(name)
        child.communicate()
        assert child.returncode == 0
    assert (tmp_path / "killed" / "model.safetensors").read_bytes() == (
        tmp_path / "undisturbed" / "model.safetensors"
    ).read_bytes()
