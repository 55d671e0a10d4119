"""The fine-tuned networks of an evaluation, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gan_core.benchmark.cnn_trials import Means, Pile, Trained, copies_of, points_of
from gan_core.benchmark.crossfit import found_on
from gan_core.benchmark.trials import Ground, Trial
from gan_core.classifiers.finetune import FinetuneConfig, train_finetune
from gan_core.classifiers.images import StackedImages
from gan_core.progress import part


def finetune_runs(
    trials: Sequence[Trial], ground: Ground, config: FinetuneConfig, means: Means
) -> list[Trained]:
    """Fine-tune a network for each trial, and test it.

    Args:
        trials: Of one column.
        ground: Of the trials.
        config: Settings but for seed, class weights, sampling and augmentation.
        means: What to train with.

    Raises:
        GraftError: Those of ``train_finetune``.
        Stopped: It was asked to.
    """
    found = []
    for number, trial in enumerate(trials):
        own = part(means.on_progress, number / len(trials), (number + 1) / len(trials))
        pile = Pile([trial], ground)
        n_real = len(trial.real_rows)
        result = train_finetune(
            StackedImages([(pile.images, pile.of(trial))]),
            trial.labels,
            replace(
                config,
                seed=trial.seed,
                class_weights=trial.class_weights,
                sampling=trial.arm.sampling,
                augment=trial.arm.is_augmented,
            ),
            is_real=np.arange(len(trial.labels)) < n_real,
            copy_of=copies_of(trial),
            device=means.device,
            checkpoint_dir=means.folder(trial),
            checkpoint_seconds=means.checkpoint_seconds,
            label=means.told(trial),
            on_progress=part(own, 0.0, 0.96),
            should_stop=means.should_stop,
        )
        scores = result.predict(
            ground.data.test_images,
            on_progress=part(own, 0.96, 0.99),
            should_stop=means.should_stop,
        )
        is_rare, of_held = trial.is_rare[result.heldout_rows], result.heldout_scores
        if not trial.arm.has_real_rare:
            # Without real images of the rare class in training, all of them are held out.
            rare = StackedImages([(pile.images, pile.real(ground.column.chosen))])
            of_rare = result.predict(
                rare, on_progress=part(own, 0.99, 1.0), should_stop=means.should_stop
            )
            of_held = np.concatenate([of_held, of_rare])
            is_rare = np.concatenate([is_rare, np.ones(len(of_rare), np.bool_)])
        found.append(
            Trained(scores, found_on(of_held, is_rare), [points_of(r) for r in result.history])
        )
    return found
