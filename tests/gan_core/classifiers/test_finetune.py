"""Fine-tuning of the ImageNet network."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.classifiers import finetune_training
from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.finetune import FinetuneConfig, FinetuneResult, train_finetune
from gan_core.classifiers.finetune_course import FinetuneCourse
from gan_core.classifiers.finetune_order import ShownImages
from gan_core.classifiers.finetune_training import FinetuneTraining
from gan_core.classifiers.probe import fit_probe
from gan_core.features import FeatureExtractor
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def spotted(count: int, seed: int = 0) -> tuple[Images, Labels]:
    """Noise with a few large dark spots in images of class 1, with light ones in class 0."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(100, 150, (count, 224, 224, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        for row, column in rng.integers(0, 160, (3, 2)):
            image[row : row + 60, column : column + 60] = 20 if label else 235
    return images, labels


def config(**given: Any) -> FinetuneConfig:
    return FinetuneConfig(**{"epochs": 2, "batch_size": 3, "learning_rate": 3e-4, **given})


def weights(result: FinetuneResult) -> dict[str, torch.Tensor]:
    return result.network.state_dict()


def assert_same(one: FinetuneResult, other: FinetuneResult) -> None:
    assert one.history == other.history
    assert np.array_equal(one.heldout_scores, other.heldout_scores)
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name


def mirrored_by_seed() -> ModuleType:
    """An augmentation that mirrors the images of odd seeds."""
    module = ModuleType("gan_core.augmenting")

    def augmented(x: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
        assert seeds.dtype == torch.int64
        return torch.where((seeds % 2 == 1)[:, None, None, None], x.flip(3), x)

    module.augmented = augmented  # type: ignore[attr-defined]
    return module


def test_it_learns_what_can_be_learned_and_scores_in_order() -> None:
    images, labels = spotted(12)
    result = train_finetune(images, labels, config())
    fresh, truth = spotted(8, seed=1)
    scores = result.predict(fresh)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[truth == 1].min() > scores[truth == 0].max()
    assert [record.epoch for record in result.history] == [1, 2]
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert result.n_train == 10
    assert np.array_equal(result.heldout_scores, result.predict(images[result.heldout_rows]))
    right = (result.heldout_scores > 0.5) == (labels[result.heldout_rows] == 1)
    assert result.history[-1].validation_accuracy == right.mean()


def test_it_begins_where_the_probe_of_the_same_features_ends() -> None:
    images, labels = spotted(8)
    labels[0] = 1  # so that not all is plain
    of_both = (0.7, 1.9)
    result = train_finetune(
        images,
        labels,
        config(epochs=1, learning_rate=1e-12, class_weights=of_both, validation_fraction=0.0),
    )
    fresh, _ = spotted(4, seed=1)
    extractor = FeatureExtractor()
    probe = fit_probe(extractor.extract(images), labels, class_weights=of_both)
    expected = probe.predict(extractor.extract(fresh))
    assert expected.std() > 0.05
    np.testing.assert_allclose(result.predict(fresh), expected, atol=1e-3)


def test_every_layer_learns() -> None:
    images, labels = spotted(4)
    still, moved = (
        train_finetune(images, labels, config(epochs=1, learning_rate=rate))
        for rate in (1e-12, 1e-4)
    )
    for name, value in weights(still).items():
        assert not torch.allclose(value, weights(moved)[name], rtol=0, atol=1e-8), name


def test_the_seed_decides_which_images_are_held_out_and_their_order() -> None:
    images, labels = spotted(10)
    first, second, other = (
        train_finetune(images, labels, config(epochs=1, seed=seed)) for seed in (0, 0, 1)
    )
    assert_same(first, second)
    assert not torch.equal(weights(first)["head.weight"], weights(other)["head.weight"])


def test_a_training_leaves_the_global_random_state_alone() -> None:
    images, labels = spotted(4)
    before = torch.get_rng_state()
    train_finetune(images, labels, config(epochs=1))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stopped_training_goes_on_and_equals_an_undisturbed_one_bit_for_bit(
    tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gan_core.augmenting", mirrored_by_seed())
    images, labels = spotted(10)
    ours = config(precision=precision, augment=True, sampling="oversample")
    undisturbed = train_finetune(images, labels, ours)
    last = Progress(0.0, "")

    def note(progress: Progress) -> None:
        nonlocal last
        last = progress

    with pytest.raises(Stopped):
        train_finetune(
            images,
            labels,
            ours,
            checkpoint_dir=tmp_path,
            on_progress=note,
            should_stop=lambda: last.fraction > 0.5,
        )
    assert last.detail == "finetune, epoch 2/2"
    seen: list[Progress] = []
    resumed = train_finetune(images, labels, ours, checkpoint_dir=tmp_path, on_progress=seen.append)
    # Stopped in the midst of an epoch, it goes on with the next batch.
    assert seen[0].fraction > last.fraction
    assert_same(resumed, undisturbed)


def test_a_training_stopped_while_it_scores_held_out_images_makes_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = spotted(10)
    undisturbed = train_finetune(images, labels, config())
    steps: list[int] = []
    step = FinetuneTraining.train_batch

    def counted(self: FinetuneTraining, shown: ShownImages, number: int) -> None:
        steps.append(number)
        step(self, shown, number)

    monkeypatch.setattr(FinetuneTraining, "train_batch", counted)
    a_whole_epoch = 3
    with pytest.raises(Stopped):
        train_finetune(
            images,
            labels,
            config(),
            checkpoint_dir=tmp_path,
            should_stop=lambda: len(steps) == a_whole_epoch,
        )
    assert_same(train_finetune(images, labels, config(), checkpoint_dir=tmp_path), undisturbed)
    assert steps == [0, 1, 2, 3, 4, 5]


def test_a_training_that_has_ended_is_read_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = spotted(10)
    made = train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path)
    monkeypatch.delattr(FinetuneTraining, "train_batch")
    assert_same(train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path), made)


