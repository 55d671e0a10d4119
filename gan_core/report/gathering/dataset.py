"""What the report says of the data set: its counts, what was mended, images that occur twice."""

from __future__ import annotations

import numpy as np

from gan_core.leaks import training_images_of_test
from gan_core.reading import PackedDataset
from gan_core.reading.index import DuplicatePair, ImageRef
from gan_core.report.data import DatasetSection, Images, LeakPicture
from gan_core.spec.findings import LeakPair, Leaks

_MOST_PAIRS = 50
_MOST_PICTURES = 12


def dataset_section(dataset: PackedDataset) -> DatasetSection:
    """Return what is known of the data set."""
    index = dataset.index
    return DatasetSection(
        digest=dataset.digest,
        image_size=dataset.image_size,
        classes=dataset.counts,
        problems=[
            {"code": p.code, "detail": p.detail, "entry": "" if p.entry is None else str(p.entry)}
            for p in index.problems
        ],
        exact_duplicates=index.duplicates.exact,
        near_duplicates=index.duplicates.near,
        across_splits=index.duplicates.across_splits,
        across_classes=index.duplicates.across_classes,
        problems_not_listed=index.problems_not_listed,
        is_phantom=index.is_phantom,
    )


def leaks_of(dataset: PackedDataset, *, left_out: bool) -> Leaks:
    """Return the images that occur twice.

    Args:
        dataset: The data set.
        left_out: Whether training images of the test set were kept out of every training.
    """
    duplicates = dataset.index.duplicates
    return Leaks(
        exact=duplicates.exact,
        near=duplicates.near,
        across_splits=duplicates.across_splits,
        across_classes=duplicates.across_classes,
        is_complete=duplicates.is_complete,
        training_images_of_test=len(training_images_of_test(dataset)),
        left_out=left_out,
        pairs=[_told(dataset, pair) for pair in dataset.index.gravest_pairs()[:_MOST_PAIRS]],
    )


def leak_pictures(dataset: PackedDataset) -> list[LeakPicture]:
    """Return the gravest pairs with their images."""
    return [
        LeakPicture(
            pair=_told(dataset, pair),
            first=_image(dataset, pair.first),
            second=_image(dataset, pair.second),
        )
        for pair in dataset.index.gravest_pairs()[:_MOST_PICTURES]
    ]


def _told(dataset: PackedDataset, pair: DuplicatePair) -> LeakPair:
    both = (pair.first, pair.second)
    return LeakPair(
        kind=pair.kind,
        rms=pair.rms,
        splits=[image.split for image in both],
        classes=[dataset.index.class_of(image) for image in both],
        entries=[image.entry for image in both],
    )


def _image(dataset: PackedDataset, image: ImageRef) -> Images:
    return np.asarray(dataset.images(image.split)[image.index])
