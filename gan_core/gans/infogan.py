"""InfoGAN: a GAN whose latent holds a category and codes that the images must reveal.

Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets", 2016, arXiv:1606.03657; in the form in which it became the study's first GAN:
nearest-neighbour upsampling in the generator, dropout in the discriminator, and the least squares
adversarial loss of Mao et al., 2016, arXiv:1611.04076.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gan_core.gans.base import Gan, Latents, frozen, seeded_generator
from gan_core.gans.checks import check_adam, check_number, check_whole, is_number
from gan_core.gans.layers import UpsampleConv2d
from gan_core.spec.errors import GraftError

KIND = "InfoGAN"
BATCH_NORM_EPS = 0.8
"""Not a slip of ours: the well-known scripts pass .8 where eps goes, so it is the architecture."""


@dataclass(frozen=True)
class InfoGANSettings:
    """Settings of an InfoGAN; the defaults are the study's.

    Attributes:
        image_size: Height and width, pixels: a multiple of 16 from 32 to 256.
        latent_dim: Normal noise values.
        categories: Values of the categorical code.
        codes: Continuous codes, each uniform in (-1, 1).
        learning_rate: Of all three Adams.
        betas: Of all three Adams.
        lambda_category: Weight of the category's cross-entropy in the information loss.
        lambda_code: Weight of the codes' squared error in the information loss.

    Raises:
        GraftError: image_size_out_of_range, setting_out_of_range.
    """

    image_size: int = 112
    latent_dim: int = 62
    categories: int = 10
    codes: int = 2
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    lambda_category: float = 1.0
    lambda_code: float = 0.1

    def __post_init__(self) -> None:
        size = self.image_size
        if (
            isinstance(size, bool)
            or not isinstance(size, int)
            or not 32 <= size <= 256
            or size % 16
        ):
            raise GraftError(
                "image_size_out_of_range",
                f"InfoGAN cannot make images of size {size!r}.",
                "Choose a multiple of 16 from 32 to 256, such as 112.",
            )
        check_whole(KIND, "latent_dim", self.latent_dim, 1, 1024)
        check_whole(KIND, "categories", self.categories, 2, 1000)
        check_whole(KIND, "codes", self.codes, 1, 64)
        check_adam(KIND, self.learning_rate, self.betas)
        check_number(KIND, "lambda_category", self.lambda_category, 0)
        check_number(KIND, "lambda_code", self.lambda_code, 0)


class Generator(nn.Module):
    """Noise, category and codes -> images."""

    def __init__(self, settings: InfoGANSettings) -> None:
        super().__init__()
        self.categories = settings.categories
        self.first_size = settings.image_size // 4
        latent = settings.latent_dim + settings.categories + settings.codes
        self.project = nn.Linear(latent, 128 * self.first_size**2)
        self.body = nn.Sequential(
            nn.BatchNorm2d(128),
            UpsampleConv2d(128, 128),
            nn.BatchNorm2d(128, BATCH_NORM_EPS),
            nn.LeakyReLU(0.2, inplace=True),
            UpsampleConv2d(128, 64),
            nn.BatchNorm2d(64, BATCH_NORM_EPS),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latents: Latents) -> Tensor:
        """Make images [N, 3, S, S] in [-1, 1].

        Args:
            latents: noise [N, latent_dim], category int64 [N], codes [N, codes] in [-1, 1].
        """
        values = torch.arange(self.categories, device=latents["category"].device)
        one_hot = (latents["category"][:, None] == values).to(latents["noise"].dtype)
        latent = torch.cat([latents["noise"], one_hot, latents["codes"]], dim=1)
        small = self.project(latent).view(-1, 128, self.first_size, self.first_size)
        images: Tensor = self.body(small.contiguous(memory_format=torch.channels_last))
        return images


class Discriminator(nn.Module):
    """Images -> validity, category logits, codes: one trunk with three linear heads."""

    def __init__(self, settings: InfoGANSettings) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_halving_block(3, 16, normalised=False),
            *_halving_block(16, 32),
            *_halving_block(32, 64),
            *_halving_block(64, 128),
        )
        features = 128 * (settings.image_size // 16) ** 2
        self.validity = nn.Linear(features, 1)
        self.category = nn.Linear(features, settings.categories)
        self.codes = nn.Linear(features, settings.codes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, 3, S, S] -> validity [N, 1], category logits [N, categories], codes [N, codes].

        The logits go into the cross-entropy as they are: a softmax here would be a second one.
        """
        features = self.trunk(images).flatten(1)
        return self.validity(features), self.category(features), self.codes(features)


