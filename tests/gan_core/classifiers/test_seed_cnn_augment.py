from dataclasses import replace

import numpy as np
import torch

from gan_core.classifiers.seed_cnn import SeedCnnConfig
from gan_core.classifiers.seed_cnn_augment import augment_batch
from gan_core.classifiers.seed_cnn_network import PatchMoments, patch_moments
from gan_core.classifiers.seed_cnn_order import augmentation_seeds


def batch() -> tuple[torch.Tensor, PatchMoments]:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (3, 2, 32, 32, 3), np.uint8))
    found = patch_moments(images.flatten(0, 1))
    return images, PatchMoments(found.mean.view(3, 2, 27), found.second.view(3, 2, 27, 27))


def test_only_images_with_a_seed_are_augmented_and_their_moments_are_measured_anew() -> None:
    images, moments = batch()
    before = images.clone()
    seeds = [None, np.array([5, 6]), np.array([7])]
    augment_batch(images, moments, seeds)
    same = (images == before).flatten(2).all(2).tolist()
    assert same == [[True, True], [False, False], [False, True]]
    found = patch_moments(images.flatten(0, 1))
    torch.testing.assert_close(moments.mean.flatten(0, 1), found.mean)
    torch.testing.assert_close(moments.second.flatten(0, 1), found.second)


def test_an_image_s_augmentation_depends_on_its_seed_alone() -> None:
    together, moments = batch()
    augment_batch(together, moments, [np.array([1, 2]), np.array([3, 4]), None])
    alone, moments = batch()
    augment_batch(alone, moments, [None, np.array([3, 4]), None])
    assert torch.equal(together[1], alone[1])


def test_seeds_follow_run_epoch_and_place() -> None:
    config = SeedCnnConfig(seed=1)
    seeds = augmentation_seeds(config, 0, 8)
    assert len(set(seeds.tolist())) == 8
    assert np.array_equal(seeds[:5], augmentation_seeds(config, 0, 5))
    assert not np.isin(seeds, augmentation_seeds(config, 1, 8)).any()
    assert not np.isin(seeds, augmentation_seeds(replace(config, seed=2), 0, 8)).any()
