"""The two-sided step that the convolutional GANs with a choice of loss have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gan_core.gans.augment import AUGMENTS, Augment
from gan_core.gans.base import Gan, frozen
from gan_core.gans.checks import (
    check_adam,
    check_choice,
    check_image_size,
    check_number,
    check_whole,
)
from gan_core.gans.conditioning import check_conditioning, labels_settled_from, let_classes_in
from gan_core.gans.counter import StepCounter
from gan_core.gans.losses import ADVERSARIAL_LOSSES, rising_gamma, squared_gradient


@dataclass(frozen=True)
class AdversarialSettings:
    """Settings that these kinds share; each has its own defaults.

    Attributes:
        image_size: Height and width, pixels: 32, 64, 112, 128, 224 or 256.
        latent_dim: Noise values.
        width: What the numbers of channels are multiples of.
        learning_rate: Of both Adams.
        betas: Of both Adams.
        loss: "non-saturating", "least-squares", "hinge", or "relativistic": pairs with R1 and R2,
            the loss of R3GAN.
        augment: What the discriminator sees images through: "none", "diffaugment" or "ada".
        gamma_start: Weight of R1 and R2 at the beginning; of "relativistic" alone.
        gamma_end: Their weight at the end.
        penalty_every: R1 and R2 are taken every so many steps, and weigh as many times more.
        classes: Classes that it learns from labels; 0 for a GAN without.
        drawn_class: Number of the class that images are drawn of.
        blend_start: Share of the training after which classes are let in.
        blend_length: Share of the training over which their weight rises from 0 to 1.

    Raises:
        GraftError: image_size_out_of_range, setting_out_of_range.
    """

    kind: ClassVar[str] = "GAN"

    image_size: int = 64
    latent_dim: int = 100
    width: int = 64
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    loss: str = "non-saturating"
    augment: str = "diffaugment"
    gamma_start: float = 5.0
    gamma_end: float = 40.0
    penalty_every: int = 4
    classes: int = 0
    drawn_class: int = 0
    blend_start: float = 0.25
    blend_length: float = 0.25

    def __post_init__(self) -> None:
        check_image_size(self.kind, self.image_size)
        check_whole(self.kind, "latent_dim", self.latent_dim, 1, 1024)
        check_whole(self.kind, "width", self.width, 2, 512)
        check_adam(self.kind, self.learning_rate, self.betas)
        check_choice(self.kind, "loss", self.loss, ADVERSARIAL_LOSSES)
        check_choice(self.kind, "augment", self.augment, AUGMENTS)
        check_number(self.kind, "gamma_start", self.gamma_start, 0)
        check_number(self.kind, "gamma_end", self.gamma_end, 0)
        check_whole(self.kind, "penalty_every", self.penalty_every, 1, 64)
        check_conditioning(self.kind, self)


class AdversarialGan(Gan):
    """A generator, a discriminator, what the latter sees images through, and a step.

    A subclass builds ``generator`` and ``discriminator`` (images, and labels where there are
    classes -> logits [N, ...]) and, where its discriminator learns more than to judge, overrides
    ``judge_real``.
    """

    settings: AdversarialSettings
    discriminator: nn.Module

    def __init__(self, settings: AdversarialSettings) -> None:
        super().__init__()
        self.settings = settings
        self.drawn_class = settings.drawn_class
        self.augment: Augment = AUGMENTS[settings.augment]()
        self.counter = StepCounter()

    def settled_from(self) -> float:
        """When the labels have come in, where there are any."""
        return labels_settled_from(self.settings)

    @property
    def image_size(self) -> int:
        """Height and width of the images, pixels."""
        return self.settings.image_size

    def networks(self) -> Mapping[str, nn.Module]:
        """Generator, discriminator, augmentation (its probability) and the count of steps."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "augment": self.augment,
            "counter": self.counter,
        }

    def initialise_module(self, module: nn.Module) -> None:
        """Draw one module's weights: N(0, .02), or N(1, .02) for the scales of BatchNorm."""
        super().initialise_module(module)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)

    def make_optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the generator, one for the discriminator."""
        rate, betas = self.settings.learning_rate, self.settings.betas
        return {
            name: Adam(self.networks()[name].parameters(), rate, betas, fused=True)
            for name in ("generator", "discriminator")
        }

    def judge_real(
        self,
        seen: Tensor,
        random: torch.Generator,  # noqa: ARG002
        *labels: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Judge augmented real images in the discriminator's step.

        Args:
            seen: [N, 3, S, S].
            random: For what is drawn on the way.
            labels: Int64 [N], where there are classes.

        Returns:
            Their logits, and further losses by name that the discriminator descends with its own.
        """
        logits: Tensor = self.discriminator(seen, *labels)
        return logits, {}

    def score(self, images: Tensor) -> Tensor:
        """Mean logit of each image, [N], with the drawn class's label where there are classes."""
        labels = torch.full((len(images),), self.drawn_class, device=images.device)
        given = (labels,) if self.settings.classes else ()
        logits: Tensor = self.discriminator(images, *given)
        return logits.flatten(1).mean(1).float()

    def step(
        self,
        real: Tensor,
        random: torch.Generator,
        fraction: float,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Train once: the discriminator, then the generator on the same fakes.

        The losses are "generator", "discriminator", in steps with one "penalty" (weighted), and
        those of ``judge_real``. With differential privacy: see ``private.PrivateStep``.
        """
        if self.private is not None:
            return self.private.step(real, random)
        settings, loss = self.settings, ADVERSARIAL_LOSSES[self.settings.loss]
        latents = self.random_latents(len(real), random)
        given = () if labels is None else (labels,)
        if labels is not None:
            let_classes_in(self.networks(), settings, fraction)
            latents["label"] = labels
        with self.autocast():
            fake = self.generator(latents)

        seen_real = self.augment(real, random)
        seen_fake = self.augment(fake.detach(), random)
        with self.autocast():
            real_logits, more = self.judge_real(seen_real, random, *given)
            fake_logits = self.discriminator(seen_fake, *given)
        losses = {"discriminator": loss.discriminator(real_logits, fake_logits), **more}
        if settings.loss == "relativistic":
            losses["penalty"] = self._penalty(seen_real, seen_fake, fraction, *given)
        self._descend("discriminator", torch.stack(list(losses.values())).sum())
        self.augment.adapt(real_logits)

        seen_fake = self.augment(fake, random)
        with self.autocast(), frozen(self.discriminator):
            fake_logits = self.discriminator(seen_fake, *given)
            if loss.is_paired:
                with torch.no_grad():
                    real_logits = self.discriminator(seen_real, *given)
        losses["generator"] = loss.generator(real_logits, fake_logits)
        self._descend("generator", losses["generator"])
        self.counter.steps += 1
        return {name: value.detach() for name, value in losses.items()}

    def _penalty(
        self, seen_real: Tensor, seen_fake: Tensor, fraction: float, *labels: Tensor
    ) -> Tensor:
        """R1 + R2, weighted by gamma/2 and the steps that one penalty stands for; 0 in between."""
        settings = self.settings
        if not self.counter.is_due(settings.penalty_every):
            return torch.zeros((), device=seen_real.device)
        gamma = rising_gamma(fraction, settings.gamma_start, settings.gamma_end)

        def judge(images: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(images, *labels)
            return logits

        r1, r2 = squared_gradient(judge, seen_real), squared_gradient(judge, seen_fake)
        return gamma / 2 * settings.penalty_every * (r1 + r2)