class InfoGAN(Gan):
    """The three steps, in order: generator, discriminator, information.

    Weights of convolutions and linear layers start as N(0, .02), scales of BatchNorm as N(1, .02).
    """

    name = "infogan"
    settings_type = InfoGANSettings

    settings: InfoGANSettings

    def __init__(self, settings: InfoGANSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or InfoGANSettings()
        self.generator = Generator(self.settings)
        self.discriminator = Discriminator(self.settings)
        self.initialise()

    @property
    def image_size(self) -> int:
        """Height and width of the images, pixels."""
        return self.settings.image_size

    def networks(self) -> dict[str, nn.Module]:
        """The generator and the discriminator."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def initialise_module(self, module: nn.Module) -> None:
        """Draw one module's weights: N(0, .02), or N(1, .02) for the scales of BatchNorm."""
        super().initialise_module(module)
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)

    def make_optimizers(self) -> dict[str, Optimizer]:
        """Three Adams: for the generator, for the discriminator, and for both together."""
        generator = list(self.generator.parameters())
        discriminator = list(self.discriminator.parameters())
        rate, betas = self.settings.learning_rate, self.settings.betas
        return {
            "generator": Adam(generator, rate, betas, fused=True),
            "discriminator": Adam(discriminator, rate, betas, fused=True),
            "information": Adam(chain(generator, discriminator), rate, betas, fused=True),
        }

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """The trunk's four; all three heads stay free."""
        trunk = self.discriminator.trunk
        return [trunk[:3], trunk[3:7], trunk[7:11], trunk[11:]]

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Normal noise, a uniform category, uniform codes: see ``Generator.forward``."""
        settings, device = self.settings, random.device
        noise = torch.randn(count, settings.latent_dim, generator=random, device=device)
        category = torch.randint(settings.categories, (count,), generator=random, device=device)
        codes = torch.rand(count, settings.codes, generator=random, device=device) * 2 - 1
        return {"noise": noise, "category": category, "codes": codes}

    def score(self, images: Tensor) -> Tensor:
        """Validity of each image, [N]: 1 was asked for of real ones, 0 of fakes."""
        validity: Tensor = self.discriminator(images)[0]
        return validity.flatten().float()

    def step(
        self,
        real: Tensor,
        random: torch.Generator,
        fraction: float,  # noqa: ARG002 - InfoGAN has no schedule
        labels: Tensor | None = None,  # noqa: ARG002 - and no classes
    ) -> dict[str, Tensor]:
        """Train once on ``real``; the losses are "generator", "discriminator", "information"."""
        count = len(real)
        generator, discriminator = self.generator, self.discriminator

        latents = self.random_latents(count, random)
        with self.autocast(), frozen(discriminator):
            fake = generator(latents)
            validity = discriminator(fake)[0]
        generator_loss = squared_distance(validity, 1.0)
        self._descend("generator", generator_loss)

        with self.autocast():
            validity_real = discriminator(real)[0]
            validity_fake = discriminator(fake.detach())[0]
        discriminator_loss = discriminator_objective(validity_real, validity_fake)
        self._descend("discriminator", discriminator_loss)

        latents = self.random_latents(count, random)
        with self.autocast():
            _, logits, codes = discriminator(generator(latents))
        information_loss = information_objective(logits, codes, latents, self.settings)
        self._descend("information", information_loss)

        return {
            "generator": generator_loss.detach(),
            "discriminator": discriminator_loss.detach(),
            "information": information_loss.detach(),
        }

    def code_count(self) -> int:
        """The number of continuous codes."""
        return self.settings.codes

    def sweep_latents(self, seed: int, code: int, steps: int) -> Latents:
        """Every category (rows) x one code from -1 to 1 (steps), other codes 0, one seed's noise.

        Raises:
            GraftError: no_codes, when there is no code of that number.
        """
        if not 0 <= code < self.settings.codes:
            raise GraftError(
                "no_codes",
                f"This generator has {self.settings.codes} codes; none is number {code}.",
                "Codes are counted from 0.",
            )
        rows = self.settings.categories
        noise = self.random_latents(1, seeded_generator(seed))["noise"]
        codes = torch.zeros(rows, steps, self.settings.codes)
        codes[:, :, code] = torch.linspace(-1, 1, steps)
        return {
            "noise": noise.repeat(rows * steps, 1),
            "category": torch.arange(rows).repeat_interleave(steps),
            "codes": codes.flatten(0, 1),
        }

    def choose_codes(
        self, latents: Latents, category: int | None, codes: Sequence[float] | None
    ) -> Latents:
        """Give all latents one category, one set of codes, or both; see ``Gan.choose_codes``.

        Raises:
            GraftError: no_codes, when there is no category of that number or there are not so many
                codes; code_out_of_range, when one is not between -1 and 1.
        """
        settings, chosen, count = self.settings, dict(latents), len(latents["noise"])
        if category is not None:
            if not 0 <= category < settings.categories:
                raise GraftError(
                    "no_codes",
                    f"This generator has {settings.categories} categories; none is number"
                    f" {category}.",
                    "Categories are counted from 0.",
                )
            chosen["category"] = torch.full((count,), category)
        if codes is not None:
            if len(codes) != settings.codes:
                raise GraftError(
                    "no_codes",
                    f"This generator has {settings.codes} codes, and {len(codes)} were given.",
                    "Give a number from -1 to 1 for each of them.",
                )
            if not all(is_number(code) and -1 <= code <= 1 for code in codes):
                raise GraftError(
                    "code_out_of_range",
                    f"A code is not between -1 and 1: {', '.join(str(code) for code in codes)}.",
                    "Give a number from -1 to 1 for each of them.",
                )
            chosen["codes"] = torch.tensor([list(codes)], dtype=torch.float32).repeat(count, 1)
        return chosen


def squared_distance(validity: Tensor, target: float) -> Tensor:
    """Least squares adversarial loss: the mean of (validity - target)^2, float32."""
    return (validity.float() - target).square().mean()


def discriminator_objective(validity_real: Tensor, validity_fake: Tensor) -> Tensor:
    """The mean of the two least squares losses: real to 1, fake to 0."""
    return (squared_distance(validity_real, 1.0) + squared_distance(validity_fake, 0.0)) / 2


def information_objective(
    logits: Tensor, codes: Tensor, latents: Latents, settings: InfoGANSettings
) -> Tensor:
    """What the discriminator could not read back out of the images, in nats and squared units.

    Args:
        logits: [N, categories], not softmaxed.
        codes: [N, codes], as read by the discriminator.
        latents: What the images were made from.
        settings: The weights of the two parts.
    """
    category_loss = F.cross_entropy(logits.float(), latents["category"])
    code_loss = F.mse_loss(codes.float(), latents["codes"])
    return settings.lambda_category * category_loss + settings.lambda_code * code_loss


def _halving_block(inputs: int, outputs: int, *, normalised: bool = True) -> list[nn.Module]:
    block: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Dropout2d(0.25),
    ]
    if normalised:
        block.append(nn.BatchNorm2d(outputs, BATCH_NORM_EPS))
    return block
