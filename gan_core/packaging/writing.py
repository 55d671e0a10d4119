"""Write ``synthetic.zip``: image by image, so that memory does not grow with their number."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from gan_core.packaging.cards import dataset_card, manifest
from gan_core.packaging.croissant import croissant
from gan_core.packaging.data import (
    Counts,
    PackageFacts,
    PackageSummary,
    RejectedImage,
    SyntheticImage,
)
from gan_core.packaging.labels import labelled_png, source_text
from gan_core.packaging.names import SUFFIXES, folder_names, is_safe_id
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.spec.errors import GraftError

# The earliest time that a zip can hold: the same images give the same bytes on any day.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def write_zip(
    out: Path,
    *,
    images: Iterable[SyntheticImage],
    facts: PackageFacts,
    rejected: Iterable[RejectedImage] = (),
    expected: int = 0,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> PackageSummary:
    """Write the zip, whole or not at all.

    Equal arguments give equal bytes with the same libraries. Only checksums, counts and the zip's
    own directory grow with the number of images.

    Args:
        out: Where; its folder exists. Overwritten.
        images: Every image, in the order in which they shall lie; those with a reason to be left
            out are listed and counted, and not written.
        facts: What the manifest and the cards say.
        rejected: Images that were left out before; listed and counted, too.
        expected: About how many images there will be, for progress.
        on_progress: Told now and then.
        should_stop: Asked before each image.

    Returns:
        How many images were written and left out, and the zip's own checksum.

    Raises:
        GraftError: ``zip_not_written`` (the disk is full, or the like).
        Stopped: ``should_stop()`` said so; nothing is left behind.
        ValueError: An image's id is no file name or occurs twice, its class is not the data
            set's, or its model is not among the facts'.
    """
    partial = out.with_name(out.name + ".partial")
    try:
        with (
            tempfile.TemporaryFile(dir=out.parent) as metadata,
            tempfile.TemporaryFile(dir=out.parent) as rejections,
            zipfile.ZipFile(partial, "w", allowZip64=True) as archive,
        ):
            writer = _Writer(archive, metadata, rejections, facts)
            for number, image in enumerate(images):
                if should_stop():
                    raise Stopped
                writer.add(image)
                if number % 64 == 0:
                    fraction = min(0.99, number / expected) if expected else 0.0
                    on_progress(Progress(fraction, f"packing, image {number + 1}"))
            for number, left_out in enumerate(rejected):
                if number % 1024 == 0 and should_stop():
                    raise Stopped
                writer.reject(left_out)
            writer.finish()
        sha256 = _sha256_of(partial)
        size = partial.stat().st_size
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(out)
    except OSError as error:
        raise GraftError(
            "zip_not_written",
            f"The zip could not be written: {error.strerror or 'unknown reason'}.",
            "Make room on the disk and try again.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    counts = writer.counts
    on_progress(Progress(1.0, f"packed {counts.written} images"))
    return PackageSummary(counts.written, counts.left_out_by_reason(), sha256, size)


class _Lines:
    """JSON, a line for each image, in a file of its own until the images are written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.hash = hashlib.sha256()

    def add(self, line: dict[str, Any]) -> None:
        encoded = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        self.hash.update(encoded)
        self.file.write(encoded)


