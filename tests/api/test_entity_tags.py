"""What has not changed costs a 304."""

from __future__ import annotations

from typing import Any


def test_everything_that_is_looked_at_has_a_tag_that_changes_with_it(hospital: Any) -> None:
    client = hospital.client
    job_id = hospital.finished_job()
    artifact = hospital.artifact(job_id, "report-html")
    model = hospital.model(job_id)
    paths = [
        f"/v1/jobs/{job_id}",
        f"/v1/jobs/{job_id}/steps",
        f"/v1/jobs/{job_id}/artifacts",
        f"/v1/jobs/{job_id}/results",
        client.get(f"/v1/jobs/{job_id}").json()["links"]["dataset"],
        artifact["links"]["self"],
        artifact["links"]["content"],
        model["links"]["self"],
        "/v1/jobs",
        "/v1/datasets",
        "/v1/models",
        "/v1/keys",
        "/openapi.json",
    ]
    tags = []
    for path in paths:
        first = client.get(path)
        assert first.status_code == 200, path
        tags.append(first.headers["etag"])
        for asked in (tags[-1], f'"x", W/{tags[-1]}', "*"):
            again = client.get(path, headers={"If-None-Match": asked})
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["etag"] == tags[-1]
            assert "content-length" not in again.headers
            assert "content-type" not in again.headers
            assert again.headers["x-request-id"]
        other = client.get(path, headers={"If-None-Match": '"another"'})
        assert (other.status_code, other.content) == (200, first.content), path
    assert len(set(tags)) == len(tags)


def test_a_list_that_grew_is_sent_again(hospital: Any) -> None:
    hospital.upload("a")
    tag = hospital.client.get("/v1/datasets").headers["etag"]
    hospital.upload("b")
    changed = hospital.client.get("/v1/datasets", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert len(changed.json()["items"]) == 2


def test_a_problem_has_no_tag_and_is_never_unchanged(client: Any) -> None:
    answer = client.get("/v1/jobs/none", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert "etag" not in answer.headers


def test_a_table_that_was_not_sent_is_not_in_the_trail(hospital: Any) -> None:
    from sqlalchemy import func, select

    from store.tables import AuditEvent

    def read() -> int | None:
        with hospital.database.read() as session:
            return session.scalar(select(func.count()).where(AuditEvent.action == "results.read"))

    path = f"/v1/jobs/{hospital.finished_job()}/results"
    tag = hospital.client.get(path).headers["etag"]
    hospital.client.get(path, headers={"If-None-Match": tag})
    assert read() == 1
