"""Check a zip of synthetic images, and make a sample of them again, bit for bit."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_core.packaging.labels import read_png, source_text
from gan_core.packaging.opened import (
    METADATA,
    REJECTED,
    SUMS,
    DamagedError,
    Entry,
    OpenedZip,
    shown,
)
from gan_core.packaging.redrawing import Regenerate
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
    part,
)
from gan_core.spec.errors import GraftError

Outcome = Literal["passed", "failed", "skipped"]

_SIDES = range(1, 4097)


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: "contents", "checksums", "manifest", "labels" or "pixels".
        outcome: "skipped" when it could not be checked: the detail says why.
        detail: A sentence for the person.
    """

    name: str
    outcome: Outcome
    detail: str


@dataclass
class VerifyReport:
    """What became of all checks.

    Attributes:
        checks: In the order in which they were made; the first that fails ends them.
        images: Images in the zip.
        regenerated: Images that were made again and came out equal.
    """

    checks: list[Check] = field(default_factory=list)
    images: int = 0
    regenerated: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether no check failed. Skipped ones do not count: look at ``checks``."""
        return all(check.outcome != "failed" for check in self.checks)


def models_in(folder: Path) -> dict[str, Path]:
    """Return SHA-256 → path of every ``*.safetensors`` file in a folder (not of those below)."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            found[hashlib.file_digest(file, "sha256").hexdigest()] = path
    return found


