"""Both clients, the real API, and a line between them that hardly ever holds."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flaky_line import flaky_line
from served import Served, serve

from graft.client import Artifact, AsyncClient, Client, Job, Patience, parts

STUBBORN = Patience(retries=150, first_wait=0.002, longest_wait=0.05)
PART = 65_536


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("flaky")) as found:
        yield found


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parts, "PART_BYTES", PART)
    path = tmp_path / f"set-{tmp_path.name}.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("benign/1.png", os.urandom(300_000))
    return path


def port_of(served: Served) -> int:
    return int(served.url.rsplit(":", 1)[1])


def check(served: Served, before: Counter[str], paths: list[Path], listed: list[Artifact]) -> None:
    """Everything was made once, and arrived as it is."""
    made = counted(served)
    made.subtract(before)
    assert dict(made) == {"datasets": 1, "uploads": 1, "jobs": 1, "keys": 1}
    sums = {artifact.name: artifact.sha256 for artifact in listed}
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == sums


def counted(served: Served) -> Counter[str]:
    with Client(served.url, key=served.key) as client:
        return Counter(
            datasets=len(list(client.each(client.datasets.list, limit=100))),
            uploads=len(list(client.each(client.uploads.list, limit=100))),
            jobs=len(list(client.each(client.jobs.list, limit=100))),
            keys=len(list(client.each(client.keys.list, limit=100))),
        )


@pytest.mark.parametrize("seed", range(5))
def test_everything_is_made_once_and_arrives_whole(
    served: Served, archive: Path, tmp_path: Path, seed: int
) -> None:
    before = counted(served)
    with (
        flaky_line(port_of(served), share=0.95, seed=seed) as line,
        Client(
            f"http://127.0.0.1:{line.port}", key=served.key, patience=STUBBORN, timeout=10
        ) as client,
    ):
        dataset = client.datasets.wait(client.datasets.upload(archive), poll_seconds=0.05)
        assert dataset.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
        assert client.keys.create("portal").key.startswith("graft_")
        job = client.jobs.submit(spec(dataset.id))
        events = list(client.jobs.events(job))
        assert client.jobs.wait(job, poll_seconds=0.05).status == "succeeded"
        listed = client.artifacts.list(job)
        paths = client.artifacts.download_all(job, tmp_path / "out")
        assert client.audit.verify().number > 3
    assert events[-1].data["status"] == "succeeded"
    numbers = [int(event.id or 0) for event in events]
    assert numbers == sorted(set(numbers)), "an event was missed or came twice"
    assert sum(line.broke.values()) >= 2, line.broke
    check(served, before, paths, listed)


def test_the_async_client_bears_it_too(served: Served, archive: Path, tmp_path: Path) -> None:
    before = counted(served)

    async def study(url: str) -> tuple[Job, list[Path], list[Artifact]]:
        async with AsyncClient(url, key=served.key, patience=STUBBORN, timeout=10) as client:
            dataset = await client.datasets.upload(archive)
            dataset = await client.datasets.wait(dataset, poll_seconds=0.05)
            await client.keys.create("portal")
            job = await client.jobs.submit(spec(dataset.id))
            statuses = [event.data.get("status") async for event in client.jobs.events(job)]
            assert statuses[-1] == "succeeded"
            done = await client.jobs.wait(job, poll_seconds=0.05)
            paths = await client.artifacts.download_all(job, tmp_path / "out")
            assert (await client.audit.verify()).number > 3
            return done, paths, await client.artifacts.list(job)

    with flaky_line(port_of(served), share=0.95, seed=7) as line:
        done, paths, listed = asyncio.run(study(f"http://127.0.0.1:{line.port}"))
    assert done.status == "succeeded"
    assert sum(line.broke.values()) >= 2, line.broke
    check(served, before, paths, listed)


def spec(dataset_id: str) -> dict[str, object]:
    return {
        "dataset_id": dataset_id,
        "real_counts": [10],
        "benchmark": {"classifiers": ["probe"], "seeds": [0]},
    }