class _Writer:
    def __init__(
        self,
        archive: zipfile.ZipFile,
        metadata: IO[bytes],
        rejections: IO[bytes],
        facts: PackageFacts,
    ) -> None:
        self.archive = archive
        self.metadata = _Lines(metadata)
        self.rejections = _Lines(rejections)
        self.facts = facts
        self.folders = folder_names(facts.dataset_classes)
        self.suffix = SUFFIXES[facts.output_format]
        self.models = {model.sha256 for model in facts.models}
        self.counts = Counts()
        self.sums: list[str] = []

    def add(self, image: SyntheticImage) -> None:
        if image.model not in self.models:
            raise ValueError(f"image {image.id!r} comes from a model that the facts do not name")
        if image.class_name not in self.folders:
            raise ValueError(f"image {image.id!r} is of a class that the data set does not have")
        if image.left_out is not None:
            self.reject(
                RejectedImage(
                    model=image.model,
                    seed=image.seed,
                    position=image.position,
                    reason=image.left_out,
                    screening=image.screening,
                )
            )
            return
        self.counts.add(image)
        if not is_safe_id(image.id):
            raise ValueError(f"{image.id!r} is no safe file name")
        name = f"{self.folders[image.class_name]}/{image.id}.{self.suffix}"
        if name in self.archive.NameToInfo:
            raise ValueError(f"two images have the id {image.id!r}")
        stored, more = self._encoded(image)
        # PNG is compressed already; DICOM is not.
        is_png = self.suffix == "png"
        packing = zipfile.ZIP_STORED if is_png else zipfile.ZIP_DEFLATED
        sha256 = self._store(name, stored, packing)
        line = {
            "file_name": name,
            "class": image.class_name,
            "synthetic": True,
            "gan": image.gan,
            "model": image.model,
            "seed": image.seed,
            **({} if image.position is None else {"position": image.position}),
            "real_count": image.real_count,
            "real_count_label": image.real_count_label,
            "subset": image.subset,
            "screening": image.screening,
            **more,
            "sha256": sha256,
        }
        self.metadata.add(line)

    def _encoded(self, image: SyntheticImage) -> tuple[bytes, dict[str, str]]:
        """Return an image's file, and what its line in the metadata says of it besides."""
        source = source_text(image.gan, image.model, image.seed, image.position)
        if self.suffix == "png":
            software = f"Graft {self.facts.version}"
            return labelled_png(image.pixels, source=source, software=software), {}
        from gan_core.packaging.dicom import Origin, instance_uid, labelled_dicom

        origin = Origin(
            source=source,
            gan=image.gan,
            model=image.model,
            real_count=image.real_count,
            version=self.facts.version,
            created_at=self.facts.created_at,
            is_phantom=self.facts.is_phantom,
        )
        stored = labelled_dicom(image.pixels, origin)
        return stored, {"sop_instance_uid": instance_uid(stored)}

    def reject(self, image: RejectedImage) -> None:
        if image.model not in self.models:
            raise ValueError(f"the image of seed {image.seed} comes from an unknown model")
        self.counts.reject(image)
        self.rejections.add(
            {
                "model": image.model,
                "seed": image.seed,
                **({} if image.position is None else {"position": image.position}),
                "reason": image.reason,
                "screening": image.screening,
            }
        )

    def finish(self) -> None:
        sha256 = self._store_lines("metadata.jsonl", self.metadata)
        self._store_lines("rejected.jsonl", self.rejections)
        about = (self.facts, self.counts, self.folders)
        self._store_json("manifest.json", manifest(*about, sha256))
        self._store("dataset-card.md", dataset_card(*about).encode(), zipfile.ZIP_DEFLATED)
        self._store_json("croissant.json", croissant(*about, sha256))
        sums = "".join(sorted(self.sums, key=lambda line: line[66:])).encode()
        self.archive.writestr(_info("SHA256SUMS", zipfile.ZIP_DEFLATED), sums)

    def _store_lines(self, name: str, lines: _Lines) -> str:
        sha256 = lines.hash.hexdigest()
        lines.file.seek(0)
        info = _info(name, zipfile.ZIP_DEFLATED)
        with self.archive.open(info, "w", force_zip64=True) as member:
            shutil.copyfileobj(lines.file, member, 1 << 20)
        self.sums.append(f"{sha256}  {name}\n")
        return sha256

    def _store_json(self, name: str, value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        self._store(name, text.encode(), zipfile.ZIP_DEFLATED)

    def _store(self, name: str, data: bytes, compression: int) -> str:
        self.archive.writestr(_info(name, compression), data)
        sha256 = hashlib.sha256(data).hexdigest()
        self.sums.append(f"{sha256}  {name}\n")
        return sha256


def _info(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIMESTAMP)
    info.compress_type = compression
    info.create_system = 3  # Unix, wherever it is written
    info.external_attr = 0o644 << 16
    return info


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