def test_a_checkpoint_of_other_settings_labels_or_images_is_refused(tmp_path: Path) -> None:
    images, labels = spotted(4)
    train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path)
    changed = images.copy()
    changed[3, 0, 0, 0] ^= 1
    for others in (
        (images, labels, config(epochs=1, seed=3)),
        (images, 1 - labels, config(epochs=1)),
        (changed, labels, config(epochs=1)),
    ):
        with pytest.raises(GraftError) as refused:
            train_finetune(*others, checkpoint_dir=tmp_path)
        assert refused.value.code == "checkpoint_mismatch"


def test_without_a_stop_a_checkpoint_is_written_by_time_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = spotted(4)
    written: list[bool] = []
    state = FinetuneTraining.state

    def counted(self: FinetuneTraining, *, has_ended: bool) -> dict[str, torch.Tensor]:
        written.append(has_ended)
        return state(self, has_ended=has_ended)

    monkeypatch.setattr(FinetuneTraining, "state", counted)
    train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path)
    assert written == [True]


def gradients(ours: FinetuneConfig, rows: list[int]) -> dict[str, torch.Tensor]:
    images, labels = spotted(8)
    on_device = DeviceImages(images, torch.device("cpu"))
    training = FinetuneTraining(on_device, labels, ours, steps=1)
    torch.nn.init.constant_(training.network.head.weight, 0.01)
    training.train_batch(ShownImages(np.array(rows), np.zeros(len(rows), np.int64)), 0)
    found = {name: value.grad for name, value in training.network.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


def test_a_batch_without_the_rare_class_pulls_less_when_classes_are_weighted() -> None:
    plain = gradients(config(), [0, 2])
    weighted = gradients(config(class_weights=(0.25, 4.0)), [0, 2])
    for name, value in plain.items():
        torch.testing.assert_close(weighted[name], 0.25 * value, rtol=1e-3, atol=1e-6)


def test_a_batch_in_pieces_makes_the_step_of_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = gradients(config(class_weights=(0.5, 2.0)), [0, 1, 2, 3, 5])
    monkeypatch.setattr(finetune_training, "images_at_once", lambda _: 2)
    pieces = gradients(config(class_weights=(0.5, 2.0)), [0, 1, 2, 3, 5])
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-3, atol=1e-4 * value.abs().max())