def verify_zip(
    zip_path: Path,
    *,
    models: Mapping[str, Path] | None = None,
    sample: int = 8,
    regenerate: Regenerate | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> VerifyReport:
    """Check a zip that may come from anyone; nothing is unpacked to the disk.

    Checked are: the names in it, every checksum, that manifest and metadata agree, that every
    image says that it is synthetic and from which model and seed, and, with models, that a sample
    can be made again with equal pixels.

    Args:
        zip_path: The zip.
        models: SHA-256 → file of the generators that are at hand; see ``models_in``.
        sample: How many images to make again, spread over the models.
        regenerate: See ``redrawing.regenerator``; None: nothing is made again.
        seed: Of the choice of the sample.
        on_progress: Told now and then.
        should_stop: Asked between images.

    Raises:
        GraftError: ``zip_unreadable``.
        Stopped: ``should_stop()`` said so.
    """
    report = VerifyReport()
    with OpenedZip(zip_path) as opened:
        verifier = _Verifier(opened, should_stop)
        steps: list[tuple[str, Callable[[], str]]] = [
            ("contents", verifier.contents),
            ("checksums", lambda: verifier.checksums(part(on_progress, 0.0, 0.3))),
            ("manifest", verifier.manifest_agrees),
            ("labels", lambda: verifier.labels(part(on_progress, 0.35, 0.7))),
        ]
        for name, step in steps:
            try:
                report.checks.append(Check(name, "passed", step()))
            except DamagedError as error:
                report.checks.append(Check(name, "failed", str(error)))
                return report
        report.images = verifier.images
        chosen = verifier.chosen(sample, set(models or {}), seed)
        check, report.regenerated = verifier.pixels(chosen, models or {}, regenerate)
        report.checks.append(check)
    on_progress(Progress(1.0, "verified"))
    return report


class _Verifier:
    def __init__(self, opened: OpenedZip, should_stop: ShouldStop) -> None:
        self.opened = opened
        self.should_stop = should_stop
        self.image_names: set[str] = set()
        self.sums: dict[str, str] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.images = 0

    def contents(self) -> str:
        names = self.opened.names()
        self.image_names = {name for name in names if name.endswith((".png", ".dcm"))}
        self.images = len(self.image_names)
        return f"{self.images} images, and the files that belong to them."

    def checksums(self, on_progress: OnProgress) -> str:
        self.sums = self.opened.sums()
        names = [name for name in self.opened.names() if name != SUMS]
        unlisted = set(names) ^ set(self.sums)
        if unlisted:
            raise DamagedError(f"{SUMS} and the zip disagree about {shown(min(unlisted))}.")
        for number, name in enumerate(names):
            self._pause(number, len(names), "checking sums", on_progress)
            if self.opened.sha256(name) != self.sums[name]:
                raise DamagedError(f"{shown(name)} is not what {SUMS} says.")
        return f"All {len(names)} files are what {SUMS} says."

    def manifest_agrees(self) -> str:
        manifest = self.opened.manifest()
        if manifest.get("synthetic") is not True:
            raise DamagedError("The manifest does not say that the images are synthetic.")
        if manifest.get("metadata_sha256") != self.sums[METADATA]:
            raise DamagedError(f"The manifest belongs to another {METADATA}.")
        models = manifest.get("models")
        if not isinstance(models, list):
            raise DamagedError("The manifest names no models.")
        self.models = {model["sha256"]: model for model in map(_model, models)}
        seen: set[str] = set()
        by_model: dict[str, int] = {}
        for entry in self._entries():
            if entry.file_name in seen or entry.file_name not in self.image_names:
                raise DamagedError(f"{METADATA} names {shown(entry.file_name)} wrongly.")
            seen.add(entry.file_name)
            if entry.sha256 != self.sums[entry.file_name]:
                raise DamagedError(f"{METADATA} and {SUMS} disagree.")
            if entry.model not in self.models:
                raise DamagedError(f"{METADATA} names a model that the manifest does not.")
            by_model[entry.model] = by_model.get(entry.model, 0) + 1
        if seen != self.image_names:
            raise DamagedError(f"{METADATA} does not name {shown(min(self.image_names - seen))}.")
        counts = manifest.get("images")
        if not isinstance(counts, dict) or counts.get("by_model") != by_model:
            raise DamagedError("The manifest counts other images than there are.")
        self._rejections_agree(counts.get("left_out"))
        return "Manifest, metadata and images agree."

    def _rejections_agree(self, left_out: Any) -> None:
        """See that the manifest counts what is listed as left out, and that none of it is here."""
        if REJECTED not in self.sums:
            return
        listed: dict[tuple[str, str], int] = {}
        gone: set[tuple[int, int, int | None]] = set()
        numbers = {model: number for number, model in enumerate(self.models)}
        for image in self.opened.rejected():
            if image.model not in numbers:
                raise DamagedError(f"{REJECTED} names a model that the manifest does not.")
            key = (image.model, image.reason)
            listed[key] = listed.get(key, 0) + 1
            gone.add((numbers[image.model], image.seed, image.position))
        counted = [
            {"model": model, "reason": reason, "count": n}
            for (model, reason), n in sorted(listed.items())
        ]
        if left_out != counted:
            raise DamagedError(f"The manifest counts other images as left out than {REJECTED}.")
        for entry in self._entries():
            if (numbers[entry.model], entry.seed, entry.position) in gone:
                raise DamagedError(f"{shown(entry.file_name)} is listed as left out.")

    def labels(self, on_progress: OnProgress) -> str:
        for number, entry in enumerate(self._entries()):
            self._pause(number, self.images, "checking labels", on_progress)
            _, label = self._image(entry)
            if not label.is_synthetic:
                raise DamagedError(f"{shown(entry.file_name)} does not say that it is synthetic.")
            expected = source_text(entry.gan, entry.model, entry.seed, entry.position)
            if label.source != expected:
                raise DamagedError(f"{shown(entry.file_name)} names another model or seed.")
        return "Every image says that it is synthetic, and from which model and seed."

    def chosen(self, sample: int, at_hand: set[str], seed: int) -> dict[str, list[Entry]]:
        """Choose images at random, about as many of each model that is at hand."""
        usable = sorted(at_hand & set(self.models))
        if not usable or sample < 1:
            return {}
        chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
        each = {sha256: sample // len(usable) for sha256 in usable}
        for sha256 in chance.sample(usable, sample % len(usable)):
            each[sha256] += 1
        kept: dict[str, list[Entry]] = {sha256: [] for sha256 in usable}
        passed = dict.fromkeys(usable, 0)
        for entry in self._entries():
            if entry.model not in kept:
                continue
            # Reservoir sampling: each image has the same chance, in one pass.
            passed[entry.model] += 1
            reservoir, room = kept[entry.model], each[entry.model]
            if len(reservoir) < room:
                reservoir.append(entry)
            elif (place := chance.randrange(passed[entry.model])) < room:
                reservoir[place] = entry
        return {sha256: entries for sha256, entries in kept.items() if entries}

    def pixels(
        self,
        chosen: Mapping[str, Sequence[Entry]],
        models: Mapping[str, Path],
        regenerate: Regenerate | None,
    ) -> tuple[Check, int]:
        if regenerate is None or not chosen:
            why = "No image was made again: none of the models that made them was given."
            return Check("pixels", "skipped", why), 0
        equal = 0
        for sha256, entries in chosen.items():
            if self.should_stop():
                raise Stopped
            try:
                again = regenerate(
                    models[sha256], [_number(entry) for entry in entries], self.models[sha256]
                )
            except GraftError as error:
                # Without its weights nothing can be said; other weights contradict the manifest.
                skipped = error.code in ("weights_missing", "engine_not_installed")
                return Check("pixels", "skipped" if skipped else "failed", str(error)), equal
            for entry, made in zip(entries, again, strict=True):
                stored, _ = self._image(entry)
                if not np.array_equal(stored, made):
                    return Check("pixels", "failed", _difference(entry, stored, made)), equal
                equal += 1
        absent = len(self.models) - len(chosen)
        left = f" {absent} of {len(self.models)} models were not at hand." if absent else ""
        return Check("pixels", "passed", f"{equal} images made again, all equal.{left}"), equal

    def _entries(self) -> Iterator[Entry]:
        return self.opened.entries()

    def _image(self, entry: Entry) -> tuple[NDArray[np.uint8], Any]:
        try:
            data = self.opened.read(entry.file_name)
            if entry.file_name.endswith(".dcm"):
                from gan_core.packaging.dicom import read_labelled_dicom

                return read_labelled_dicom(data)
            return read_png(data)
        except ValueError as error:
            raise DamagedError(f"{shown(entry.file_name)} is {error}.") from error

    def _pause(self, number: int, total: int, what: str, on_progress: OnProgress) -> None:
        if self.should_stop():
            raise Stopped
        if number % 64 == 0:
            on_progress(Progress(number / max(total, 1), f"{what}, {number}/{total}"))


def _number(entry: Entry) -> int:
    return entry.seed if entry.position is None else entry.position


def _model(value: Any) -> dict[str, Any]:
    """Return a model's entry in the manifest with the fields that making again needs, checked."""
    upscale = value.get("upscale") if isinstance(value, dict) else None
    if (
        not isinstance(upscale, dict)
        or not isinstance(value.get("sha256"), str)
        or not isinstance(upscale.get("engine"), str)
        or upscale.get("size") not in _SIDES
        or value.get("output_size") not in _SIDES
    ):
        raise DamagedError("The manifest describes a model wrongly.")
    return dict(value)


def _difference(entry: Entry, stored: NDArray[np.uint8], made: NDArray[np.uint8]) -> str:
    if stored.shape != made.shape:
        return f"{shown(entry.file_name)} comes out in another size when it is made again."
    gap = np.abs(stored.astype(np.int16) - made.astype(np.int16))
    share = np.count_nonzero(gap) / gap.size
    return (
        f"{shown(entry.file_name)} comes out differently when it is made again: {share:.1%} of its"
        f" values, by up to {gap.max()} of 255. Another kind of machine or version rounds"
        " differently; larger gaps mean another image."
    )
