"""What ``screening.json`` says: of the screen as a whole, and of every image that was drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gan_core.screening.choosing import Scores, counted
from gan_core.spec.findings import ScreeningSummary

FILE = "screening.json"


class ScreenedImage(BaseModel):
    """One image that was drawn."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    seed: int
    scores: dict[str, float]
    """``near_copy_rms`` in grey levels; ``distance`` to the nearest real image in features, over
    the farthest allowed; ``confidence``, a classifier's probability of the rare class."""
    reason: str | None
    """Why it was left out (``REJECTED_BECAUSE``); null: it was taken."""


class Screening(BaseModel):
    """The whole of the file."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    drawn: int
    kept: int
    needed: int
    rejected: dict[str, int]
    """By reason."""
    is_short: bool
    """Whether fewer were kept than were needed."""
    rules: dict[str, Any]
    """The limits of the scores, null where a rule does not apply, and how they came about."""
    images: list[ScreenedImage]
    """In the order of drawing."""

    @classmethod
    def read(cls, folder: Path) -> Screening:
        """Read what a screen step left in its outputs."""
        return cls.model_validate(json.loads((folder / FILE).read_text(encoding="utf-8")))

    def summary(
        self, *, gan: str, real_count: int, real_count_label: str, subset: int
    ) -> ScreeningSummary:
        """Return it as a column's finding.

        The step does not know the column's label: jobs that name a real count differently share it.
        """
        return ScreeningSummary(
            gan=gan,
            real_count=real_count,
            real_count_label=real_count_label,
            subset=subset,
            **self.counts(),
        )

    def counts(self) -> dict[str, Any]:
        """Return the figures alone, without the rules and the images."""
        return self.model_dump(exclude={"rules", "images"})


def screening_of(
    seeds: Sequence[int],
    scores: Scores,
    reasons: Sequence[str | None],
    *,
    needed: int,
    rules: dict[str, Any],
) -> Screening:
    """Put together what was found of each image."""
    kept = sum(reason is None for reason in reasons)
    return Screening(
        drawn=len(seeds),
        kept=kept,
        needed=needed,
        rejected=counted(list(reasons)),
        is_short=kept < needed,
        rules=rules,
        images=[
            ScreenedImage(seed=int(seed), scores=scores.of(row), reason=reason)
            for row, (seed, reason) in enumerate(zip(seeds, reasons, strict=True))
        ],
    )
