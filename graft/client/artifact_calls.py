"""Files that jobs leave: every call about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, id_of, params_of
from graft.client.errors import ApiError
from graft.client.flow import Blocking, Fetch, Flow, OnBytes, Send, reliably
from graft.client.models import (
    Artifact,
    Job,
)
from graft.client.transfer import sha256_of, told_plainly

# Within a class that has a method `list`, the name means that method.
ArtifactList = list[Artifact]
Paths = list[Path]
OnArtifactBytes = Callable[[Artifact, int, int], None]


class ArtifactFlows(Flows):
    """The flows of artifacts."""

    def list(self, job: Job | str) -> Flow[ArtifactList]:
        """Return all of a job's artifacts."""
        items: ArtifactList = []
        cursor: str | None = None
        while True:
            path = f"/v1/jobs/{id_of(job)}/artifacts"
            request = Send("GET", path, params_of(cursor=cursor))
            page = yield from self._calls.read(Page[Artifact], request)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return items

    def get(self, artifact: Artifact | str) -> Flow[Artifact]:
        """Return what is known of an artifact."""
        return self._calls.read(Artifact, Send("GET", f"/v1/artifacts/{id_of(artifact)}"))

    def download(
        self, artifact: Artifact | str, target: Path | str, *, on_bytes: OnBytes | None = None
    ) -> Flow[Path]:
        """Download to a file that appears whole and checked, or not at all.

        A download that was broken off goes on where it ended. The file's SHA-256 is compared.

        Raises:
            ApiError: ``checksum_mismatch``.
            GraftError: ``cannot_write``.
        """
        if isinstance(artifact, str):
            artifact = yield from self.get(artifact)
        target = Path(target)
        # The digest in the name: what lies there is the beginning of this very content.
        part = target.with_name(f".{target.name}.{artifact.sha256[:16]}.part")
        fetch = Fetch(f"/v1/artifacts/{id_of(artifact)}/content", part, artifact.size, on_bytes)
        for _ in range(2):
            with told_plainly(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if not part.exists() or fetch.fetched() != artifact.size:
                    yield from reliably(fetch, self._calls.patience, self._calls.base_url)
                if (yield Blocking(partial(sha256_of, part))) == artifact.sha256:
                    part.replace(target)
                    return target
                part.unlink()  # a bad beginning: once more from the start
        raise ApiError(
            "checksum_mismatch",
            f"{artifact.name} arrived with other bytes than the service has.",
            "Something between here and the service changes what passes; try another way.",
        )

    def download_all(
        self,
        job: Job | str,
        folder: Path | str,
        *,
        kinds: frozenset[str] | None = None,
        on_bytes: OnArtifactBytes | None = None,
    ) -> Flow[Paths]:
        """Download a job's artifacts, or those of some kinds, into a folder.

        A file that is there already is kept.
        """
        paths: Paths = []
        for artifact in (yield from self.list(job)):
            if kinds is not None and artifact.kind not in kinds:
                continue
            target = _unlike(paths, Path(folder) / _safe_name(artifact))
            if not (yield Blocking(partial(_is_there, artifact, target))):
                tell = None if on_bytes is None else partial(on_bytes, artifact)
                yield from self.download(artifact, target, on_bytes=tell)
            paths.append(target)
        return paths


def _is_there(artifact: Artifact, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != artifact.size:
        return False
    return sha256_of(path) == artifact.sha256


def _safe_name(artifact: Artifact) -> str:
    """Return a name that stays in its folder, whatever the service says."""
    name = Path(artifact.name).name
    return name if name not in {"", ".", ".."} else artifact.id


def _unlike(taken: list[Path], wanted: Path) -> Path:
    """Number a name that another artifact of the job has: each GAN leaves a model."""
    path, number = wanted, 1
    while path in taken:
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path
