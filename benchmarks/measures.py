"""What the measures of image quality say of sets whose nature is known.

    python benchmarks/measures.py DATASET [--size 64] [--counts 10 50 100 200]

DATASET is a zip or folder of class folders. Training images of the rare class are compared with
other images of that class, with images of another class, with themselves, with pictures of their
mean colour, and with noise. A measure that could not tell these apart would be of no use.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_core.features import FeatureExtractor
from gan_core.quality import (
    authenticity,
    cubic_kernel,
    density_and_coverage,
    kernel_distance,
    mean_of_others,
    precision_and_recall,
)
from gan_core.reading import PackedDataset, pack
from gan_core.training.fit import fit_to_size

COMPARED = 128
COLUMNS = (
    "real",
    "compared with",
    "KID × 1000",
    "share of the kernel",
    "density",
    "coverage",
    "precision",
    "recall",
    "authenticity",
)


def sets_of(rare: NDArray[np.uint8], other: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Sets of ``COMPARED`` images each, by what they are; the first are the training images."""
    random = np.random.default_rng(0)
    colours = rare[:COMPARED].mean((1, 2), keepdims=True).astype(np.uint8)
    return {
        "other images of the class": rare[-COMPARED:],
        "another class": other[:COMPARED],
        "mean colours": np.broadcast_to(colours, rare[:COMPARED].shape).copy(),
        "noise": random.integers(0, 256, rare[:COMPARED].shape, np.uint8),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 50, 100, 200])
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        pack(arguments.dataset, Path(folder) / "packed", image_size=224)
        dataset = PackedDataset.open(Path(folder) / "packed")
        labels = dataset.labels("train")
        rare = labels == dataset.classes.index(dataset.rare_class())
        rows = {side: random.permutation(np.flatnonzero(rare == side)) for side in (True, False)}
        most = {True: max(arguments.counts) + COMPARED, False: COMPARED}
        images = {
            side: fit_to_size(dataset.images("train")[rows[side][: most[side]]], arguments.size)
            for side in (True, False)
        }
    extractor = FeatureExtractor()
    training = extractor.extract(images[True][: max(arguments.counts)])
    compared = {
        what: extractor.extract(some) for what, some in sets_of(images[True], images[False]).items()
    }
    print(
        "| real | compared with | KID × 1000 | share of the kernel | density | coverage |", end=""
    )
    print(" precision | recall | authenticity |\n" + "|---" * 9 + "|")
    for count in arguments.counts:
        real = training[:count]
        own = mean_of_others(cubic_kernel(real, real))
        for what, features in (
            *compared.items(),
            ("themselves", np.resize(real, (COMPARED, 1280))),
        ):
            kid, kid_sd = kernel_distance(real, features)
            figures = [*density_and_coverage(real, features)]
            figures += [*precision_and_recall(real, features), authenticity(real, features)]
            cells = [
                str(count),
                what,
                f"{1000 * kid:.0f} ± {1000 * kid_sd:.0f}",
                f"{kid / own:.3f}",
            ]
            print("| " + " | ".join(cells + [f"{figure:.2f}" for figure in figures]) + " |")


if __name__ == "__main__":
    main()
