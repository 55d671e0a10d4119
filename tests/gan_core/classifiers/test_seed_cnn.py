from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.classifiers import device_images, seed_cnn_checkpoint
from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.seed_cnn import (
    SeedCnnConfig,
    SeedCnnResult,
    SeedCnnRun,
    epoch_order,
    held_out,
    train_seed_cnn,
)
from gan_core.classifiers.seed_cnn_training import SeedCnnTraining, measure_images
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def coloured(count: int, seed: int = 0) -> tuple[Images, Labels]:
    """Reddish images of class 1 and bluish ones of class 0."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 120, (count, 224, 224, 3), np.uint8)
    images[labels == 1, :, :, 0] += 100
    images[labels == 0, :, :, 2] += 100
    return images, labels


def weights(result: SeedCnnResult) -> dict[str, torch.Tensor]:
    return result.network.state_dict()


def test_it_learns_what_can_be_learned_and_scores_in_order() -> None:
    images, labels = coloured(16)
    config = SeedCnnConfig(epochs=4, batch_size=4, precision="float32")
    result = train_seed_cnn(images, labels, config)
    fresh, truth = coloured(10, seed=1)
    scores = result.predict(fresh)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[truth == 1].min() > scores[truth == 0].max()
    assert [r.epoch for r in result.history] == [1, 2, 3, 4]
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert (result.n_train, result.n_validation) == (13, 3)


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    images, labels = coloured(6)
    config = SeedCnnConfig(epochs=1, batch_size=4)
    first, second = (train_seed_cnn(images, labels, config) for _ in range(2))
    other = train_seed_cnn(images, labels, SeedCnnConfig(epochs=1, batch_size=4, seed=1))
    assert all(torch.equal(weights(first)[k], weights(second)[k]) for k in weights(first))
    assert not torch.equal(weights(first)["linear.weight"], weights(other)["linear.weight"])


def test_a_training_leaves_the_global_random_state_alone() -> None:
    images, labels = coloured(4)
    before = torch.get_rng_state()
    train_seed_cnn(images, labels, SeedCnnConfig(epochs=1, validation_fraction=0.0))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_equals_an_undisturbed_one_bit_for_bit(
    tmp_path: Path, precision: str
) -> None:
    images, labels = coloured(8)
    config = SeedCnnConfig(epochs=3, batch_size=3, precision=precision)  # type: ignore[arg-type]
    undisturbed = train_seed_cnn(images, labels, config)
    last = Progress(0.0, "")

    def note(progress: Progress) -> None:
        nonlocal last
        last = progress

    with pytest.raises(Stopped):
        train_seed_cnn(
            images,
            labels,
            config,
            checkpoint_dir=tmp_path,
            on_progress=note,
            should_stop=lambda: last.fraction > 0.5,
        )
    assert last.detail == "seed-cnn, epoch 2/3"
    seen: list[Progress] = []
    resumed = train_seed_cnn(
        images, labels, config, checkpoint_dir=tmp_path, on_progress=seen.append
    )
    # Stopped in the midst of an epoch, it goes on with the next batch.
    trained = [report for report in seen if "epoch" in report.detail]
    assert trained[0].fraction > last.fraction
    assert resumed.history == undisturbed.history
    for name, value in weights(undisturbed).items():
        assert torch.equal(value, weights(resumed)[name]), name


def test_a_checkpoint_of_other_settings_or_images_is_refused(tmp_path: Path) -> None:
    images, labels = coloured(4)
    config = SeedCnnConfig(epochs=1, validation_fraction=0.0)
    train_seed_cnn(images, labels, config, checkpoint_dir=tmp_path)
    with pytest.raises(GraftError) as of_seed:
        train_seed_cnn(
            images,
            labels,
            SeedCnnConfig(epochs=1, validation_fraction=0.0, seed=3),
            checkpoint_dir=tmp_path,
        )
    assert of_seed.value.code == "checkpoint_mismatch"
    with pytest.raises(GraftError) as of_images:
        train_seed_cnn(coloured(4, seed=9)[0], labels, config, checkpoint_dir=tmp_path)
    assert of_images.value.code == "checkpoint_mismatch"


def test_a_damaged_checkpoint_starts_the_training_again(tmp_path: Path) -> None:
    images, labels = coloured(4)
    config = SeedCnnConfig(epochs=1, validation_fraction=0.0)
    whole = train_seed_cnn(images, labels, config, checkpoint_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    again = train_seed_cnn(images, labels, config, checkpoint_dir=tmp_path)
    assert again.history == whole.history


def test_real_images_held_out_do_not_depend_on_the_synthetic_ones() -> None:
    real_only = np.ones(50, np.bool_)
    with_fakes = np.concatenate([real_only, np.zeros(30, np.bool_)])
    trains, validates = held_out(real_only, 0.2, seed=4)
    trains_too, validates_too = held_out(with_fakes, 0.2, seed=4)
    assert np.array_equal(validates, validates_too)
    assert len(validates) == 10
    assert len(trains) == 40
    assert len(trains_too) == 64  # 6 of the 30 synthetic ones are held out, too
    assert not set(trains_too) & set(validates_too)


def test_only_real_images_are_scored_for_the_plot() -> None:
    images, labels = coloured(10)
    is_real = np.arange(10) < 5
    result = train_seed_cnn(images, labels, SeedCnnConfig(epochs=1), is_real=is_real)
    assert result.n_validation == 1
    assert result.n_train == 8


def test_natural_order_shows_each_image_once_and_changes_with_the_epoch() -> None:
    rows = np.array([1, 2, 5, 7, 9])
    labels = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    config = SeedCnnConfig()
    orders = [epoch_order(labels, rows, config, epoch) for epoch in range(3)]
    assert all(sorted(order) == rows.tolist() for order in orders)
    assert any(not np.array_equal(orders[0], order) for order in orders[1:])


def test_oversampling_shows_both_classes_equally_often_and_no_image_much_more() -> None:
    labels = np.array([0] * 10 + [1] * 3)
    order = epoch_order(labels, np.arange(13), SeedCnnConfig(sampling="oversample"), epoch=0)
    assert np.bincount(labels[order]).tolist() == [10, 10]
    shown = np.bincount(order, minlength=13)
    assert shown[:10].tolist() == [1] * 10
    assert set(shown[10:].tolist()) == {3, 4}


def test_class_weights_move_the_scores_towards_the_rare_class() -> None:
    images, _ = coloured(10)
    labels = np.array([0] * 8 + [1] * 2)  # colour says nothing of this label
    natural = SeedCnnConfig(epochs=2, validation_fraction=0.0)
    weighted = SeedCnnConfig(epochs=2, validation_fraction=0.0, class_weights=(1.0, 40.0))
    means = [
        float(train_seed_cnn(images, labels, config).predict(images).mean())
        for config in (natural, weighted)
    ]
    assert means[1] > means[0]


def test_a_batch_without_the_rare_class_pulls_less_when_classes_are_weighted() -> None:
    images, labels = coloured(8)
    common = np.flatnonzero(labels == 0)
    gradients: list[torch.Tensor | None] = []
    for class_weights in (None, (0.25, 4.0)):
        config = SeedCnnConfig(class_weights=class_weights, precision="float32")
        on_device = DeviceImages(images, torch.device("cpu"))
        run = SeedCnnRun(np.arange(8), labels, labels >= 0, config)
        training = SeedCnnTraining(on_device, [run])
        training.train_batch([common], measure_images(on_device, common))
        gradients.append(training.stack["linear.weight"].grad)
    assert gradients[0] is not None
    torch.testing.assert_close(gradients[1], 0.25 * gradients[0])


def test_a_class_that_chance_would_hold_out_whole_trains() -> None:
    images, _ = coloured(10)
    labels = np.array([0] * 8 + [1] * 2)
    seed = next(s for s in range(500) if not labels[held_out(labels >= 0, 0.2, s)[0]].any())
    result = train_seed_cnn(images, labels, SeedCnnConfig(epochs=1, seed=seed))
    assert (result.n_train, result.n_validation) == (10, 0)


def test_images_of_another_size_are_refused_with_a_sentence() -> None:
    with pytest.raises(GraftError) as refused:
        train_seed_cnn(
            np.zeros((4, 112, 112, 3), np.uint8), np.array([0, 1, 0, 1]), SeedCnnConfig()
        )
    assert refused.value.code == "classifier_image_size"
    assert "112×112" in refused.value.detail


def test_a_training_set_of_one_class_is_refused() -> None:
    images, _ = coloured(4)
    with pytest.raises(GraftError) as refused:
        train_seed_cnn(images, np.zeros(4, np.int64), SeedCnnConfig())
    assert refused.value.code == "one_class_only"


def test_without_a_stop_a_checkpoint_is_written_by_time_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = seed_cnn_checkpoint.Checkpoint.write

    def counted(self: Any, *given: Any) -> None:
        written.append(len(given[1].history))
        write(self, *given)

    monkeypatch.setattr(seed_cnn_checkpoint.Checkpoint, "write", counted)
    images, labels = coloured(4)
    config = SeedCnnConfig(epochs=3, validation_fraction=0.0)
    train_seed_cnn(images, labels, config, checkpoint_dir=tmp_path)
    assert written == [3]


def test_a_device_without_room_for_all_images_fetches_each_batch_from_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images, labels = coloured(4)
    config = SeedCnnConfig(epochs=1, batch_size=2, validation_fraction=0.0)
    plain = train_seed_cnn(images, labels, config)
    monkeypatch.setattr(device_images, "keeps_resident", lambda _: True)
    tried: list[bool] = []
    step = SeedCnnTraining.train_batch

    def full(self: SeedCnnTraining, *given: Any) -> None:
        tried.append(self.images.resident is not None)
        if self.images.resident is not None and len(tried) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(self, *given)

    monkeypatch.setattr(SeedCnnTraining, "train_batch", full)
    in_need = train_seed_cnn(images, labels, config, checkpoint_dir=tmp_path)
    assert tried == [True, True, False, False]
    assert in_need.history == plain.history
    assert all(torch.equal(weights(plain)[k], weights(in_need)[k]) for k in weights(plain))


def test_scoring_can_be_stopped() -> None:
    images, labels = coloured(4)
    result = train_seed_cnn(images, labels, SeedCnnConfig(epochs=1, validation_fraction=0.0))
    with pytest.raises(Stopped):
        result.predict(images, should_stop=lambda: True)
