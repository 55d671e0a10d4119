"""Snapshots judged on the way, on training images alone: which one is kept, and when it is enough.

A GAN on few images does not end at its best: it goes on to learn its images by heart, or gets
worse again (Karras et al. 2020, "Training generative adversarial networks with limited data",
figure 1). So samples are compared with the training images at every snapshot, and the generator
that scored best is kept. Nothing here ever sees a test image, and no figure of this page is an
estimate of how good the images are: it was chosen by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.quality import (
    authenticity,
    cubic_kernel,
    density_and_coverage,
    kernel_distance,
    mean_of_others,
)
from gan_core.screening import near_copies, thumbnails

LEAST_JUDGED, MOST_JUDGED = 128, 512
LEAST_IMAGES = 4
MOST_JUDGED_AGAINST = 1000
"""Real images, for memory and time grow with the square of their number."""
DEFAULT_NEAR_COPY_RMS = 8.0

DISTANCE_WEIGHT = 5.0
"""Of KID over the real images' own kernel: on photographs of skin lesions, benign for malignant
ones then score .25, flat colour 1.5 (docs/results.md)."""
COPY_WEIGHT, ALLOWED_COPIES = 5.0, 0.02
AUTHENTICITY_WEIGHT, LEAST_AUTHENTICITY = 2.0, 0.4
"""New real images have about .65 (docs/results.md)."""
LEAST_FOR_AUTHENTICITY = 20
"""Training images; with 10, real images had .28 to .66, so that nothing can be told by it."""

IMPROVEMENT = 0.01
PATIENCE = 5
FIRST_STOP = 0.3
"""Share of the training that is given before a plateau may end it."""
COPYING_RATE, COPYING_AUTHENTICITY, COPYING_LOOKS = 0.1, 0.2, 2

Ending = Literal["plateau", "copying"]
ImageFeatures = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Judgement:
    """What was found of the samples at one moment of a training.

    Attributes:
        epoch: Epochs done.
        step: Steps done.
        kid: Kernel distance to the training images.
        kid_sd: Its standard deviation over subsets.
        density: See ``quality.density_and_coverage``.
        coverage: See there.
        copy_rate: Share of samples that are near-copies of a training image.
        authenticity: See ``quality.authenticity``.
        score: What a snapshot is chosen by; lower is better.
        is_copying: Whether a tenth of the samples were near-copies, or nearly all lay closer to a
            training image than that one's own neighbour.
        is_settled: Whether the generator makes what it is to make in the end; until then nothing
            is chosen and nothing ended (``Gan.settled_from``).
    """

    epoch: int
    step: int
    kid: float
    kid_sd: float
    density: float
    coverage: float
    copy_rate: float
    authenticity: float
    score: float
    is_copying: bool = False
    is_settled: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


class Judge:
    """Compares samples with the training images.

    Args:
        real_features: Of the rare class's training images, or of ``MOST_JUDGED_AGAINST`` of them,
            float32 [N, D], N ≥ 4.
        features_of: Features of samples, uint8 [M, S, S, 3] -> float32 [M, D].
        learnt_from: Images that no sample may be a near-copy of, uint8 [L, H, W, 3]: all that the
            GAN learns from, those of other classes among them.
        near_copy_rms: See ``ScreenSpec.near_copy_rms``.

    Raises:
        ValueError: Fewer than 4 images.
    """

    def __init__(
        self,
        real_features: NDArray[np.float32],
        features_of: ImageFeatures,
        learnt_from: NDArray[np.uint8],
        *,
        near_copy_rms: float = DEFAULT_NEAR_COPY_RMS,
    ) -> None:
        if len(real_features) < LEAST_IMAGES:
            raise ValueError(f"a judge needs features of at least {LEAST_IMAGES} images")
        self._features_of = features_of
        self._real = real_features
        self._thumbnails = thumbnails(learnt_from)
        self._near_copy_rms = near_copy_rms
        self._own_kernel = mean_of_others(cubic_kernel(real_features, real_features))
        self.sample_count = min(MOST_JUDGED, max(LEAST_JUDGED, len(real_features)))

    def judge(
        self, samples: NDArray[np.uint8], epoch: int, step: int, *, is_settled: bool = True
    ) -> Judgement:
        """Judge samples, uint8 [M, S, S, 3], made after so many epochs and steps."""
        features = self._features_of(samples)
        kid, kid_sd = kernel_distance(self._real, features)
        density, coverage = density_and_coverage(self._real, features)
        distances, _ = near_copies(samples, self._thumbnails)
        copy_rate = float((distances <= self._near_copy_rms).mean())
        novel = authenticity(self._real, features)
        tells = len(self._real) >= LEAST_FOR_AUTHENTICITY
        score = (
            DISTANCE_WEIGHT * max(kid, 0.0) / self._own_kernel
            + (1 - coverage)
            + COPY_WEIGHT * max(0.0, copy_rate - ALLOWED_COPIES)
            + AUTHENTICITY_WEIGHT * tells * max(0.0, LEAST_AUTHENTICITY - novel)
        )
        return Judgement(
            epoch=epoch,
            step=step,
            kid=kid,
            kid_sd=kid_sd,
            density=density,
            coverage=coverage,
            copy_rate=copy_rate,
            authenticity=novel,
            score=score,
            is_copying=copy_rate > COPYING_RATE or (tells and novel < COPYING_AUTHENTICITY),
            is_settled=is_settled,
        )


def best_of(judgements: Sequence[Judgement]) -> Judgement | None:
    """The settled one with the lowest score, the earliest of equals; None where there is none."""
    settled = [found for found in judgements if found.is_settled]
    return min(settled, key=lambda found: found.score, default=None)


def reason_to_end(judgements: Sequence[Judgement], fraction: float) -> Ending | None:
    """Whether going on is of no use any more.

    A plateau: the last five judgements brought nothing better than what there was, by more than
    .01. Copying: twice in a row.

    Args:
        judgements: All so far, in order.
        fraction: Share of the training that is done.
    """
    judgements = [found for found in judgements if found.is_settled]
    latest = judgements[-COPYING_LOOKS:]
    if len(latest) == COPYING_LOOKS and all(found.is_copying for found in latest):
        return "copying"
    if fraction < FIRST_STOP or len(judgements) <= PATIENCE:
        return None
    before = min(found.score for found in judgements[:-PATIENCE])
    lately = min(found.score for found in judgements[-PATIENCE:])
    return "plateau" if lately > before - IMPROVEMENT else None
