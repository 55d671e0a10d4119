"""Every error is a problem document."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from api.problems import ProblemDocument
from store.objects import Objects


def _problem(answer: Any) -> ProblemDocument:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = ProblemDocument.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert problem.type == f"urn:graft:problem:{problem.code}"
    assert problem.instance == f"urn:graft:request:{answer.headers['x-request-id']}"
    return problem


def test_an_address_that_is_not_there(client: Any) -> None:
    answer = client.get("/v1/nothing")
    assert answer.status_code == 404
    assert _problem(answer).code == "not_found"


def test_a_method_that_is_not_taken(client: Any) -> None:
    answer = client.put("/v1/jobs")
    assert answer.status_code == 405
    assert _problem(answer).code == "method_not_allowed"
    assert answer.headers["allow"] == "GET, POST"
    assert client.delete("/v1/artifacts/art_x/content").headers["allow"] == "GET, HEAD"


def test_a_slash_too_many_is_told_and_not_sent_elsewhere(client: Any) -> None:
    answer = client.get("/v1/jobs/", headers={"Host": "evil.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert _problem(answer).code == "not_found"


def test_an_id_that_is_not_there(client: Any) -> None:
    for path in ("datasets/ds_x", "jobs/job_x", "artifacts/art_x", "artifacts/art_x/content"):
        answer = client.get(f"/v1/{path}")
        assert answer.status_code == 404
        assert _problem(answer).hint


def test_a_body_that_is_no_json(client: Any) -> None:
    answer = client.post(
        "/v1/jobs", content=b"{not json", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert _problem(answer).errors[0].pointer == ""


def test_a_body_that_is_not_even_text(client: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/jobs", content=b"Z\xd4\xff4", headers=headers)
    assert answer.status_code == 400
    assert "UTF-8" in _problem(answer).hint


def test_a_body_with_wrong_fields_names_each_of_them(client: Any) -> None:
    body = {"dataset_id": "x", "upscale": {"size": 1}, "surprise": "secret-looking text"}
    answer = client.post("/v1/jobs", json=body)
    problem = _problem(answer)
    assert {error.pointer for error in problem.errors} == {"/upscale/size", "/surprise"}
    assert "secret-looking text" not in answer.text


def test_a_pointer_leads_into_the_body_that_was_sent(client: Any) -> None:
    body = {
        "real_counts": [10, 0],
        "balance_to": -3,
        "benchmark": {"arms": ["no such arm"]},
        "gans": [{"name": "infogan", "surprise": 1}, {}],
    }
    answer = client.post("/v1/jobs", json=body)
    pointers = {error.pointer for error in _problem(answer).errors}
    assert {"/dataset_id", "/real_counts/1", "/balance_to", "/gans/0/surprise"} <= pointers
    assert {"/gans/1/name", "/benchmark/arms/0"} <= pointers
    assert not [pointer for pointer in pointers if "literal" in pointer or "int" in pointer]


def test_a_query_with_wrong_values_names_them(client: Any) -> None:
    answer = client.get("/v1/jobs", params={"limit": 0, "status": "asleep"})
    assert answer.status_code == 422
    assert {e.pointer for e in _problem(answer).errors} == {"query/limit", "query/status"}


def test_a_json_body_that_is_too_large(client: Any) -> None:
    large = json.dumps({"dataset_id": "x", "name": "y" * 2_000_000}).encode()
    headers = {"Content-Type": "application/json"}
    declared = client.post("/v1/jobs", content=large, headers=headers)
    pieces = (large[i : i + 50_000] for i in range(0, len(large), 50_000))
    streamed = client.post("/v1/jobs", content=pieces, headers=headers)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert _problem(answer).code == "too_large"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a secret detail"), 500, "internal_error"),
        (OSError(errno.ENOSPC, "No space left on device"), 507, "storage_full"),
        (OSError("a secret detail"), 503, "storage_unavailable"),
        (OperationalError("SELECT a secret detail", {}, Exception()), 503, "database_unavailable"),
        (
            OperationalError("INSERT", {}, Exception("database or disk is full")),
            507,
            "storage_full",
        ),
    ],
)
def test_what_goes_wrong_inside_is_told_without_its_details(
    client: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def break_down(*_args: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr("api.jobs.service.JobService.page", break_down)
    answer = client.get("/v1/jobs")
    assert answer.status_code == status
    assert _problem(answer).code == code
    assert "secret detail" not in answer.text


def test_a_disk_that_fills_during_an_upload_leaves_nothing(
    hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_self: Objects, _key: str, chunks: Any) -> None:
        async for _chunk in chunks:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Objects, "put_stream", full)
    answer = hospital.client.post(
        "/v1/datasets", content=hospital.small_zip(), headers={"Content-Type": "application/zip"}
    )
    assert answer.status_code == 507
    assert _problem(answer).code == "storage_full"
    assert hospital.client.get("/v1/datasets").json()["items"] == []


def test_a_request_id_is_taken_over_when_it_is_harmless(client: Any) -> None:
    good = client.get("/livez", headers={"X-Request-ID": "abc-123"})
    assert good.headers["x-request-id"] == "abc-123"
    bad = client.get("/livez", headers={"X-Request-ID": "a b{c}" * 100})
    assert len(bad.headers["x-request-id"]) == 32


def _fail_with_a_secret_at_hand(key: str) -> None:
    import structlog

    def fail() -> None:
        assert key in locals_of_this_frame
        raise RuntimeError("a secret detail")

    locals_of_this_frame = [key]
    try:
        fail()
    except RuntimeError:
        structlog.get_logger("api").exception("failed")
        raise


def test_the_log_holds_no_names_and_no_keys(
    hospital: Any, admin_key: str, capfd: pytest.CaptureFixture[str], settings: Any
) -> None:
    import logging

    import structlog

    from store.logs import configure_logs

    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logs(settings)
        hospital.client.post(
            "/v1/datasets",
            params={"name": "Jane Doe"},
            files={"file": ("Jane Doe.zip", hospital.small_zip())},
        )
        with pytest.raises(RuntimeError, match="a secret detail"):
            _fail_with_a_secret_at_hand(admin_key)
        written = "\n".join(
            line for line in capfd.readouterr().err.splitlines() if '"httpx2"' not in line
        )
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()
        logging.getLogger("uvicorn.access").disabled = False
    assert '"route": "/v1/datasets"' in written
    assert '"exc_type": "RuntimeError"' in written
    assert "Jane" not in written
    assert admin_key not in written
    assert str(Path(settings.data_dir)) not in written