def test_where_memory_runs_out_pieces_get_smaller_and_images_leave_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels = spotted(4)
    plain = train_finetune(images, labels, config(epochs=1))
    sizes: list[tuple[int, bool]] = []
    compute = FinetuneTraining._gradients

    def hungry(self: FinetuneTraining, shown: ShownImages, at_once: int) -> torch.Tensor:
        sizes.append((at_once, self.images.resident is not None))
        if self.images.resident is not None:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return compute(self, shown, at_once)

    monkeypatch.setattr(FinetuneTraining, "_gradients", hungry)
    monkeypatch.setattr("gan_core.classifiers.device_images.keeps_resident", lambda _: True)
    in_need = train_finetune(images, labels, config(epochs=1))
    assert sizes[:5] == [(8, True), (4, True), (2, True), (1, True), (1, False)]
    np.testing.assert_allclose(in_need.predict(images), plain.predict(images), atol=1e-3)


def test_where_there_is_no_memory_for_one_image_the_error_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(FinetuneTraining, "_gradients", full)
    with pytest.raises(torch.OutOfMemoryError):
        train_finetune(*spotted(4), config())


def test_images_of_another_size_are_seen_at_the_network_s_own() -> None:
    images, labels = spotted(4)
    small = images[:, ::2, ::2]
    result = train_finetune(small, labels, config(epochs=1))
    assert result.predict(small).shape == (4,)


def test_a_training_set_of_one_class_is_refused() -> None:
    images, labels = spotted(4)
    with pytest.raises(GraftError) as refused:
        train_finetune(images, np.zeros_like(labels), config())
    assert refused.value.code == "one_class_only"


def test_labels_that_do_not_fit_are_a_mistake_of_the_caller() -> None:
    images, labels = spotted(4)
    with pytest.raises(ValueError, match="labels are"):
        train_finetune(images, labels + 1, config())
    with pytest.raises(ValueError, match="3 labels"):
        train_finetune(images, labels[:3], config())


def test_a_stop_before_the_first_step_keeps_nothing_and_loses_nothing(tmp_path: Path) -> None:
    images, labels = spotted(4)
    with pytest.raises(Stopped):
        train_finetune(images, labels, config(), checkpoint_dir=tmp_path, should_stop=lambda: True)
    assert not list(tmp_path.iterdir())


def test_scoring_can_be_stopped() -> None:
    images, labels = spotted(4)
    result = train_finetune(images, labels, config(epochs=1))
    with pytest.raises(Stopped):
        result.predict(images, should_stop=lambda: True)


def test_a_damaged_checkpoint_starts_the_training_again(tmp_path: Path) -> None:
    images, labels = spotted(4)
    whole = train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    assert_same(train_finetune(images, labels, config(epochs=1), checkpoint_dir=tmp_path), whole)


def test_the_course_counts_its_steps_over_all_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[int] = []
    begin = FinetuneTraining.__init__

    def noted(self: Any, *given: Any) -> None:
        totals.append(given[3])
        begin(self, *given)

    monkeypatch.setattr(FinetuneTraining, "__init__", noted)
    images, labels = spotted(7)
    split = np.arange(7), np.arange(0)
    on_device = DeviceImages(images, torch.device("cpu"))
    FinetuneCourse(on_device, labels, split, config(epochs=4), None)  # type: ignore[arg-type]
    assert totals == [4 * 3]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_what_a_cpu_trains() -> None:
    images, labels = spotted(10)
    ours = config(class_weights=(0.5, 2.0), precision="float32")
    on_gpu, on_cpu = (
        train_finetune(images, labels, ours, device=device) for device in ("cuda", "cpu")
    )
    for mine, theirs in zip(on_gpu.history, on_cpu.history, strict=True):
        assert mine.train_loss == pytest.approx(theirs.train_loss, abs=5e-2)
    np.testing.assert_allclose(on_gpu.predict(images), on_cpu.predict(images), atol=5e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_training_stopped_on_a_gpu_goes_on(tmp_path: Path) -> None:
    images, labels = spotted(10)
    undisturbed = train_finetune(images, labels, config(), device="cuda")
    steps: list[Progress] = []
    with pytest.raises(Stopped):
        train_finetune(
            images,
            labels,
            config(),
            device="cuda",
            checkpoint_dir=tmp_path,
            on_progress=steps.append,
            should_stop=lambda: bool(steps) and steps[-1].fraction > 0.5,
        )
    resumed = train_finetune(images, labels, config(), device="cuda", checkpoint_dir=tmp_path)
    np.testing.assert_allclose(resumed.predict(images), undisturbed.predict(images), atol=2e-2)
