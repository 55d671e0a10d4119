"""Job specs from a file and the command line."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer


class ProfileName(str, Enum):  # noqa: UP042 - typer shows a plain Enum's values
    """A profile."""

    QUICK = "quick"
    SEED = "seed"
    BEST = "best"


SpecOption = Annotated[
    Path | None, typer.Option("--spec", help="A job spec in YAML or JSON.", show_default=False)
]
ProfileOption = Annotated[
    ProfileName | None, typer.Option("--profile", help="Wins over the file's.", show_default=False)
]


def read_spec(path: Path | None, profile: str | None, dataset_id: str | None) -> dict[str, Any]:
    """Return a spec from a file, with what was given on the command line laid over it.

    Raises:
        GraftError: ``unreadable_spec`` or ``no_dataset``.
    """
    from gan_core.spec.errors import GraftError

    spec: dict[str, Any] = {}
    if path is not None:
        import yaml

        try:
            # JSON is YAML, so that one reader does for both.
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            why = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise GraftError(
                "unreadable_spec",
                f"The spec {str(path)!r} cannot be read: {why}.",
                "docs/job-spec.md shows what it looks like.",
            ) from error
        if not isinstance(loaded, dict):
            raise GraftError(
                "unreadable_spec",
                f"The spec {str(path)!r} is not an object.",
                "docs/job-spec.md shows what it looks like.",
            )
        spec = dict(loaded)
    if profile is not None:
        spec["profile"] = profile
    if dataset_id is not None:
        spec["dataset_id"] = dataset_id
    if not spec.get("dataset_id"):
        raise GraftError(
            "no_dataset",
            "The job needs a data set.",
            "Give --dataset, or a dataset_id in the spec; `graft datasets list` shows what there"
            " is.",
        )
    return spec
