"""A short run of the fuzz of the API, which a long one (``make fuzz``) must not be the first to do.

That it can find something is shown with an API that has what it must not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import http_api
import pytest
import structlog

from store.repositories import JobRepository


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_two_hundred_requests_break_nothing() -> None:
    told: list[str] = []
    assert http_api.run(200, 1, told.append) == []
    assert "answers" in told[0]


@pytest.mark.slow
def test_what_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobRepository, "page", lambda *_, **__: 1 / 0)
    found = http_api.run(50, 1, lambda _: None)
    assert any("answers 500" in sentence for sentence in found)


def test_what_is_left_behind_is_found(tmp_path: Path) -> None:
    with http_api.serve(tmp_path) as served:
        assert http_api._left_behind(served) == []
        (served.temporary / "left").touch()
        path = served.objects.local_path("workspaces/ws_1/uploads/ds_1.zip")
        assert path is not None
        path.parent.mkdir(parents=True)
        path.touch()
        assert len(http_api._left_behind(served)) == 2
