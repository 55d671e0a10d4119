"""What a step is given, and what it says it has made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gan_core.progress import OnNotice, OnProgress, ShouldStop, ignore_notice
from gan_core.spec.errors import GraftError

if TYPE_CHECKING:
    import torch

ArtifactKind = Literal[
    "internal",
    "synthetic-zip",
    "report-html",
    "results-json",
    "results-csv",
    "samples-png",
    "samples-json",
    "curves-png",
    "nearest-png",
    "nearest-json",
    "model",
    "model-card",
]


class StepSettings(BaseModel):
    """Settings of the machine that a step runs on.

    What can change a pixel is in the step's key, too.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    cache_dir: Path
    """Where weights that were converted once are kept."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads for torch; null: torch decides."""
    realesrgan_weights: Path | None = None
    """The operator's own Real-ESRGAN weights."""
    checkpoint_seconds: float = Field(default=60.0, gt=0)
    max_pixels: int = Field(default=50_000_000, ge=1)
    """Largest image that the ingest step decodes, in pixels."""
    max_entries: int = Field(default=100_000, ge=1)
    max_unpacked_bytes: int = Field(default=20 * 2**30, ge=1)
    ingest_max_memory_bytes: int = Field(default=8 * 2**30, ge=1)
    """Memory that the ingest step may take besides what the program itself takes."""
    ingest_max_seconds: int = Field(default=4 * 3600, ge=1)
    """How long the ingest step may take."""

    def torch_device(self) -> torch.device:
        """Return the device to compute on.

        Raises:
            GraftError: ``no_gpu`` when ``cuda`` is asked for and there is none.
        """
        import torch

        if self.device == "cpu":
            return torch.device("cpu")
        if torch.cuda.is_available():
            return torch.device("cuda")
        if self.device == "cuda":
            raise GraftError(
                "no_gpu",
                "A GPU was asked for, but this machine has none that torch can use.",
                "Set GRAFT_DEVICE to auto or cpu, or start the worker where there is a GPU.",
            )
        return torch.device("cpu")


@dataclass(frozen=True)
class Output:
    """A file that a step leaves under its outputs folder."""

    name: str
    kind: ArtifactKind = "internal"
    media_type: str = "application/octet-stream"

    def described(self, folder: Path) -> dict[str, Any]:
        """Return the output with its size in bytes and its SHA-256."""
        path = folder / self.name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "name": self.name,
            "kind": self.kind,
            "media_type": self.media_type,
            "size": path.stat().st_size,
            "sha256": digest,
        }


@dataclass(frozen=True)
class StepContext:
    """Everything a step may look at."""

    name: str
    kind: str
    key: str
    params: dict[str, Any]
    inputs: dict[str, Path]
    """Folders with the outputs of earlier steps, or the data set's files. Read only."""
    outputs: Path
    checkpoints: Path
    """Survives an interruption of the step."""
    settings: StepSettings
    job: dict[str, Any]
    """``job_id``, ``dataset_id``, ``created_at``, ``steps`` (name → key), ``dataset``: for the
    report and the manifest."""
    on_progress: OnProgress
    should_stop: ShouldStop
    on_notice: OnNotice = ignore_notice
    live: Path | None = None
    """For files that are looked at while the step runs; null: nobody does."""

    def read_json(self, label: str, name: str) -> Any:
        """Read a JSON file of an input."""
        return json.loads((self.inputs[label] / name).read_text(encoding="utf-8"))

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file among the outputs; NaN is refused, since it is not JSON."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
        (self.outputs / name).write_text(text + "\n", encoding="utf-8")


def model_in(folder: Path) -> Path:
    """Return the one model that a train step left; its card has the same name, ending .json."""
    (model,) = folder.glob("model-*.safetensors")
    return model
