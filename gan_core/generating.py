"""Images from a trained generator, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans import registry
from gan_core.gans.base import Gan, Latents
from gan_core.out_of_memory import ShrinkingBatch
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.spec.errors import GraftError
from gan_core.training.durable import write_durably
from gan_core.training.randomness import borrowed_randomness
from gan_core.training.tensorfile import UnreadableError, pack, unpack

BATCH = 16
"""Images in every forward pass, whatever is asked for: kernels are chosen by shape, and another
kernel may round the last bit the other way."""

WeightsKind = Literal["raw", "ema"]


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator that can make images: its weights and where it comes from.

    Attributes:
        gan: The kind's name in the registry.
        settings: The kind's settings, JSON-able.
        weights: The generator's state, float32 on the CPU; BatchNorm statistics ready for eval.
        weights_kind: "ema" for the moving average, "raw" for the weights as trained.
        real_count: How many real images it was trained on.
        step: Training steps behind the weights.
        data_digest: Of the data that it was trained on, as the caller gave it.
    """

    gan: str
    settings: dict[str, Any]
    weights: dict[str, Tensor]
    weights_kind: WeightsKind
    real_count: int
    step: int
    data_digest: str

    @property
    def image_size(self) -> int:
        """Height and width of its images, pixels."""
        return int(self.settings["image_size"])

    def card(self) -> dict[str, Any]:
        """All but the weights, JSON-able."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "weights"
        }

    def to_bytes(self) -> bytes:
        """One safetensors file with the card in its header; equal generators, equal bytes."""
        return pack(self.weights, {"generator": self.card()})

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainedGenerator:
        """Read what ``to_bytes`` made; runs no code of the file.

        Raises:
            GraftError: model_unreadable.
        """
        try:
            weights, note = unpack(data)
            model = cls(weights=weights, **note["generator"])
            gan_of(model)  # settings and weights belong together
        except (UnreadableError, GraftError, KeyError, TypeError, RuntimeError) as error:
            raise GraftError(
                "model_unreadable",
                "The file is not a whole generator of this version.",
                "Fetch the model again, or train it anew.",
            ) from error
        return model

    def save(self, path: Path) -> None:
        """Write ``to_bytes()`` to ``path``, whole or not at all.

        Raises:
            OSError: the disk is full or the like.
        """
        write_durably(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> TrainedGenerator:
        """Read what ``save`` wrote.

        Raises:
            GraftError: model_unreadable.
            OSError: no such file or the like.
        """
        return cls.from_bytes(path.read_bytes())


def generate(
    model: TrainedGenerator,
    seeds: Sequence[int],
    *,
    truncation: float | None = None,
    category: int | None = None,
    codes: Sequence[float] | None = None,
    device: str | torch.device = "cpu",
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.uint8]:
    """Make one image for each seed.

    BatchNorm is in eval mode, noise and codes are drawn afresh from each image's own seed, and
    [-1, 1] becomes 0 .. 255 by one fixed scaling. So an image depends on the model and its seed
    alone: made again alone, it is the same bit for bit on the same kind of machine.

    Args:
        model: What to make them with.
        seeds: 0 .. 2**32 - 1, one for each image.
        truncation: How near images keep to the middle; each kind has its range, see
            ``Gan.truncate``. None: as the model's settings say.
        category: Of all images, from 0; of a model with codes. None: each image draws its own.
        codes: Of all images, each from -1 to 1; of a model with codes. None: each image draws its
            own.
        device: Where to compute.
        on_progress: Told after each batch.
        should_stop: Asked before each batch.

    Returns:
        uint8 [N, S, S, 3].

    Raises:
        GraftError: seed_out_of_range, truncation_out_of_range, no_codes, code_out_of_range.
        Stopped: should_stop() said so.
    """
    batches = generate_batches(
        model,
        seeds,
        truncation=truncation,
        category=category,
        codes=codes,
        device=device,
        should_stop=should_stop,
    )
    return _together(batches, len(seeds), model, on_progress)


def generate_batches(
    model: TrainedGenerator,
    seeds: Sequence[int],
    *,
    truncation: float | None = None,
    category: int | None = None,
    codes: Sequence[float] | None = None,
    device: str | torch.device = "cpu",
    should_stop: ShouldStop = never_stop,
) -> Iterator[NDArray[np.uint8]]:
    """Make one image for each seed, some at a time: what ``generate`` gives at once.

    Where memory runs out, batches are halved from there on; on a GPU the last bit of what follows
    may then be another.

    Args:
        model: What to make them with.
        seeds: 0 .. 2**32 - 1, one for each image.
        truncation: How near images keep to the middle; each kind has its range, see
            ``Gan.truncate``. None: as the model's settings say.
        category: Of all images, from 0; of a model with codes. None: each image draws its own.
        codes: Of all images, each from -1 to 1; of a model with codes. None: each image draws its
            own.
        device: Where to compute.
        should_stop: Asked before each batch.

    Yields:
        uint8 [n, S, S, 3], n at most ``BATCH``, in the order of the seeds.

    Raises:
        GraftError: seed_out_of_range, truncation_out_of_range, no_codes, code_out_of_range.
        Stopped: should_stop() said so.
    """
    gan = gan_of(model)

    def some(start: int, stop: int) -> Latents:
        return gan.latents_for(
            seeds[start:stop], truncation=truncation, category=category, codes=codes
        )

    return batches_of(gan, some, len(seeds), torch.device(device), should_stop)


def sweep(
    model: TrainedGenerator,
    *,
    seed: int = 0,
    code: int = 0,
    steps: int = 7,
    device: str | torch.device = "cpu",
) -> NDArray[np.uint8]:
    """Show what a GAN's codes mean: each category (rows), one code from -1 to 1 (columns).

    Args:
        model: A generator with codes; see ``codes``.
        seed: Of the noise that all images of the sweep share.
        code: Which continuous code to walk along, from 0; the others stay 0.
        steps: Images along the walk.
        device: Where to compute.

    Returns:
        uint8 [categories, steps, S, S, 3].

    Raises:
        GraftError: no_codes, seed_out_of_range.
    """
    gan = gan_of(model)
    latents = gan.sweep_latents(seed, code, steps)
    count = len(next(iter(latents.values())))

    def some(start: int, stop: int) -> Latents:
        return {name: value[start:stop] for name, value in latents.items()}

    batches = batches_of(gan, some, count, torch.device(device), never_stop)
    images = _together(batches, count, model, ignore_progress)
    return images.reshape(-1, steps, *images.shape[1:])


def codes(model: TrainedGenerator) -> int:
    """How many continuous codes ``sweep`` can show; 0 for a GAN without."""
    return gan_of(model).code_count()


def gan_of(model: TrainedGenerator) -> Gan:
    """Return the GAN whose generator has the model's weights, in eval mode on the CPU.

    Raises:
        GraftError: The settings are none of its kind's.
        RuntimeError: The weights do not fit the settings.
        TypeError: They are of another type.
    """
    # On "meta" networks take no memory and draw no weights, which are replaced by the model's own.
    with torch.device("meta"):
        gan = registry.create(model.gan, **model.settings)
    expected = gan.generator.state_dict()
    if any(value.dtype != expected[name].dtype for name, value in model.weights.items()):
        raise TypeError("weights of another type")
    gan.generator.load_state_dict(model.weights, assign=True)
    gan.generator.eval()
    return gan


def batches_of(
    gan: Gan,
    latents_of: Callable[[int, int], Latents],
    count: int,
    device: torch.device,
    should_stop: ShouldStop,
) -> Iterator[NDArray[np.uint8]]:
    """Make images from latents, some at a time.

    Args:
        gan: As ``gan_of`` gives it.
        latents_of: (start, stop) → the latents of some of them.
        count: How many images.
        device: Where to compute.
        should_stop: Asked before each batch.

    Yields:
        uint8 [n, S, S, 3], n at most ``BATCH``.

    Raises:
        Stopped: should_stop() said so.
    """
    generator = gan.generator.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = ShrinkingBatch(BATCH)
    done = 0

    def some(size: int) -> NDArray[np.uint8]:
        latents = latents_of(done, min(done + size, count))
        made = len(next(iter(latents.values())))
        # The last batch is filled up by repeating its last image.
        rows = torch.arange(size).clamp_max(made - 1)
        # A free choice of cuDNN algorithms would be a free choice of the last bit.
        kernels = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with torch.inference_mode(), kernels, borrowed_randomness(device, 0):
            images = generator({name: value[rows].to(device) for name, value in latents.items()})
            return _to_uint8(images)[:made]

    while done < count:
        if should_stop():
            raise Stopped
        images = batch.run(some)
        done += len(images)
        yield images


def _together(
    batches: Iterator[NDArray[np.uint8]],
    count: int,
    model: TrainedGenerator,
    on_progress: OnProgress,
) -> NDArray[np.uint8]:
    size = model.image_size
    images = np.empty((count, size, size, 3), np.uint8)
    done = 0
    for batch in batches:
        images[done : done + len(batch)] = batch
        done += len(batch)
        on_progress(Progress(done / count, f"{model.gan}, image {done}/{count}"))
    return images


def _to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Turn float [N, 3, S, S] in [-1, 1] into uint8 [N, S, S, 3] by the one fixed scaling."""
    scaled = images.float().clamp(-1, 1).add(1).mul(127.5).round()
    array: NDArray[np.uint8] = scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array
