"""How much noise a promise of differential privacy takes, and how much of it has been spent.

The mechanism is DP-SGD: batches by Poisson sampling, gradients clipped image by image, Gaussian
noise (Abadi et al. 2016, arXiv:1607.00133). What it spends is counted by opacus' accountant of
Rényi differential privacy (Mironov et al. 2019, arXiv:1908.10530): an upper bound for data sets
that differ by the presence of one image.
"""

from __future__ import annotations

import math
import secrets
import warnings
from dataclasses import dataclass

from gan_core.spec.errors import GraftError

ACCOUNTANT = "rdp"
ORDERS = [
    *(1 + x / 100 for x in range(1, 10)),
    *(1 + x / 10 for x in range(1, 50)),
    *range(6, 64),
    *(64, 80, 96, 128, 192, 256, 512, 1024),
]
"""Any set of orders gives an upper bound; these also serve where much or little may be spent."""


@dataclass(frozen=True)
class PrivateTraining:
    """What a training with differential privacy does, and promises.

    Attributes:
        noise_multiplier: Standard deviation of the noise in the summed gradient, in units of
            ``clip``; 0 promises nothing.
        clip: Most that one image's gradient can weigh (its L2 norm).
        sample_rate: Chance of each real image to be in a batch.
        batch_size: Real images that a batch has on average, and fakes that it always has.
        delta: δ.
        discriminator_steps: Steps of the discriminator to one of the generator.
    """

    noise_multiplier: float
    clip: float
    sample_rate: float
    batch_size: int
    delta: float
    discriminator_steps: int = 1

    def epsilon(self, steps: int) -> float:
        """What so many steps of the discriminator have spent: an upper bound of ε."""
        if steps == 0:
            return 0.0
        if self.noise_multiplier == 0:
            return math.inf
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise_multiplier, self.sample_rate, steps)]
        with warnings.catch_warnings():
            # That a better order may lie beyond ours: the bound holds all the same.
            warnings.filterwarnings("ignore", message="Optimal order", category=UserWarning)
            return float(accountant.get_epsilon(self.delta, alphas=ORDERS))


def steps_an_epoch(real_count: int, batch_size: int) -> int:
    """Steps in which as many images are seen, on average, as there are."""
    return math.ceil(real_count / min(batch_size, real_count))


def private_training(
    *,
    epsilon: float,
    delta: float,
    real_count: int,
    batch_size: int,
    epochs: int,
    clip: float = 1.0,
    discriminator_steps: int = 1,
) -> PrivateTraining:
    """Find the least noise with which a whole training spends no more than ``epsilon``.

    Args:
        epsilon: ε, above 0.
        delta: δ, below 1 / real_count.
        real_count: Real images.
        batch_size: Real images a step, on average; at most all.
        epochs: As in ``TrainConfig``.
        clip: See ``PrivateTraining``.
        discriminator_steps: See there.

    Raises:
        GraftError: epsilon_too_small, when no amount of noise is enough.
    """
    from opacus.accountants.utils import get_noise_multiplier

    expected = min(batch_size, real_count)
    steps = epochs * steps_an_epoch(real_count, batch_size)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Optimal order", category=UserWarning)
            noise = get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=expected / real_count,
                steps=steps,
                accountant=ACCOUNTANT,
                epsilon_tolerance=min(0.01, epsilon / 100),
                alphas=ORDERS,
            )
    except ValueError as error:  # "The privacy budget is too low."
        raise GraftError(
            "epsilon_too_small",
            f"No amount of noise keeps {steps} steps within an epsilon of {epsilon:g}.",
            "Allow a larger epsilon, or train for fewer epochs.",
        ) from error
    return PrivateTraining(
        noise_multiplier=float(noise),
        clip=clip,
        sample_rate=expected / real_count,
        batch_size=expected,
        delta=delta,
        discriminator_steps=discriminator_steps,
    )


def rounded_up(epsilon: float) -> float:
    """An ε to print: never smaller than what was spent."""
    return math.ceil(epsilon * 10_000) / 10_000 if math.isfinite(epsilon) else epsilon


def secret_seed() -> int:
    """A seed that nobody can know: whoever knew it could take the noise off again.

    So a private training is not made again by its seed. The generators that it starts are PyTorch's
    own, which are not cryptographic ones.
    """
    return secrets.randbits(63)
