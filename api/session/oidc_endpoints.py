"""``/v1/session/oidc``: where a browser goes to the issuer, comes back, and chooses a workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import not_signed_in
from api.context import Context, Ctx
from api.oidc.people import identify
from api.problems import Problem, described
from api.session.cookies import CHOOSING, give
from api.session.endpoints import signed_in_answer, start
from api.session.forgery import refuse_other_sites
from api.session.oidc_flow import UNDER_WAY, Answer, checker_of, come_back, go
from api.session.schemas import SessionView, WorkspaceChoice, WorkspaceOffer, WorkspaceOffers
from store.repositories.workspaces import workspaces_named

if TYPE_CHECKING:
    from api.oidc.tokens import Claims

router = APIRouter(prefix="/v1/session", tags=["session"], responses=described(422))

PAGE = "/"
_NO_STORE = {"Cache-Control": "no-store"}
_THERE: dict[int | str, dict[str, Any]] = {303: {"description": "Go on at `Location`."}}
# RFC 6749, Appendix A; as long as all of them together fit into a request's head.
_PRINTABLE = r"^[\x20-\x7e]*$"
_Told = Annotated[str | None, Query(max_length=500, pattern=_PRINTABLE)]
_Code = Annotated[str | None, Query(max_length=4096, pattern=_PRINTABLE)]


@router.get("/oidc", status_code=303, response_class=Response, responses=_THERE | described(404))
def go_to_issuer(
    ctx: Ctx,
    request: Request,
    workspace: Annotated[
        str | None, Query(max_length=200, description="Where you want to be, by name or id.")
    ] = None,
) -> Response:
    """Go to the issuer to sign in (for browsers)."""
    ctx.gate.admit_anonymous(request)
    response = RedirectResponse(PAGE, 303, headers=_NO_STORE)
    try:
        response.headers["Location"] = go(ctx, request, response, workspace)
    except Problem as problem:
        return _told(request, problem)
    return response


@router.get(
    "/oidc/callback",
    status_code=303,
    response_class=Response,
    responses=_THERE | described(400, 401, 403, 404),
)
def come_from_issuer(
    *,
    ctx: Ctx,
    request: Request,
    code: _Code = None,
    state: _Told = None,
    error: _Told = None,
    iss: _Told = None,
) -> Response:
    """Come back from the issuer, and be signed in.

    A browser is sent to the page whatever happened; ``?sign_in=`` tells it a problem's code, or
    ``choose``: there are several workspaces (``GET /v1/session/workspace``).
    """
    ctx.gate.approach(request, None)
    arrival = None
    try:
        arrival = come_back(ctx, request, Answer(code, state, error, iss))
        who = identify(ctx.database, ctx.settings, arrival.claims, arrival.workspace)
    except Problem as problem:
        if arrival is not None and problem.code == "workspace_unclear":
            response = _let_choose(ctx, request, arrival.claims)
        else:
            if problem.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST}:
                ctx.gate.refuse(request)
            response = _told(request, problem)
    else:
        who = ctx.gate.admit(request, who, None)
        _view, value = start(ctx, request, who, "oidc", before=arrival.before)
        response = RedirectResponse(PAGE, 303, headers=_NO_STORE)
        give(response, request, value)
    UNDER_WAY.take_back(response, request)
    return response


@router.get("/workspace", responses=described(401, 404))
def list_offered_workspaces(ctx: Ctx, request: Request, response: Response) -> WorkspaceOffers:
    """List the workspaces of somebody who came from the issuer and has not chosen one yet."""
    ctx.gate.admit_anonymous(request)
    claims = _chooser(ctx, request)
    response.headers.update(_NO_STORE)
    with ctx.database.read() as session:
        found = workspaces_named(session, ctx.settings.roles_of(claims.groups))
        return WorkspaceOffers(items=[WorkspaceOffer(id=w.id, name=w.name) for w in found])


@router.post(
    "/workspace",
    status_code=201,
    response_model=SessionView,
    responses=described(401, 403, 404, 413, 415),
)
def choose_workspace(ctx: Ctx, request: Request, asked: WorkspaceChoice) -> Response:
    """Choose a workspace after coming from the issuer, and be signed in there."""
    refuse_other_sites(request)
    ctx.gate.admit_anonymous(request)
    who = identify(ctx.database, ctx.settings, _chooser(ctx, request), asked.workspace)
    response = signed_in_answer(ctx, request, ctx.gate.admit(request, who, None), "oidc")
    CHOOSING.take_back(response, request)
    return response


def _let_choose(ctx: Context, request: Request, claims: Claims) -> Response:
    """Send somebody to the page to choose; what the issuer said of them goes along, sealed."""
    held = {
        "issuer": claims.issuer,
        "subject": claims.subject,
        "name": claims.name,
        "groups": [group for group in claims.groups if group in ctx.settings.oidc_groups],
        "expires_at": claims.expires_at.isoformat(),
    }
    response = RedirectResponse(f"{PAGE}?sign_in=choose", 303, headers=_NO_STORE)
    if not CHOOSING.give(response, request, ctx.pepper, held):
        unclear = Problem(
            403,
            "workspace_unclear",
            "Your groups have access to more workspaces than can be shown.",
            "Begin at /v1/session/oidc?workspace=, with the name of one.",
        )
        return _told(request, unclear)
    return response


def _chooser(ctx: Context, request: Request) -> Claims:
    """Return who is choosing a workspace.

    Raises:
        Problem: 401 ``not_signed_in``, 404 ``oidc_off``.
    """
    checker_of(ctx)
    from api.oidc.tokens import Claims

    held: dict[str, Any] | None = CHOOSING.read(request, ctx.pepper)
    if held is None or held["issuer"] != ctx.settings.oidc_issuer:
        raise not_signed_in()
    expires_at = datetime.fromisoformat(held.pop("expires_at")).astimezone(UTC)
    return Claims(**held, expires_at=expires_at)


def _told(request: Request, problem: Problem) -> Response:
    """Tell a browser of a problem by sending it to the page, and a program as everywhere."""
    if "text/html" not in request.headers.get("accept", ""):
        raise problem
    return RedirectResponse(f"{PAGE}?sign_in={problem.code}", 303, headers=_NO_STORE)
