"""StyleGAN2 with augmentation: the GAN with the best images, where there is a GPU to train it.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, arXiv:1912.04958; the
training as in "Training Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676
(its "auto" configuration). The networks stand in ``stylegan2_networks``.

Regularisation is lazy (section 3.1): R1 and the path lengths are penalised every few steps, weighed
as many times more, each in a step of Adam of its own, whose rate and betas allow for that. R1 is
taken at images as the discriminator sees them, augmented already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gan_core.gans.augment import AUGMENTS, Augment
from gan_core.gans.base import Gan, Latents, check_truncation, frozen
from gan_core.gans.checks import (
    check_adam,
    check_choice,
    check_image_size,
    check_number,
    check_whole,
)
from gan_core.gans.conditioning import (
    check_conditioning,
    labels_settled_from,
    let_classes_in,
    random_labels,
)
from gan_core.gans.counter import StepCounter
from gan_core.gans.losses import (
    logistic_discriminator,
    non_saturating_generator,
    squared_gradient,
)
from gan_core.gans.noise import random_keys
from gan_core.gans.stylegan2_networks import Discriminator, Generator

KIND = "StyleGAN2"
STYLE_MEAN_WEIGHT = 0.005
"""Of the newest batch in the running mean of styles."""
PATH_MEAN_WEIGHT = 0.01
"""Of the newest batch in the running mean of path lengths (appendix B)."""


@dataclass(frozen=True)
class StyleGAN2Settings:
    """Settings of a StyleGAN2.

    Attributes:
        image_size: Height and width, pixels: 32, 64, 112, 128, 224 or 256.
        latent_dim: Noise values, and the size of a style.
        width: Channels at most.
        channel_base: Channels times side: a layer of side s has channel_base / s channels, at most
            ``width``; None takes 32 * width. The paper's networks have 16384 or 32768.
        mapping_layers: From noise to style.
        learning_rate: Of both Adams.
        betas: Of both Adams.
        augment: What the discriminator sees images through: "none", "diffaugment" or "ada".
        r1_gamma: Weight of R1; None takes .0002 * S^2 / N, the rule of the ADA paper's code.
        r1_every: Steps from one R1 to the next.
        path_weight: Of the path length penalty.
        path_every: Steps from one path length penalty to the next.
        mixing: Share of the images in training whose layers take two styles.
        truncation: How far samples may be from the mean style: 1 is as far as in training; less
            makes them more alike.
        classes: Classes that it learns from labels; 0 for a GAN without.
        drawn_class: Number of the class that images are drawn of.
        blend_start: Share of the training after which classes are let in.
        blend_length: Share of the training over which their weight rises from 0 to 1.

    Raises:
        GraftError: image_size_out_of_range, setting_out_of_range.
    """

    image_size: int = 64
    latent_dim: int = 512
    width: int = 512
    channel_base: int | None = None
    mapping_layers: int = 8
    learning_rate: float = 2.5e-3
    betas: tuple[float, float] = (0.0, 0.99)
    augment: str = "diffaugment"
    r1_gamma: float | None = None
    r1_every: int = 16
    path_weight: float = 2.0
    path_every: int = 4
    mixing: float = 0.9
    truncation: float = 1.0
    classes: int = 0
    drawn_class: int = 0
    blend_start: float = 0.25
    blend_length: float = 0.25

    def __post_init__(self) -> None:
        check_image_size(KIND, self.image_size)
        check_whole(KIND, "latent_dim", self.latent_dim, 1, 1024)
        check_whole(KIND, "width", self.width, 2, 1024)
        if self.channel_base is not None:
            check_whole(KIND, "channel_base", self.channel_base, 64, 65536)
        check_whole(KIND, "mapping_layers", self.mapping_layers, 1, 16)
        check_adam(KIND, self.learning_rate, self.betas)
        check_choice(KIND, "augment", self.augment, AUGMENTS)
        if self.r1_gamma is not None:
            check_number(KIND, "r1_gamma", self.r1_gamma, 0)
        check_whole(KIND, "r1_every", self.r1_every, 1, 1024)
        check_number(KIND, "path_weight", self.path_weight, 0)
        check_whole(KIND, "path_every", self.path_every, 1, 1024)
        check_number(KIND, "mixing", self.mixing, 0, 1)
        check_number(KIND, "truncation", self.truncation, 0, 1)
        check_conditioning(KIND, self)


class PathLengths(nn.Module):
    """The running mean of path lengths, a buffer: what new lengths are drawn toward."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def reset_parameters(self) -> None:
        """Begin anew."""
        nn.init.zeros_(self.mean)

    def penalty(self, lengths: Tensor) -> Tensor:
        """Take lengths [N] into the mean; the mean squared distance from it, a scalar."""
        self.mean.lerp_(lengths.detach().mean(), PATH_MEAN_WEIGHT)
        return (lengths - self.mean.clone()).square().mean()


