"""The zip of synthetic images: labelled, documented, and able to be checked by anyone."""

from __future__ import annotations

from gan_core.packaging.data import (
    ModelFacts,
    PackageFacts,
    PackageSummary,
    RejectedImage,
    SyntheticImage,
)
from gan_core.packaging.redrawing import Regenerate, regenerator
from gan_core.packaging.sizes import greyed, resized
from gan_core.packaging.verify import (
    Check,
    VerifyReport,
    models_in,
    verify_zip,
)
from gan_core.packaging.writing import write_zip

__all__ = [
    "Check",
    "ModelFacts",
    "PackageFacts",
    "PackageSummary",
    "Regenerate",
    "RejectedImage",
    "SyntheticImage",
    "VerifyReport",
    "greyed",
    "models_in",
    "regenerator",
    "resized",
    "verify_zip",
    "write_zip",
]
