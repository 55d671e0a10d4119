"""A service with a finished small training, and browsers to look at it with.

One service serves all tests of this folder: what a test makes, it names, and it looks for nothing
else. Whoever needs an empty one, or one that is killed, starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit, launched, visiting
from served_instance import TINY_SPEC, Served, end, start, write_tiny_set

from graft.client import Client


@dataclass(frozen=True)
class Clinic:
    """A service that has been used.

    Attributes:
        served: The process.
        key: An administrator's.
        data: The folder that the data set was made of.
        dataset_id: Ready.
        job_id: A study that has succeeded.
        model_id: What it trained.
    """

    served: Served
    key: str
    data: Path
    dataset_id: str
    job_id: str
    model_id: str

    @property
    def url(self) -> str:
        """Address of the service."""
        return self.served.url

    def client(self) -> Client:
        """Return a client with the administrator's key."""
        return self.served.client()


@pytest.fixture(scope="session")
def tiny_spec() -> dict[str, Any]:
    """A job that trains for seconds."""
    return TINY_SPEC


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """A service with one data set, one finished study and its model."""
    folder = tmp_path_factory.mktemp("clinic")
    data = write_tiny_set(folder / "lesions")
    # Measuring speeds while nobody asks for anything would take the cores from the browser.
    variables = {"GRAFT_MEASURE_SPEEDS": "false"}
    served = start(folder / "data", folder / "serve.log", "--port", "0", **variables)
    try:
        with served.client() as client:
            dataset = client.datasets.wait(client.datasets.upload(data, image_size=64), timeout=600)
            assert dataset.status == "ready", dataset.problems
            spec = TINY_SPEC | {"dataset_id": dataset.id, "name": "A small study"}
            job = client.jobs.wait(client.jobs.submit(spec), timeout=1200)
            assert job.status == "succeeded", job.error
            (model,) = client.models.list(job_id=job.id).items
        key = (served.data_dir / "admin.key").read_text().strip()
        yield Clinic(served, key, data, dataset.id, job.id, model.id)
    finally:
        end(served)


# Not for the whole session: what drives it keeps an event loop running in this thread, and no other
# test could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser process; each visit has cookies and storage of its own."""
    with launched() as found:
        yield found


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open the page of a service as somebody who has never been there."""
    with ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(visiting(browser, url, **options))


@pytest.fixture
def admin(visit: Callable[..., Visit], clinic: Clinic) -> Visit:
    """The administrator's browser, signed in."""
    found = visit(clinic.url)
    found.sign_in(clinic.key)
    return found