class StyleGAN2(Gan):
    """The logistic losses, with R1 and path length penalties every few steps."""

    name = "stylegan2"
    settings_type = StyleGAN2Settings

    settings: StyleGAN2Settings
    generator: Generator

    def __init__(self, settings: StyleGAN2Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or StyleGAN2Settings()
        self.drawn_class = self.settings.drawn_class
        self.generator = Generator(self.settings)
        self.discriminator = Discriminator(self.settings)
        self.augment: Augment = AUGMENTS[self.settings.augment]()
        self.paths = PathLengths()
        self.counter = StepCounter()

    def settled_from(self) -> float:
        """When the labels have come in, where there are any."""
        return labels_settled_from(self.settings)

    @property
    def image_size(self) -> int:
        """Height and width of the images, pixels."""
        return self.settings.image_size

    def networks(self) -> Mapping[str, nn.Module]:
        """Generator, discriminator, and what else has state."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "augment": self.augment,
            "paths": self.paths,
            "counter": self.counter,
        }

    def make_optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each side, slowed by the share of steps that only regularise."""
        settings = self.settings
        optimizers: dict[str, Optimizer] = {}
        for network, every in (
            (self.generator, settings.path_every if settings.path_weight else None),
            (self.discriminator, settings.r1_every if settings.r1_gamma != 0 else None),
        ):
            share = 1.0 if every is None else every / (every + 1)
            first, second = (beta**share for beta in settings.betas)
            name = "generator" if network is self.generator else "discriminator"
            optimizers[name] = Adam(
                network.parameters(), settings.learning_rate * share, (first, second), fused=True
            )
        return optimizers

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """The halvings, the first of them with the layer before it."""
        first, *others = self.discriminator.blocks
        return [nn.ModuleList([self.discriminator.from_image, first]), *others]

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Standard normal noise [N, latent_dim], each image's key, a label if there are classes."""
        shape = (count, self.settings.latent_dim)
        noise = torch.randn(shape, generator=random, device=random.device)
        latents = {"noise": noise, "key": random_keys(count, random)}
        if self.settings.classes:
            latents["label"] = random_labels(count, self.settings.classes, random)
        return latents

    def truncate(self, latents: Latents, truncation: float) -> Latents:
        """Draw styles toward their mean: 1 not at all, 0 all the way, whatever the settings say.

        Raises:
            GraftError: truncation_out_of_range.
        """
        check_truncation(self.name, truncation, 0, 1)
        shares = torch.full((len(latents["key"]), 1), float(truncation))
        return {**latents, "truncation": shares}

    def score(self, images: Tensor) -> Tensor:
        """Logit of each image, [N], with the drawn class's label where there are classes."""
        labels = torch.full((1,), self.drawn_class, device=images.device)
        given = (labels,) if self.settings.classes else ()
        # One at a time: the deviation within the batch must not tell of the others.
        logits = [self.discriminator(image[None], *given) for image in images]
        return torch.cat(logits).flatten().float()

    def step(
        self,
        real: Tensor,
        random: torch.Generator,
        fraction: float,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Train once: discriminator, R1, generator, path lengths.

        The losses are "generator" and "discriminator", the penalties "r1" and "path" (unweighted, 0
        in steps without) and "augment", the probability where it adapts.
        """
        settings, count = self.settings, len(real)
        losses: dict[str, Tensor] = {}
        given = () if labels is None else (labels,)
        if labels is not None:
            let_classes_in(self.networks(), settings, fraction)

        def judge(images: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(images, *given)
            return logits

        seen_real = self.augment(real, random)
        with torch.no_grad(), self.autocast():
            styles, key = self.mixed_styles(count, random, *given)
            fake = self.generator.synthesise(styles, key)
        seen_fake = self.augment(fake, random)
        with self.autocast():
            real_logits, fake_logits = judge(seen_real), judge(seen_fake)
        losses["discriminator"] = logistic_discriminator(real_logits, fake_logits)
        self._descend("discriminator", losses["discriminator"])
        self.augment.adapt(real_logits)

        losses["r1"] = torch.zeros((), device=real.device)
        if settings.r1_gamma != 0 and self.counter.is_due(settings.r1_every):
            gamma = settings.r1_gamma
            if gamma is None:
                gamma = 0.0002 * settings.image_size**2 / count
            losses["r1"] = squared_gradient(judge, seen_real)
            self._descend("discriminator", gamma / 2 * settings.r1_every * losses["r1"])

        with self.autocast(), frozen(self.discriminator):
            styles, key = self.mixed_styles(count, random, *given)
            fake = self.generator.synthesise(styles, key)
            fake_logits = judge(self.augment(fake, random))
        losses["generator"] = non_saturating_generator(None, fake_logits)
        self._descend("generator", losses["generator"])

        losses["path"] = torch.zeros((), device=real.device)
        if settings.path_weight and self.counter.is_due(settings.path_every):
            half = max(1, count // 2)
            lengths = self.path_lengths(half, random, *(some[:half] for some in given))
            losses["path"] = self.paths.penalty(lengths)
            self._descend("generator", settings.path_weight * settings.path_every * losses["path"])
        self.counter.steps += 1
        return {name: value.detach() for name, value in losses.items()}

    def mixed_styles(
        self, count: int, random: torch.Generator, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Styles of new images, [N, L, latent_dim], some of two noises; and their keys [N].

        The running mean of styles takes them in, before what the classes add.
        """
        latents, device = self.random_latents(2 * count, random), random.device
        one, other = self.generator.style(latents["noise"]).chunk(2)
        with torch.no_grad():
            self.generator.style_mean.lerp_(one.mean(0), STYLE_MEAN_WEIGHT)
        layers = self.generator.layers
        change = torch.randint(1, layers, (count,), generator=random, device=device)
        is_mixed = torch.rand(count, generator=random, device=device) < self.settings.mixing
        change = torch.where(is_mixed, change, layers)
        takes_one = torch.arange(layers, device=device) < change[:, None]
        styles = torch.where(takes_one[:, :, None], one[:, None], other[:, None])
        if self.generator.classes is not None and labels is not None:
            styles = styles + self.generator.classes(labels)[:, None]
        return styles, latents["key"][:count]

    def path_lengths(
        self, count: int, random: torch.Generator, labels: Tensor | None = None
    ) -> Tensor:
        """How far images move with their styles, along a random direction of pixels; [N].

        Equation 4 and appendix B, in float32: differentiable once more.
        """
        styles, key = self.mixed_styles(count, random, labels)
        with torch.autocast(styles.device.type, enabled=False):
            images = self.generator.synthesise(styles, key)
            direction = torch.randn(images.shape, generator=random, device=random.device)
            moved = (images * direction).sum() / math.sqrt(images[0, 0].numel())
            (gradients,) = torch.autograd.grad(moved, styles, create_graph=True)
        return (gradients.square().sum(2).mean(1) + 1e-12).sqrt()
