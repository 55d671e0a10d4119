"""Many probes at once are the probes that each would be alone."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gan_core.classifiers.probe import INVERSE_PENALTY
from gan_core.classifiers.probes import Probes, fit_probes
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError


def table(count: int = 240, width: int = 30, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Two clouds, a fifth of the rows rare; features of very different scales, one still."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 5 == 0).astype(np.int64)
    features = rng.normal(size=(count, width)) @ rng.normal(size=(width, width))
    features[:, 0] += 3 * labels
    features[:, 1] = 7.0
    features[:, 2] = features[:, 2] * 1e5 + 1e6
    features[:, 3] *= 1e-4
    return features.astype(np.float32), labels  # type: ignore[return-value]


def weightings(labels: NDArray[np.int64], fits: int = 12) -> NDArray[np.float32]:
    """Whole numbers of times that each row is shown; every fit sees both classes."""
    rng = np.random.default_rng(1)
    shown = rng.integers(0, 4, (fits, len(labels))).astype(np.float32)
    shown[:, :10] = 1
    shown[0] = 1
    return shown


def by_scikit_learn(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    shown: NDArray[np.float32],
    class_weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Scores of the table by a fit to its rows, each repeated as often as it is shown."""
    rows = np.repeat(np.arange(len(labels)), shown.astype(int))
    wide = features.astype(np.float64)
    mean, spread = wide[rows].mean(0), wide[rows].std(0)
    spread[spread < 1e-9] = 1.0
    model = LogisticRegression(
        C=INVERSE_PENALTY, class_weight=dict(enumerate(class_weights)), tol=1e-10, max_iter=9999
    )
    model.fit(((wide - mean) / spread)[rows], labels[rows])
    scores: NDArray[np.float64] = model.predict_proba((wide - mean) / spread)[:, 1]
    return scores


@pytest.mark.parametrize("weight", [1.0, 6.0])
def test_every_fit_has_scikit_learn_s_minimum(weight: float) -> None:
    features, labels = table()
    shown = weightings(labels)
    class_weights = np.tile([1 / weight, weight], (len(shown), 1))
    found = fit_probes(features, labels, shown, class_weights=class_weights).predict(features)
    for scores, own in zip(found, shown, strict=True):
        expected = by_scikit_learn(features, labels, own, class_weights[0])
        np.testing.assert_allclose(scores, expected, atol=1e-3)
    assert np.ptp(found, axis=0).max() > 0.02  # they do differ


def test_more_features_than_rows_and_classes_that_can_be_told_apart_are_no_trouble() -> None:
    features, labels = table(40, 100)
    shown = weightings(labels, 3)
    found = fit_probes(features, labels, shown).predict(features)
    for scores, own in zip(found, shown, strict=True):
        expected = by_scikit_learn(features, labels, own, np.ones(2))
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_a_fit_is_the_same_alone_and_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = table()
    shown = weightings(labels)
    together = fit_probes(features, labels, shown).predict(features)
    monkeypatch.setattr("gan_core.classifiers.probes._AT_ONCE", 1)
    alone = fit_probes(features, labels, shown).predict(features)
    np.testing.assert_allclose(together, alone, atol=2e-4)


def test_rows_of_no_weight_are_as_if_they_were_not_there() -> None:
    features, labels = table()
    shown = weightings(labels, 2)
    shown[:, 120:] = 0
    within = fit_probes(features, labels, shown).predict(features)
    cut = fit_probes(features[:120], labels[:120], shown[:, :120]).predict(features)
    np.testing.assert_allclose(within, cut, atol=2e-4)


def test_a_fraction_of_a_row_counts_as_a_fraction() -> None:
    features, labels = table()
    shown = weightings(labels, 2)
    thrice = np.concatenate([features] * 3), np.concatenate([labels] * 3)
    spread = fit_probes(*thrice, np.concatenate([shown / 3] * 3, 1)).predict(features)
    np.testing.assert_allclose(
        spread, fit_probes(features, labels, shown).predict(features), atol=2e-4
    )


def test_one_of_them_is_a_probe() -> None:
    probes = Probes(np.array([[1.0, -1.0], [0.0, 2.0]]), np.array([0.5, 0.0]))
    features = np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)
    np.testing.assert_array_equal(probes[1].predict(features), probes.predict(features)[1])


def test_a_fit_of_one_class_is_refused() -> None:
    features, labels = table()
    shown = weightings(labels)
    shown[3, labels == 1] = 0
    with pytest.raises(GraftError) as refused:
        fit_probes(features, labels, shown)
    assert refused.value.code == "one_class_only"


def test_progress_goes_up_to_the_end_and_it_stops_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gan_core.classifiers.probes._AT_ONCE", 240 * 5)
    features, labels = table()
    seen: list[Progress] = []
    fit_probes(features, labels, weightings(labels), on_progress=seen.append)
    fractions = [told.fraction for told in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert seen[-1].detail == "probe, 12/12 fits"
    with pytest.raises(Stopped):
        fit_probes(features, labels, weightings(labels), should_stop=lambda: True)
