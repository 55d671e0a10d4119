"""Whether real and synthetic images can be told apart: then a classifier can learn just that.

In the benchmark only the rare class has synthetic images. A classifier that sees "was synthetic"
(the upscaler's texture, the GAN's size, a pattern in the noise) need not look at the disease:
Geirhos et al. 2020, "Shortcut learning in deep neural networks", arXiv:2004.07780.
"""

from __future__ import annotations

import numpy as np

from gan_core.benchmark.delong import auc_interval
from gan_core.classifiers.probe import fit_probe
from gan_core.quality import Features
from gan_core.spec.findings import Interval

WARNING_ABOVE = 0.75
MOST_TOLD_APART = 200
"""Images of a side."""
LEAST_TOLD_APART = 4
_FOLDS = 5


def told_apart(real: Features, fake: Features, *, seed: int = 0) -> Interval | None:
    """How well a probe tells real images from synthetic ones that it has not learnt from.

    As many of each side, at most ``MOST_TOLD_APART``, in five stratified folds; the scores of all
    folds make one ROC-AUC. DeLong's interval is that of the scores as they came: what other
    training images would have made of the probe is not in it.

    Clearly below .5 is no better than .5: copies of the very images that they are to be told from
    stand among the fakes, so that the probe has learnt the wrong class of what it is asked.

    Args:
        real: float32 [N, D]; the first ones are taken.
        fake: float32 [M, D]; the first ones are taken.
        seed: Of the folds.

    Returns:
        None with fewer than 4 images on a side.
    """
    from sklearn.model_selection import StratifiedKFold

    count = min(len(real), len(fake), MOST_TOLD_APART)
    if count < LEAST_TOLD_APART:
        return None
    features = np.concatenate([real[:count], fake[:count]])
    is_fake = np.repeat(np.array([0, 1], np.int64), count)
    scores = np.empty(2 * count)
    folds = StratifiedKFold(min(_FOLDS, count), shuffle=True, random_state=seed)
    for learns, asked in folds.split(features, is_fake):
        scores[asked] = fit_probe(features[learns], is_fake[learns]).predict(features[asked])
    return auc_interval(scores, is_fake == 1)


def is_warning(found: Interval) -> bool:
    """Whether a shortcut is there to be learnt: above .75, and by more than chance.

    Of ten images a side, real ones are told from other real ones with .75 in three cases of a
    hundred; then the interval holds .5.
    """
    return found.mean > WARNING_ABOVE and (found.low is None or found.low > 0.5)
