import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.classifiers.probe import fit_probe
from gan_core.spec.errors import GraftError


def clouds(
    n_other: int, n_rare: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two clouds that overlap, one feature that never moves, one of a very large scale."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.zeros(n_other, np.int64), np.ones(n_rare, np.int64)])
    features = rng.normal(size=(len(labels), 20))
    features[:, 0] += 2 * labels
    features[:, 1] = 7.0
    features[:, 2] *= 1e5
    return features.astype(np.float32), labels


def test_it_tells_clouds_apart_and_gives_probabilities() -> None:
    probe = fit_probe(*clouds(200, 200))
    features, labels = clouds(100, 100, seed=1)
    scores = probe.predict(features)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    assert ((scores >= 0.5) == labels).mean() > 0.75


def test_class_weights_find_more_of_the_rare_class() -> None:
    features, labels = clouds(300, 10)
    fresh, truth = clouds(200, 200, seed=1)
    plain = fit_probe(features, labels).predict(fresh)
    balanced = fit_probe(features, labels, class_weights=(0.52, 15.5)).predict(fresh)
    assert (balanced[truth == 1] >= 0.5).mean() > (plain[truth == 1] >= 0.5).mean() + 0.2


def test_the_folded_standardisation_changes_nothing() -> None:
    features, labels = clouds(50, 50)
    scaled = features.copy()
    scaled[:, 0] = scaled[:, 0] * 3 + 5
    assert fit_probe(scaled, labels).predict(scaled) == pytest.approx(
        fit_probe(features, labels).predict(features), abs=1e-4
    )


def test_one_class_is_refused() -> None:
    features, _ = clouds(5, 5)
    with pytest.raises(GraftError) as refused:
        fit_probe(features, np.zeros(10, np.int64))
    assert refused.value.code == "one_class_only"
