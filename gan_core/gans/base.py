"""What every kind of GAN offers, so that training and generating are written once.

To add a kind: write its file beside this one (networks, losses, settings, ``step``), name its class
in ``registry.py``, and test it. The loop, checkpoints, mixed precision, the moving average and the
generation of images from seeds come from outside.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_core.gans.noise import truncated
from gan_core.spec.errors import GraftError
from gan_core.training.memory import PLAIN, MemoryPlan, accumulate

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from gan_core.gans.private import PrivateStep
    from gan_core.training.privacy import PrivateTraining

Latents = dict[str, Tensor]
"""What a generator makes images from: named tensors, each with first dimension N (images)."""

MAX_SEED = 2**32 - 1
"""PyTorch's Mersenne twister takes 32 bits of a seed and silently drops the rest."""


class Gan(ABC):
    """A kind of GAN: its networks, its optimizers, its latents and one training step.

    All state that a training needs in order to go on is in ``networks()`` (parameters and buffers)
    and ``optimizers``; a number such as an augmentation probability is a buffer of a network.

    Attributes:
        name: What people call it ("infogan").
        settings_type: The frozen dataclass of its settings; every field has a default.
        settings: The settings of this one.
        generator: ``generator(latents) -> float [N, 3, S, S]`` in [-1, 1].
        optimizers: By name; filled by ``prepare_training``. Their learning rates are the loop's:
            a training that diverged goes on with smaller ones, so a schedule multiplies what it
            finds and never sets a rate of its own.
        couples_images: Whether the images of one batch have an influence on each other (batch
            normalisation, minibatch standard deviation). Where they have none, a step may be cut
            into micro-batches: say so with False, and let ``step`` use ``descend``.
        noise_is_normal: Whether its latents' "noise" is drawn from the normal distribution; else it
            is drawn from a box.
        memory: How a step is fitted into memory; set by the loop.
        drawn_class: Number of the class that images are drawn of, in a GAN with classes: one whose
            latents have a "label", int64 [N].
        is_pretrained: Whether the training began from trained networks; set by the loop.
        private: Its step with differential privacy, where it is trained so.
    """

    couples_images: ClassVar[bool] = True
    noise_is_normal: ClassVar[bool] = True
    name: ClassVar[str]
    settings_type: ClassVar[type[DataclassInstance]]

    settings: DataclassInstance
    generator: nn.Module
    optimizers: dict[str, Optimizer]
    memory: MemoryPlan

    def __init__(self) -> None:
        self.optimizers = {}
        self.memory = PLAIN
        self.drawn_class = 0
        self.is_pretrained = False
        self.private: PrivateStep | None = None
        self.device = torch.device("cpu")
        self._compute_dtype = torch.float32

    # --- what a kind says about itself -----------------------------------------------------------

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Height and width S of its images, pixels."""

    @abstractmethod
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network, the generator among them under "generator"."""

    @abstractmethod
    def make_optimizers(self) -> dict[str, Optimizer]:
        """New optimizers for the networks where they now lie, fused."""

    @abstractmethod
    def random_latents(self, count: int, random: torch.Generator) -> Latents:
        """Draw ``count`` latents from ``random`` alone, on its device."""

    @abstractmethod
    def step(
        self,
        real: Tensor,
        random: torch.Generator,
        fraction: float,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Train all networks once.

        Args:
            real: float32 [N, 3, S, S] in [-1, 1], channels_last, on the networks' device.
            random: Where latents and other noise come from; lies on that device too.
            fraction: The share of the training that is done, [0, 1), for schedules.
            labels: Class of each image, int64 [N] on the device; of a GAN with classes alone.

        Returns:
            Each loss by name, detached scalars on the device: reading them here would make the
            device wait.
        """

    @abstractmethod
    def score(self, images: Tensor) -> Tensor:
        """Tell how real the discriminator takes images for, as it is now: more is more real.

        What a membership attack reads (``training.membership``, which also sets the mode that the
        networks are in). An image's score does not depend on what is scored beside it: where the
        discriminator looks at a batch as a whole, every image is a batch of its own.

        Args:
            images: float32 [N, 3, S, S] in [-1, 1], channels_last, on the networks' device; in a
                GAN with classes all of the drawn one.

        Returns:
            float32 [N], on no fixed scale.
        """

    def initialise_module(self, module: nn.Module) -> None:
        """Draw the weights of one module anew, from PyTorch's global generator.

        A module that holds parameters or buffers of its own has ``reset_parameters``.
        """
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()

    # --- optional: what can be frozen when a training goes on from another ----------------------

    def discriminator_blocks(self) -> Sequence[nn.Module]:
        """The discriminator's blocks, the one nearest the image first; its head is none of them."""
        return ()

    def freeze_discriminator(self, blocks: int) -> None:
        """Let so many blocks stay as they are, their running statistics included; after preparing.

        FreezeD: Mo et al., 2020, arXiv:2002.10964. The lower layers see what all images have in
        common, and a few images would only unlearn it.

        Raises:
            GraftError: freeze_d_out_of_range.
        """
        known = self.discriminator_blocks()
        if blocks > len(known):
            raise GraftError(
                "freeze_d_out_of_range",
                f"The discriminator of this {self.name} has {len(known)} blocks, not {blocks}.",
                f"Freeze at most {len(known)}.",
            )
        for block in known[:blocks]:
            block.requires_grad_(False)
            block.eval()

    # --- optional: differential privacy -----------------------------------------------------------

    def learn_privately(self, terms: PrivateTraining, noise: torch.Generator) -> None:  # noqa: ARG002
        """Take every step from now on with differential privacy; after preparing and freezing.

        Args:
            terms: What is promised.
            noise: Where the noise comes from, on the device; nobody may know its seed.

        Raises:
            GraftError: privacy_not_offered.
        """
        raise GraftError(
            "privacy_not_offered",
            f"This {self.name} cannot be trained with differential privacy.",
            "A dcgan can, with its own losses and without labels.",
        )

    # --- optional: when its images are what they are meant to be ----------------------------------

    def settled_from(self) -> float:
        """The share of the training from which on samples can be judged, 0 .. 1.

        Before it they are of another kind than at the end: smaller, or of any class.
        """
        return 0.0

    # --- optional: what there is to see beside plain samples --------------------------------------

    def code_count(self) -> int:
        """How many continuous codes a sweep can walk along; 0 where the GAN has none."""
        return 0

    def sweep_latents(self, seed: int, code: int, steps: int) -> Latents:  # noqa: ARG002
        """Latents for a sweep of one code, [rows x steps] row by row, all with one seed's noise."""
        raise GraftError(
            "no_codes",
            f"A {self.name} generator has no codes to sweep.",
            "Code sweeps are made for InfoGAN.",
        )

    def choose_codes(
        self,
        latents: Latents,  # noqa: ARG002
        category: int | None,  # noqa: ARG002
        codes: Sequence[float] | None,  # noqa: ARG002
    ) -> Latents:
        """Give all latents one category, one set of codes, or both.

        Args:
            latents: As drawn.
            category: From 0; None keeps those that were drawn.
            codes: All the continuous codes, each from -1 to 1; None keeps those that were drawn.

        Raises:
            GraftError: no_codes, where the GAN has none; code_out_of_range.
        """
        raise GraftError(
            "no_codes",
            f"A {self.name} generator has no codes to choose.",
            "Leave `category` and `codes` out; only InfoGAN has them.",
        )

    def truncate(self, latents: Latents, truncation: float) -> Latents:
        """Make images more alike, and fewer of them odd, by keeping latents near their middle.

        Here, for standard normal noise: its values are cut off at plus and minus ``truncation``.
        A kind with other latents has a truncation of its own.

        Args:
            latents: As drawn.
            truncation: 0 to 10; 0 cuts nothing off.

        Raises:
            GraftError: truncation_out_of_range.
        """
        check_truncation(self.name, truncation, 0, 10)
        if truncation == 0:
            return latents
        return {**latents, "noise": truncated(latents["noise"], truncation)}

    # --- what all have in common ------------------------------------------------------------------

    def settings_dict(self) -> dict[str, Any]:
        """The settings as JSON-able values; ``registry.create`` takes them back."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self.settings).items()
        }

    def initialise(self) -> None:
        """Draw all weights anew, from PyTorch's global generator (the caller seeds it)."""
        for network in self.networks().values():
            network.apply(self.initialise_module)

    def prepare_training(self, device: torch.device, compute_dtype: torch.dtype) -> None:
        """Move the networks (channels_last, train mode) and make new optimizers for them.

        Args:
            device: Where to train.
            compute_dtype: bfloat16 for mixed precision, float32 for none. Weights, optimizer
                states and losses stay float32.
        """
        self.device = device
        self._compute_dtype = compute_dtype
        for network in self.networks().values():
            network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            network.train()
            network.requires_grad_(True)
        if self.private is not None:
            self.private.detach()
            self.private = None
        self.optimizers = self.make_optimizers()

    def autocast(self) -> torch.autocast:
        """The mixed precision that ``step`` runs its forward passes (not its losses) under."""
        mixed = self._compute_dtype is not torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=mixed)

    def descend(self, optimizer: str, loss_of: Callable[[slice], Tensor], count: int) -> Tensor:
        """Make one step of an optimizer, in as many micro-batches as memory asks for.

        For GANs that do not couple images; a penalty that is computed on the batch as a whole must
        be a mean over images, too.

        Args:
            optimizer: Its name.
            loss_of: The mean loss over the images in a slice of the batch; runs their forward
                passes itself, with random numbers that were drawn for the whole batch before.
            count: Images of the batch.

        Returns:
            The mean loss over the batch, detached.
        """
        # The step before may have left gradients in weights that this one trains too.
        self.optimizers[optimizer].zero_grad(set_to_none=True)
        loss = accumulate(loss_of, count, 1 if self.couples_images else self.memory.parts)
        self.optimizers[optimizer].step()
        return loss

    def _descend(self, optimizer: str, loss: Tensor) -> None:
        """Make one step of an optimizer, down a loss of the whole batch (images may be coupled)."""
        self.optimizers[optimizer].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[optimizer].step()

    def latents_for(
        self,
        seeds: Sequence[int],
        *,
        truncation: float | None = None,
        category: int | None = None,
        codes: Sequence[float] | None = None,
    ) -> Latents:
        """Latents of images, each drawn from its own seed alone; on the CPU.

        Whatever is chosen, an image's seed draws the same noise: a choice replaces what was drawn.

        Args:
            seeds: One for each image.
            truncation: See ``truncate``; None leaves it to the settings.
            category: See ``choose_codes``; None: each image draws its own.
            codes: See ``choose_codes``; None: each image draws its own.

        Raises:
            GraftError: seed_out_of_range, for a seed outside 0 .. 2**32 - 1;
                truncation_out_of_range; no_codes; code_out_of_range.
        """
        rows = [self.random_latents(1, seeded_generator(seed)) for seed in seeds]
        latents = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        if "label" in latents:
            latents["label"].fill_(self.drawn_class)
        if truncation is not None:
            latents = self.truncate(latents, truncation)
        if category is not None or codes is not None:
            latents = self.choose_codes(latents, category, codes)
        return latents


def seeded_generator(seed: int) -> torch.Generator:
    """A CPU generator for one image's seed.

    Raises:
        GraftError: seed_out_of_range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise GraftError(
            "seed_out_of_range",
            f"The seed {seed} is not between 0 and {MAX_SEED}.",
            "Give each image a whole number in that range.",
        )
    return torch.Generator().manual_seed(seed)


def check_truncation(kind: str, value: object, low: float, high: float) -> None:
    """Let finite numbers from ``low`` to ``high`` pass.

    Raises:
        GraftError: truncation_out_of_range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise GraftError(
            "truncation_out_of_range",
            f"A {kind} generator cannot draw images with the truncation {value!r}.",
            f"Choose a number from {low:g} to {high:g}.",
        )


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through ``network`` but not into its weights.

    Saves the weights' share of the backward pass where another network alone is trained.
    """
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trainable:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trainable:
            weight.requires_grad_(True)
