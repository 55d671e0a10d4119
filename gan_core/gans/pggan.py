"""PGGAN: both networks grow while they train, from a few pixels to the full size.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018,
arXiv:1710.10196: growing with a fade-in (section 2, figure 2), the deviation within a batch
(section 3), equalised learning rate and pixelwise normalisation (section 4); the networks stand in
``pggan_networks``. The critic has the loss and penalty of WGAN-GP (arXiv:1704.00028), and a small
drift term (appendix A.1).

The defaults are those of the study's sibling: Adam 1e-3 with betas (0, .99), penalty 10, drift
.001, 128 noise values, 256 channels, batches 32, 32, 32, 16, 16, 16, 16 from 4 to 256 pixels, and
samples drawn from normal values within .7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gan_core.gans.base import Gan, Latents, frozen
from gan_core.gans.checks import (
    check_adam,
    check_image_size,
    check_number,
    check_whole,
    out_of_range,
)
from gan_core.gans.losses import gradient_penalty, wasserstein_discriminator, wasserstein_generator
from gan_core.gans.pggan_networks import Critic, Generator, Growth

KIND = "PGGAN"


@dataclass(frozen=True)
class PGGANSettings:
    """Settings of a PGGAN.

    Attributes:
        image_size: Height and width, pixels: 32, 64, 112, 128, 224 or 256.
        latent_dim: Noise values.
        width: Channels of the first, smallest layers.
        learning_rate: Of both Adams.
        betas: Of both Adams.
        penalty_weight: Of WGAN-GP's gradient penalty.
        drift: Weight of the squared real scores, which keeps them near 0.
        batches: The most images a step takes at each size, from the smallest on; a larger batch is
            learnt in several steps. The last holds for sizes beyond.
        truncation: Samples are made from normal noise within plus and minus this; 0 for all of it.

    Raises:
        GraftError: image_size_out_of_range, setting_out_of_range.
    """

    image_size: int = 64
    latent_dim: int = 128
    width: int = 256
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    penalty_weight: float = 10.0
    drift: float = 0.001
    batches: tuple[int, ...] = (32, 32, 32, 16, 16, 16, 16)
    truncation: float = 0.7

    def __post_init__(self) -> None:
        check_image_size(KIND, self.image_size)
        check_whole(KIND, "latent_dim", self.latent_dim, 1, 1024)
        check_whole(KIND, "width", self.width, 2, 1024)
        check_adam(KIND, self.learning_rate, self.betas)
        check_number(KIND, "penalty_weight", self.penalty_weight, 0)
        check_number(KIND, "drift", self.drift, 0)
        batches: object = self.batches
        if not isinstance(batches, tuple) or not batches:
            raise out_of_range(KIND, "batches", batches, "a list of whole numbers")
        for batch in batches:
            check_whole(KIND, "batches", batch, 1, 1024)
        check_number(KIND, "truncation", self.truncation, 0, 10)


class PGGAN(Gan):
    """WGAN-GP at a size that follows the share of the training that is done."""

    name = "pggan"
    settings_type = PGGANSettings

    settings: PGGANSettings
    generator: Generator

    def __init__(self, settings: PGGANSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or PGGANSettings()
        self.generator = Generator(self.settings)
        self.critic = Critic(self.settings)

    def settled_from(self) -> float:
        """When the last doubling has faded in."""
        if self.is_pretrained:
            return 0.0
        stages = self.generator.stages
        return (stages + 0.5) / (stages + 1)

    @property
    def image_size(self) -> int:
        """Height and width of the images, pixels."""
        return self.settings.image_size

    def networks(self) -> Mapping[str, nn.Module]:
        """The generator and the critic."""
        return {"generator": self.generator, "critic": self.critic}

    def make_optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the generator, one for the critic."""
        rate, betas = self.settings.learning_rate, self.settings.betas
        return {
            name: Adam(network.parameters(), rate, betas, fused=True)
            for name, network in self.networks().items()
        }

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """The halvings of the grown critic, the first of them with the layer before it."""
        critic = self.critic
        first, *others = reversed(list(critic.blocks))
        return [nn.ModuleList([critic.from_image[-1], first]), *others]

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Noise [N, latent_dim], standard normal."""
        shape = (count, self.settings.latent_dim)
        return {"noise": torch.randn(shape, generator=random, device=random.device)}

    def latents_for(
        self,
        seeds: Sequence[int],
        *,
        truncation: float | None = None,
        category: int | None = None,
        codes: Sequence[float] | None = None,
    ) -> Latents:
        """Latents to sample with: noise of the truncated normal distribution, on the CPU.

        Raises:
            GraftError: seed_out_of_range, truncation_out_of_range, no_codes.
        """
        if truncation is None:
            truncation = self.settings.truncation
        return super().latents_for(seeds, truncation=truncation, category=category, codes=codes)

    def score(self, images: Tensor) -> Tensor:
        """The critic's score of each image, [N], at the size that the networks have grown to."""
        growth = Growth.at(self.generator.fraction, self.generator.stages)
        small = self._at_stage(images, growth)
        # One at a time: the deviation within the batch must not tell of the others.
        scores = [self.critic.judge(image[None], growth) for image in small]
        return torch.cat(scores).flatten().float()

    def step(
        self,
        real: Tensor,
        random: torch.Generator,
        fraction: float,
        labels: Tensor | None = None,  # noqa: ARG002 - there are no classes
    ) -> dict[str, Tensor]:
        """Train once, or several times where the stage's batch is smaller than ``real``.

        The losses are "generator", "critic" (without its penalty) and "penalty" (weighted), means
        over the parts. Networks that were trained before are grown, and stay so.
        """
        fraction = 1.0 if self.is_pretrained else fraction
        self.generator.fraction = fraction
        growth = Growth.at(fraction, self.generator.stages)
        small = self._at_stage(real, growth)
        batches = self.settings.batches
        parts = torch.split(small, batches[min(growth.stage, len(batches) - 1)])
        all_losses = [self._learn(part, random, growth) for part in parts]
        return {
            name: torch.stack([losses[name] for losses in all_losses]).mean()
            for name in all_losses[0]
        }

    def _at_stage(self, real: Tensor, growth: Growth) -> Tensor:
        """Real images [N, 3, S, S] at the stage's size; they fade in as fakes do."""
        small = F.adaptive_avg_pool2d(real, self.generator.first_size * 2**growth.stage)
        if growth.share < 1:
            old = F.interpolate(F.avg_pool2d(small, 2), scale_factor=2.0, mode="nearest")
            small = torch.lerp(old, small, growth.share)
        return small

    def _learn(self, real: Tensor, random: torch.Generator, growth: Growth) -> dict[str, Tensor]:
        settings, critic = self.settings, self.critic
        noise = self.random_latents(len(real), random)["noise"]
        with self.autocast():
            fake = self.generator.draw(noise, growth)
            real_scores = critic.judge(real, growth)
            fake_scores = critic.judge(fake.detach(), growth)
        critic_loss = wasserstein_discriminator(real_scores, fake_scores)
        critic_loss = critic_loss + settings.drift * real_scores.float().square().mean()
        penalty = settings.penalty_weight * gradient_penalty(
            lambda images: critic.judge(images, growth), real, fake, random
        )
        self._descend("critic", critic_loss + penalty)

        with self.autocast(), frozen(critic):
            scores = critic.judge(fake, growth)
        generator_loss = wasserstein_generator(None, scores)
        self._descend("generator", generator_loss)
        return {
            "generator": generator_loss.detach(),
            "critic": critic_loss.detach(),
            "penalty": penalty.detach(),
        }
