"""Which images a fine-tuning holds out, what it shows, and how fast it learns."""

import numpy as np

from gan_core.classifiers.finetune_order import (
    FinetuneConfig,
    learning_rate_factor,
    shown_images,
    stratified_held_out,
)


def test_a_fifth_of_the_real_images_of_each_class_is_held_out() -> None:
    labels = np.array([0] * 50 + [1] * 10)
    trains, held = stratified_held_out(labels, labels >= 0, 0.2, seed=4)
    assert np.bincount(labels[held]).tolist() == [10, 2]
    assert sorted([*trains, *held]) == list(range(60))
    _, of_another_seed = stratified_held_out(labels, labels >= 0, 0.2, seed=5)
    assert not np.array_equal(held, of_another_seed)


def test_synthetic_images_all_train_and_change_nothing_in_what_is_held_out() -> None:
    labels = np.array([0] * 20 + [1] * 10 + [1] * 30)
    is_real = np.arange(60) < 30
    trains, held = stratified_held_out(labels, is_real, 0.2, seed=4)
    _, without = stratified_held_out(labels[:30], is_real[:30], 0.2, seed=4)
    assert np.array_equal(held, without)
    assert set(range(30, 60)) <= set(trains)


def test_copies_of_held_out_images_do_not_train() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [1] * 20)
    copy_of = np.concatenate([np.full(20, -1), np.arange(10, 20), np.arange(10, 20)])
    trains, held = stratified_held_out(labels, copy_of < 0, 0.2, seed=0, copy_of=copy_of)
    assert not set(copy_of[trains]) & set(held)
    rare_held = [row for row in held if labels[row]]
    assert len(rare_held) == 2
    assert len(trains) == 40 - 4 - 2 * 2


def test_too_few_images_to_hold_one_out_all_train() -> None:
    labels = np.array([0] * 10 + [1] * 4)
    _, held = stratified_held_out(labels, labels >= 0, 0.2, seed=0)
    assert labels[held].tolist() == [0, 0]


def test_an_epoch_shows_every_image_with_a_seed_of_its_own_whatever_the_batches() -> None:
    rows, labels = np.array([1, 2, 5, 7, 9]), np.arange(10) % 2
    config = FinetuneConfig()
    first, again, next_one = (shown_images(labels, rows, config, epoch) for epoch in (0, 0, 1))
    assert sorted(first.rows) == rows.tolist()
    assert np.array_equal(first.rows, again.rows)
    assert np.array_equal(first.seeds, again.seeds)
    assert len({*first.seeds, *next_one.seeds}) == 10
    assert (first.seeds >= 0).all()
    joined = [seed for batch in first.batches(2) for seed in batch.seeds]
    assert joined == first.seeds.tolist()
    assert [len(batch.rows) for batch in first.batches(2, start=4)] == [1]


def test_oversampled_epochs_show_both_classes_equally_often() -> None:
    labels = np.array([0] * 10 + [1] * 3)
    shown = shown_images(labels, np.arange(13), FinetuneConfig(sampling="oversample"), 0)
    assert np.bincount(labels[shown.rows]).tolist() == [10, 10]


def test_the_learning_rate_rises_over_a_tenth_of_the_steps_and_falls_to_nearly_nothing() -> None:
    factors = [learning_rate_factor(step, 100) for step in range(100)]
    assert factors[0] == 0.1
    assert max(factors) == factors[9] == factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 < factors[-1] < 0.001
    assert learning_rate_factor(0, 1) == 1.0
