"""A GAN so small that a training of it takes milliseconds, and that can be spoiled on the way."""

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from gan_core.gans import registry
from gan_core.gans.base import Gan, Latents


@dataclass(frozen=True)
class TinySettings:
    """Ways to go wrong; each depends on the state alone, so that a resumed training meets it too.

    Attributes:
        image_size: Pixels.
        spoiled_at: The step after which a weight is NaN; 0 for never.
        collapses_at: The step from which on the generator makes one image; 0 for never.
        up_to_rate: The learning rate with which all goes well.
    """

    image_size: int = 8
    spoiled_at: int = 0
    collapses_at: int = 0
    up_to_rate: float = 0.0


class TinyGenerator(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.layer = nn.Linear(4, 3 * size * size)

    def forward(self, latents: Latents) -> Tensor:
        return torch.tanh(self.layer(latents["noise"])).view(-1, 3, self.size, self.size)


class TinyDiscriminator(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 8), nn.Tanh())
        self.head = nn.Linear(8, 1)
        self.register_buffer("steps", torch.zeros(()))

    def reset_parameters(self) -> None:
        self.steps = torch.zeros(())

    def forward(self, images: Tensor) -> Tensor:
        validity: Tensor = self.head(self.layers(images))
        return validity


class TinyGan(Gan):
    """Least squares, two linear networks; each image goes through them alone."""

    name = "tiny"
    settings_type = TinySettings
    couples_images = False
    rates: ClassVar[list[float]] = []
    batches: ClassVar[list[int]] = []

    settings: TinySettings

    def __init__(self, settings: TinySettings | None = None) -> None:
        super().__init__()
        self.settings = settings or TinySettings()
        self.generator = TinyGenerator(self.settings.image_size)
        self.discriminator = TinyDiscriminator(self.settings.image_size)

    @property
    def image_size(self) -> int:
        return self.settings.image_size

    def networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def make_optimizers(self) -> dict[str, Optimizer]:
        return {
            "generator": Adam(self.generator.parameters(), 2e-3),
            "discriminator": SGD(self.discriminator.parameters(), 1e-2),
        }

    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        return {"noise": torch.randn(count, 4, generator=random, device=random.device)}

    def score(self, images: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(images)
        return scores.flatten()

    def step(self, real: Tensor, random: torch.Generator, _: float) -> dict[str, Tensor]:
        noise = self.random_latents(len(real), random)["noise"]

        def generator_loss(rows: slice) -> Tensor:
            self.batches.append(rows.stop - rows.start)
            fake = self.generator({"noise": noise[rows]})
            loss: Tensor = (self.discriminator(fake) - 1).square().mean()
            return loss

        def discriminator_loss(rows: slice) -> Tensor:
            with torch.no_grad():
                fake = self.generator({"noise": noise[rows]})
            on_real, on_fake = self.discriminator(real[rows]), self.discriminator(fake)
            loss: Tensor = (on_real - 1).square().mean() + on_fake.square().mean()
            return loss

        losses = {
            "generator": self.descend("generator", generator_loss, len(real)),
            "discriminator": self.descend("discriminator", discriminator_loss, len(real)),
        }
        self._go_wrong()
        return losses

    @torch.no_grad()
    def _go_wrong(self) -> None:
        rate = self.optimizers["generator"].param_groups[0]["lr"]
        self.rates.append(rate)
        steps = self.discriminator.steps
        assert isinstance(steps, Tensor)
        steps += 1
        if rate <= self.settings.up_to_rate:
            return
        if int(steps) == self.settings.spoiled_at:
            self.generator.layer.weight.fill_(math.nan)
        if 0 < self.settings.collapses_at <= int(steps):
            self.generator.layer.weight.zero_()


@pytest.fixture
def tiny_gan(monkeypatch: pytest.MonkeyPatch) -> type[TinyGan]:
    """The class, known to the registry while the test runs."""
    monkeypatch.setitem(registry._KINDS, "tiny", TinyGan)
    TinyGan.rates.clear()
    TinyGan.batches.clear()
    return TinyGan
