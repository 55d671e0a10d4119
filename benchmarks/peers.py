"""The GANs of other packages, trained by their own code: what bench_peers.py compares with.

`lightweight-gan` and `stylegan2-pytorch` are installed from peers.txt into a folder of their own
(``make bench`` does that), so that both sides run on one and the same PyTorch. What trains is the
packages' ``Trainer.train``, untouched, with its defaults. Neither is made for the CPU, and one
imports an experiment tracker that it never calls here; for that there is the smallest shim:

- ``torch.cuda.is_available`` says yes while a package is imported, which it demands;
- on the CPU ``.cuda()`` leaves a tensor or a network where it is, and "cuda:0" means the CPU;
- an empty module stands for ``aim`` where that is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PEERS = Path(__file__).resolve().parents[1] / ".peers"
LATER = 20_001
"""Step from which a peer's training does all that it ever does: averages, path lengths."""


@dataclass
class Peer:
    """A peer's GAN in training.

    Attributes:
        step: Trains once on the next batch, as the package does it.
        parameters: Trained ones: generator, mapping and discriminator.
        loader_of: Its own data set and loader of a folder of images, without worker processes.
    """

    step: Callable[[], object]
    parameters: int
    loader_of: Callable[[Path], Iterator[Tensor]]


def lightweight_gan(
    images: np.ndarray,
    batch: int,
    work: Path,
    device: torch.device,
    *,
    attention: bool = True,
    amp: bool = False,
) -> Peer:
    """The FastGAN of `lightweight-gan`: penalties every 4 steps.

    Attention at 32 pixels is the default of its command line, none that of its ``Trainer``.
    """
    module = imported("lightweight_gan.lightweight_gan", device)
    trainer = module.Trainer(
        name="lightweight",
        base_dir=str(work),
        image_size=images.shape[1],
        batch_size=batch,
        use_aim=False,
        amp=amp,
        num_workers=0,
        attn_res_layers=[32] if attention else [],
    )
    return _peer(trainer, images, batch, device)


def stylegan2_pytorch(images: np.ndarray, batch: int, work: Path, device: torch.device) -> Peer:
    """The StyleGAN2 of `stylegan2-pytorch`: penalties every 4 steps, path lengths every 32."""
    module = imported("stylegan2_pytorch.stylegan2_pytorch", device)
    trainer = module.Trainer(
        name="stylegan2",
        base_dir=str(work),
        image_size=images.shape[1],
        batch_size=batch,
        num_workers=0,
    )
    return _peer(trainer, images, batch, device)


def imported(name: str, device: torch.device) -> Any:
    """A peer's module, with the shim that it needs here."""
    if str(PEERS) not in sys.path:
        if not PEERS.is_dir():
            sys.exit("The packages to compare with are not installed: run `make bench`.")
        sys.path.append(str(PEERS))  # last: what is in our environment comes from there
    if "aim" not in sys.modules and importlib.util.find_spec("aim") is None:
        sys.modules["aim"] = types.ModuleType("aim")
    # Their loaders ask for pinned memory, which a machine without a GPU does not have.
    warnings.filterwarnings("ignore", message="'pin_memory'")
    with _pretended_cuda():
        module = importlib.import_module(name)
    if device.type == "cpu":
        module.torch = _TorchWithoutCuda("torch")  # type: ignore[attr-defined]
        for kind in (Tensor, nn.Module):
            kind.cuda = lambda self, *_, **__: self  # type: ignore[method-assign,assignment]
    return module


class _TorchWithoutCuda(types.ModuleType):
    """PyTorch, but that "cuda:0" is the CPU."""

    @staticmethod
    def device(name: str) -> torch.device:
        return torch.device("cpu" if name.startswith("cuda") else name)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


@contextmanager
def _pretended_cuda() -> Iterator[None]:
    asked = torch.cuda.is_available
    torch.cuda.is_available = lambda: True  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cuda.is_available = asked


def _peer(trainer: Any, images: np.ndarray, batch: int, device: torch.device) -> Peer:
    decoded = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255).contiguous().to(device)
    trainer.loader = _batches(decoded, batch)
    # What the packages set by themselves when they are given a small folder of images.
    if trainer.aug_prob is None:
        trainer.aug_prob = min(0.5, (1e5 - len(images)) * 3e-6)
    trainer.init_GAN()
    trainer.steps = LATER
    gan = trainer.GAN
    parts = [getattr(gan, name) for name in ("S", "G", "D") if hasattr(gan, name)]

    def loader_of(folder: Path) -> Iterator[Tensor]:
        with redirect_stdout(StringIO()), warnings.catch_warnings(action="ignore"):
            trainer.set_data_src(str(folder))
        loader: Iterator[Tensor] = trainer.loader
        return loader

    count = sum(weight.numel() for part in parts for weight in part.parameters())
    return Peer(trainer.train, count, loader_of)


def _batches(decoded: Tensor, batch: int) -> Iterator[Tensor]:
    for _ in itertools.count():
        order = torch.randperm(len(decoded), device=decoded.device)
        for chosen in order.split(batch):
            if len(chosen) == batch:
                yield decoded[chosen]
