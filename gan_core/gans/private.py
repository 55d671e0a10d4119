"""One step with differential privacy: DP-SGD for the discriminator, nothing new for the generator.

DPGAN: Xie et al., "Differentially Private Generative Adversarial Network", 2018, arXiv:1802.06739.
Only the discriminator sees real images. Each image's gradient is clipped, the sum gets Gaussian
noise, and all that comes after, the generator with it, spends nothing more. Fakes are clipped like
real images, or they would outweigh them; that the generator waits for some steps of the
discriminator is from Bie et al., "Private GANs, Revisited", 2023, arXiv:2302.02936.

Discriminators run in float32 here whatever the rest does: a norm that was rounded to bfloat16 could
be above the one that the noise was measured for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from opacus.grad_sample import GradSampleHooks
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn

from gan_core.gans.base import frozen
from gan_core.gans.losses import ADVERSARIAL_LOSSES
from gan_core.training.memory import micro_batches
from gan_core.training.privacy import PrivateTraining

if TYPE_CHECKING:
    from gan_core.gans.adversarial import AdversarialGan

MOST_AT_ONCE = 32
"""Images whose gradients, each as large as the discriminator, are in memory together."""

ImageLoss = Callable[[Tensor], Tensor]

LOSSES_OF_IMAGES: dict[str, tuple[ImageLoss, ImageLoss]] = {
    "non-saturating": (lambda real: F.softplus(-real), F.softplus),
    "least-squares": (lambda real: (real - 1).square() / 2, lambda fake: fake.square() / 2),
    "hinge": (lambda real: F.relu(1 - real), lambda fake: F.relu(1 + fake)),
}
"""The discriminator's loss for each real image and each fake; their means add up to those of
``losses.ADVERSARIAL_LOSSES``."""


class PrivateStep:
    """Trains a GAN whose discriminator takes each image by itself.

    Args:
        gan: Its optimizers are ready, and what stays frozen is.
        terms: What is promised.
        noise: Where the noise comes from, on the device; nobody may know its seed.
    """

    def __init__(self, gan: AdversarialGan, terms: PrivateTraining, noise: torch.Generator) -> None:
        self.gan, self.terms = gan, terms
        # Opacus takes an image to be laid out as [N, C, H, W] whatever its strides say: with
        # channels_last its gradients of convolutions are wrong, and no error tells of it.
        gan.discriminator.to(memory_format=torch.contiguous_format)
        self._layouts = [
            module.register_forward_pre_hook(_contiguous)
            for module in gan.discriminator.modules()
            if isinstance(module, nn.Conv2d)
        ]
        self._hooks = GradSampleHooks(gan.discriminator, loss_reduction="sum")
        self._hooks.disable_hooks()
        self._optimizer = DPOptimizer(
            gan.optimizers["discriminator"],
            noise_multiplier=terms.noise_multiplier,
            max_grad_norm=terms.clip,
            expected_batch_size=terms.batch_size,
            generator=noise,
        )

    def detach(self) -> None:
        """Leave the discriminator as it was found."""
        self._hooks.remove_hooks()
        for layout in self._layouts:
            layout.remove()

    def step(self, real: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        """Train the discriminator once, and the generator when it is its turn.

        Args:
            real: float32 [N, 3, S, S], a Poisson sample of the real images: N may be 0.
            random: For latents and augmentation; its seed may be known.

        Returns:
            "generator", and "discriminator on fakes": what it loses on real images is computed from
            these without noise, and not told.
        """
        gan = self.gan
        loss = ADVERSARIAL_LOSSES[gan.settings.loss]
        is_generators_turn = gan.counter.is_due(self.terms.discriminator_steps)
        latents = gan.random_latents(self.terms.batch_size, random)
        with gan.autocast(), torch.set_grad_enabled(is_generators_turn):
            fake = gan.generator(latents)
        fake_logits = self._train_discriminator(real, fake.detach().float(), random)
        losses = {"discriminator on fakes": self._fake_loss(fake_logits).mean()}
        if is_generators_turn:
            with frozen(gan.discriminator):
                fake_logits = gan.discriminator(gan.augment(fake.float(), random))
            value = loss.generator(None, fake_logits)
            gan._descend("generator", value)
            losses["generator"] = value.detach()
        else:
            losses["generator"] = loss.generator(None, fake_logits)
        gan.counter.steps += 1
        return losses

    def _fake_loss(self, logits: Tensor) -> Tensor:
        return LOSSES_OF_IMAGES[self.gan.settings.loss][1](logits)

    def _train_discriminator(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """Clip, sum, add noise, step; returns the fakes' logits before the step."""
        of_real, of_fake = LOSSES_OF_IMAGES[self.gan.settings.loss]
        images = self.gan.augment(torch.cat([real, fake]), random).float()
        is_real = (torch.arange(len(images), device=images.device) < len(real))[:, None]
        parts = micro_batches(len(images), -(-len(images) // MOST_AT_ONCE) * self.gan.memory.parts)
        told = []
        self._hooks.enable_hooks()
        for part in parts:
            self._optimizer.zero_grad(set_to_none=True)
            # Hooks on the way back need an input that has a gradient.
            seen = images[part].detach().requires_grad_(True)
            logits = self.gan.discriminator(seen)
            total = torch.where(is_real[part], of_real(logits), of_fake(logits)).sum()
            total.backward()  # type: ignore[no-untyped-call]
            # All parts are one batch: the noise comes with the last.
            self._optimizer.signal_skip_step(do_skip=part is not parts[-1])
            self._optimizer.step()
            told.append(logits.detach())
        self._optimizer.zero_grad(set_to_none=True)
        self._hooks.disable_hooks()
        return torch.cat(told)[len(real) :]


def _contiguous(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.contiguous() for tensor in inputs)
