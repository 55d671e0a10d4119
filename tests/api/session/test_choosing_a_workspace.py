"""People who may be in several workspaces choose one; and an administrator can sign them out."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from oidc_issuer import FakeIssuer


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_whoever_is_in_several_workspaces_chooses_one(person: Any, issuer: FakeIssuer) -> None:
    answer = person.come_back(**issuer.consent(person.sent_to(), groups=["both", "x" * 9000]))
    assert answer.headers["location"] == "/?sign_in=choose"
    assert person.cookie is None
    assert person.client.get("/v1/session").status_code == 401
    offered = person.client.get("/v1/session/workspace").json()["items"]
    assert [one["name"] for one in offered] == ["Röntgen 2", "default"]
    path = "/v1/session/workspace"
    wrong = person.client.post(path, json={"workspace": "theirs"})
    assert _refusal(wrong) == (403, "workspace_denied")
    forged = {"Sec-Fetch-Site": "cross-site"}
    chosen = {"workspace": offered[0]["id"]}
    assert _refusal(person.client.post(path, json=chosen, headers=forged)) == (403, "csrf_failed")
    view = person.client.post(path, json=chosen)
    assert view.status_code == 201
    assert view.json()["me"]["workspace_name"] == "Röntgen 2"
    assert "admin" in view.json()["me"]["scopes"]
    assert person.client.get("/v1/session").json() == view.json()
    assert _refusal(person.client.post(path, json=chosen)) == (401, "not_signed_in"), "once"


def test_whoever_knows_where_they_want_to_be_says_so_at_the_start(
    person: Any, issuer: FakeIssuer
) -> None:
    start = "/v1/session/oidc?workspace=R%C3%B6ntgen%202"
    answer = person.come_back(**issuer.consent(person.sent_to(start), groups=["both"]))
    assert answer.headers["location"] == "/"
    first = person.client.get("/v1/session").json()["me"]
    assert first["workspace_name"] == "Röntgen 2"
    # The same again is how one goes to another.
    start = "/v1/session/oidc?workspace=default"
    person.come_back(**issuer.consent(person.sent_to(start), groups=["both"]))
    assert person.client.get("/v1/session").json()["me"]["workspace_name"] == "default"
    start = "/v1/session/oidc?workspace=theirs"
    answer = person.come_back(**issuer.consent(person.sent_to(start), groups=["both"]))
    assert _refusal(answer) == (403, "workspace_denied")


def test_nobody_chooses_who_did_not_come_from_the_issuer(person: Any) -> None:
    for answer in (
        person.client.get("/v1/session/workspace"),
        person.client.post("/v1/session/workspace", json={"workspace": "default"}),
    ):
        assert _refusal(answer) == (401, "not_signed_in")


def test_whoever_signs_out_leaves_no_choice_to_the_next_at_the_browser(
    person: Any, issuer: FakeIssuer, admin_key: str
) -> None:
    person.come_back(**issuer.consent(person.sent_to(), groups=["both"]))
    assert person.client.get("/v1/session/workspace").status_code == 200
    assert person.sign_in(admin_key).status_code == 201
    assert person.sign_out().status_code == 204
    left = person.client.get("/v1/session/workspace")
    assert _refusal(left) == (401, "not_signed_in")


def test_an_administrator_signs_a_person_out_everywhere(
    person: Any, issuer: FakeIssuer, open_browser: Any, with_oidc: FastAPI
) -> None:
    browsers = [person, open_browser(with_oidc)]
    for one in browsers:
        one.come_back(**issuer.consent(one.sent_to()))
    me = person.client.get("/v1/me").json()["id"]
    leader = open_browser(with_oidc)
    leader.come_back(**issuer.consent(leader.sent_to(), sub="lea", groups=["leaders"]))
    leader.token = leader.client.get("/v1/session").json()["csrf_token"]
    assert leader.ask("DELETE", f"/v1/people/{me}/sign-ins").status_code == 204
    for one in browsers:
        assert _refusal(one.client.get("/v1/me")) == (401, "not_signed_in")
    assert leader.client.get("/v1/me").status_code == 200
    assert leader.ask("DELETE", "/v1/people/usr_none/sign-ins").status_code == 404
    [line] = leader.client.get("/v1/audit?action=person.sign_out").json()["items"]
    assert (line["subject"], line["detail"]) == (me, {"sign_ins": 2})
