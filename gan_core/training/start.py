"""Trained networks that another training begins from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gan_core.gans.base import Gan
from gan_core.spec.errors import GraftError
from gan_core.training.durable import write_durably
from gan_core.training.tensorfile import UnreadableError, pack, unpack


@dataclass(frozen=True)
class Start:
    """All networks of a GAN as a training left them; no optimizer, no random state.

    Attributes:
        gan: The kind's name.
        tensors: Parameters and buffers by "<network>.<name>", on the CPU.
    """

    gan: str
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, gan: Gan, generator: dict[str, Tensor]) -> Start:
        """Take the networks of a GAN that was trained just now.

        Args:
            gan: With its networks as the last step left them.
            generator: The generator's state to go on from in place of its own: that of the moving
                average, where there is one.
        """
        states = {
            name: generator if network is gan.generator else network.state_dict()
            for name, network in gan.networks().items()
        }
        tensors = {
            f"{name}.{key}": value.detach().to("cpu", copy=True).contiguous()
            for name, state in states.items()
            for key, value in state.items()
        }
        return cls(gan.name, tensors)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def put_into(self, gan: Gan) -> None:
        """Give a GAN these weights in place of its own.

        Raises:
            GraftError: start_does_not_fit, when it is another kind or has other settings.
        """
        does_not_fit = GraftError(
            "start_does_not_fit",
            f"The trained networks are not those of this {gan.name}.",
            "Train both times the same GAN, with the same settings.",
        )
        if gan.name != self.gan:
            raise does_not_fit
        for name, network in gan.networks().items():
            prefix = f"{name}."
            state = {
                key.removeprefix(prefix): value
                for key, value in self.tensors.items()
                if key.startswith(prefix)
            }
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise does_not_fit from error

    def to_bytes(self) -> bytes:
        """One safetensors file; the same networks give the same bytes."""
        return pack(self.tensors, {"start": self.gan})

    def save(self, path: Path) -> None:
        """Write ``to_bytes()`` to ``path``, whole or not at all.

        Raises:
            OSError: the disk is full or the like.
        """
        write_durably(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> Start:
        """Read what ``save`` wrote; runs no code of the file.

        Raises:
            GraftError: start_unreadable.
            OSError: no such file or the like.
        """
        try:
            tensors, note = unpack(path.read_bytes())
            return cls(str(note["start"]), tensors)
        except (UnreadableError, KeyError) as error:
            raise GraftError(
                "start_unreadable",
                "The file does not hold the whole networks of a training.",
                "Run the step before anew.",
            ) from error
