"""A packed data set on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.reading.index import DatasetIndex
from gan_core.spec.errors import GraftError

Split = Literal["train", "test"]


def _damaged() -> GraftError:
    return GraftError(
        "dataset_damaged",
        "The packed data set is incomplete or damaged.",
        "Pack it anew from the images.",
    )


@dataclass(frozen=True)
class PackedDataset:
    """A packed data set, opened without reading its pixels.

    Attributes:
        folder: Holds ``train.npy``, ``test.npy`` and ``index.json``.
        index: Everything but the pixels.
    """

    folder: Path
    index: DatasetIndex

    @classmethod
    def open(cls, folder: Path) -> PackedDataset:
        """Open what ``pack`` has written.

        Raises:
            GraftError: ``dataset_damaged`` when a file is missing or does not fit the others.
        """
        try:
            text = (folder / "index.json").read_text(encoding="utf-8")
            dataset = cls(folder, DatasetIndex.model_validate_json(text))
            size = dataset.image_size
            is_sound = all(
                dataset.images(split).shape == (len(rows.labels), size, size, 3)
                and dataset.images(split).dtype == np.uint8
                for split, rows in dataset.index.splits.items()
            )
        except (OSError, ValueError) as error:  # pydantic's and numpy's are ValueErrors
            raise _damaged() from error
        if not is_sound or len(dataset.index.splits) != 2:
            raise _damaged()
        return dataset

    def images(self, split: Split) -> NDArray[np.uint8]:
        """Return a split's images: uint8 [N, S, S, 3], RGB, a read-only map of the file."""
        mapped: NDArray[np.uint8] = np.load(
            self.folder / f"{split}.npy", mmap_mode="r", allow_pickle=False
        )
        return mapped

    def labels(self, split: Split) -> NDArray[np.int64]:
        """Return a split's labels: int64 [N], indices into ``classes``."""
        return np.array(self.index.splits[split].labels, dtype=np.int64)

    @property
    def classes(self) -> list[str]:
        """Class names, sorted."""
        return self.index.classes

    @property
    def image_size(self) -> int:
        """Side of the images, in pixels."""
        return self.index.image_size

    @property
    def digest(self) -> str:
        """SHA-256 over what the set holds; the order of the archive does not matter."""
        return self.index.digest

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Images by class and split."""
        return self.index.counts

    @property
    def is_phantom(self) -> bool:
        """Whether the images are drawn, not taken of anybody."""
        return self.index.is_phantom

    def rare_class(self) -> str:
        """Return the class with the fewest training images; the first by name of equals."""
        return min(self.classes, key=lambda name: self.counts[name]["train"])
