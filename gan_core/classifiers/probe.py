"""The probe: logistic regression on frozen ImageNet features (a "linear probe").

Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes"; as a
classifier for small sets: Kornblith et al. 2019, "Do better ImageNet models transfer better?".
Features are computed once, so a fit is a matter of milliseconds and many runs are cheap.

Features are standardised with the training set's own mean and spread; the L2 penalty is fixed
(``INVERSE_PENALTY``), not searched: a search would need images that 10 real ones do not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.spec.errors import GraftError

FloatArray = NDArray[np.float32]

INVERSE_PENALTY = 0.003
"""scikit-learn's C for standardised features. Chosen once, on a quarter of the skin lesions'
*training* images held out from the rest (10, 50, 200 and all real malignant images, with and
without class weights): from .001 to .01 the figures lie within .02 of each other, .1 and more
cost .02 of ROC-AUC."""
_MAX_ITERATIONS = 5000


@dataclass(frozen=True)
class Probe:
    """A fitted logistic regression.

    Attributes:
        weights: float64 [D], on features as they come (the standardisation is folded in).
        bias: Its constant.
    """

    weights: NDArray[np.float64]
    bias: float

    def predict(self, features: FloatArray) -> FloatArray:
        """Probability of the rare class, float32 [N], of features [N, D]."""
        logits = np.clip(features.astype(np.float64) @ self.weights + self.bias, -500.0, 500.0)
        return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)


def fit_probe(
    features: FloatArray,
    labels: NDArray[np.int64],
    *,
    class_weights: tuple[float, float] | None = None,
    inverse_penalty: float = INVERSE_PENALTY,
) -> Probe:
    """Fit a probe.

    Args:
        features: float32 [N, D].
        labels: int64 [N], 1 for the rare class and 0 for all others.
        class_weights: Weights of the loss for (other, rare).
        inverse_penalty: C of the L2 penalty.

    Returns:
        The minimum; the loss is convex, so there is no seed.

    Raises:
        GraftError: ``one_class_only``.
    """
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        raise GraftError(
            "one_class_only",
            "A classifier needs training images of the rare class and of others.",
            "Raise the real count, or check the data set's class folders.",
        )
    wide = features.astype(np.float64)
    mean, spread = wide.mean(0), wide.std(0)
    # A feature that never moves says nothing; it must not be divided by 0.
    spread[spread < 1e-9] = 1.0
    model = LogisticRegression(
        C=inverse_penalty,
        class_weight=None if class_weights is None else dict(enumerate(class_weights)),
        max_iter=_MAX_ITERATIONS,
    )
    model.fit((wide - mean) / spread, labels)
    weights = model.coef_[0] / spread
    return Probe(weights, float(model.intercept_[0] - mean @ weights))
