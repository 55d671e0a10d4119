"""Images of one patient stay on one side of a split, where DICOM files say whose they are.

Two images of one person resemble each other more than two of strangers; with one of them in the
training set and the other in the test set, every figure looks better than it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gan_core.reading.decoding import Person, Rows
from gan_core.reading.duplicates import Groups
from gan_core.reading.index import Problem


def people_of(rows: Rows) -> list[str]:
    """Return for each row a name for its person, alike for rows that belong together.

    That is the patient; where none is named, or all files name the same (a placeholder), the study;
    and where there is no study either, the file itself, whose frames belong together. Rows that
    belong to no other have an empty name.
    """
    patients = {patient for patient, _ in rows.people if patient}
    is_told = len(patients) > 1

    def name(person: Person, entry: int) -> str:
        patient, study = person
        return patient if patient and is_told else study or f"entry {entry}"

    names = [name(p, item.entry.number) for p, item in zip(rows.people, rows.items, strict=True)]
    found, counts = np.unique(np.array(names, np.str_), return_counts=True)
    alone = set(found[counts == 1].tolist())
    return ["" if name in alone else name for name in names]


def joined(groups: NDArray[np.int64], people: list[str]) -> NDArray[np.int64]:
    """Return the groups, int64 [N], with those put together that hold images of one person."""
    first_of: dict[str, int] = {}
    first, second = [], []
    for row, name in enumerate(people):
        if name and first_of.setdefault(name, row) != row:
            first.append(first_of[name])
            second.append(row)
    together = Groups(len(groups))
    together.labels = groups.copy()
    together.join(np.array(first, np.int64), np.array(second, np.int64))
    return together.labels


def draw_test_patients(
    labels: NDArray[np.int64], groups: NDArray[np.int64], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose the test images by whole groups, of which one may hold several classes.

    Groups are taken in a seeded order as long as no class gets more than its share. A class that
    got none takes the smallest group that leaves two training images of every class; where there is
    none such, it is split image by image, and ``across_splits`` tells.

    Args:
        labels: int64 [N].
        groups: int64 [N], equal for images that belong together.
        share: Share of each class that becomes test images; at least one image.
        seed: Seed of the draw.

    Returns:
        bool [N], true for test images.
    """
    classes = int(labels.max()) + 1
    names, place = np.unique(groups, return_inverse=True)
    sizes = np.zeros((len(names), classes), np.int64)
    np.add.at(sizes, (place, labels), 1)
    total = sizes.sum(axis=0)
    wanted = np.where(total > 0, np.maximum(1, np.round(share * total)), 0)
    taken = np.zeros(classes, np.int64)
    chosen = np.zeros(len(names), bool)
    for at in np.random.default_rng([seed, classes]).permutation(len(names)):
        if (taken + sizes[at] <= wanted).all():
            chosen[at] = True
            taken += sizes[at]
    is_test = np.zeros(len(labels), bool)
    for label in np.flatnonzero((taken == 0) & (total > 0)):
        left = total - taken - sizes
        fits = ~chosen & (sizes[:, label] > 0) & (left >= np.minimum(2, total)).all(axis=1)
        if fits.any():
            at = np.flatnonzero(fits)[sizes[fits].sum(axis=1).argmin()]
            chosen[at] = True
            taken += sizes[at]
        else:
            members = np.flatnonzero(labels == label)
            rng = np.random.default_rng([seed, int(label)])
            is_test[rng.permutation(members)[: int(wanted[label])]] = True
    return is_test | chosen[place]


def across_splits(people: list[str], is_test: NDArray[np.bool_]) -> list[Problem]:
    """Return a problem when one person's images are on both sides of the split."""
    sides: dict[str, set[bool]] = {}
    for name, side in zip(people, is_test.tolist(), strict=True):
        sides.setdefault(name, set()).add(side)
    both = {name for name, found in sides.items() if name and len(found) == 2}
    if not both:
        return []
    tested = sum(bool(side) and name in both for name, side in zip(people, is_test, strict=True))
    detail = (
        f"{len(both)} patients have images in both the training and the test split ({tested} test"
        " images). Figures of such a test look better than they are: move each patient to one side."
    )
    return [Problem(code="patient_across_splits", detail=detail)]
