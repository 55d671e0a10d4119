"""Images on the device that computes on them: all of them once, or batch by batch from the host."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.out_of_memory import free_memory, is_out_of_memory

_ROWS_AT_A_TIME = 256


class DeviceImages:
    """A set of images, read by row on a device.

    Args:
        images: uint8 [N, S, S, 3].
        device: Where they are wanted.
        is_resident: Whether all are to lie there, where they fit (397 MB at 2,637 images of 224
            pixels); else each batch is fetched from the host. The bits are the same. None: where
            the device has a memory of its own.

    Attributes:
        device: Where they are wanted.
        resident: uint8 [N, S, S, 3] on the device, or None.
    """

    def __init__(
        self, images: ImageRows, device: torch.device, *, is_resident: bool | None = None
    ) -> None:
        self._images, self.device = images, device
        wanted = keeps_resident(device) if is_resident is None else is_resident
        self.resident = self._all() if wanted else None

    def __len__(self) -> int:
        return self._images.shape[0]

    def __getitem__(self, rows: IndexArray) -> Tensor:
        """Return the images in these rows [...], uint8 [..., S, S, 3], on the device."""
        if self.resident is None:
            found = torch.from_numpy(self._images[rows.reshape(-1)]).to(self.device)
        else:
            found = self.resident[torch.from_numpy(rows.reshape(-1)).to(self.device)]
        return found.view(*rows.shape, *found.shape[1:])

    def leave_device(self) -> None:
        """Give the device's memory back: from here on each batch comes from the host."""
        self.resident = None
        free_memory()

    def _all(self) -> Tensor | None:
        """All images on the device; None where there is no room."""
        count = len(self)
        try:
            whole = torch.empty(self._images.shape, dtype=torch.uint8, device=self.device)
            for start in range(0, count, _ROWS_AT_A_TIME):
                rows = np.arange(start, min(start + _ROWS_AT_A_TIME, count))
                whole[start : start + len(rows)] = torch.from_numpy(self._images[rows])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return whole
        free_memory()
        return None


def keeps_resident(device: torch.device) -> bool:
    """Whether a device has a memory of its own, which the images are to lie in."""
    return device.type != "cpu"
