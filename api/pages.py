"""The pages for people: the dashboard, and the reference of all calls.

Neither asks anyone else for anything, so both work in a closed network. The dashboard is a client
of the API like any other: all that is here is its files.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.context import API_VERSION, package_version
from api.page_files import PREFIX, page_files
from api.problems import not_found

router = APIRouter(include_in_schema=False)
# Not counted against the limit for those without a key: a first visit asks for all of them at once,
# whole houses may share an address, and nothing is cheaper than to answer.
assets = APIRouter(include_in_schema=False)

_LINKS = {"docs": "/docs", "openapi": "/openapi.json", "ready": "/readyz", "metrics": "/metrics"}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;
color:#1c2430;background:#fff}a{color:#0b5cad}code,pre{font:14px/1.4 ui-monospace,monospace}
pre{background:#f3f5f8;padding:.75rem;overflow:auto}details{border-top:1px solid #d8dee6;
padding:.5rem 0}summary{cursor:pointer}b.m{display:inline-block;min-width:4.5rem}
@media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181f}a{color:#7db8f5}
pre{background:#1f2530}details{border-color:#333c49}}
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
}

# Scripts, styles, pictures and answers come from here alone; none stands in the page itself, and no
# text is ever made HTML of (Trusted Types). Pictures that a script has been given come as blobs.
_DASHBOARD_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FOR_GOOD = "public, max-age=31536000, immutable"


@router.get("/")
def front(request: Request) -> Response:
    """Hand out the dashboard to a browser; to a program say what this is, as JSON."""
    if "text/html" not in request.headers.get("accept", ""):
        name = {"name": "Graft", "version": package_version(), "api": API_VERSION}
        return JSONResponse(name | {"links": _LINKS}, headers={"Vary": "Accept"})
    return HTMLResponse(page_files().index, headers=_DASHBOARD_HEADERS | {"Vary": "Accept"})


@assets.get(f"{PREFIX}/{{digest}}/{{name:path}}")
async def asset(request: Request, digest: str, name: str) -> Response:
    """Hand out a file of the dashboard."""
    file = page_files().get(digest, name)
    if file is None:
        raise not_found("file")
    headers = {"Cache-Control": _FOR_GOOD, "Vary": "Accept-Encoding"}
    content = file.content
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content = file.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=file.media_type, headers=headers)


@router.get("/docs")
def reference(request: Request) -> Response:
    """Show every call of ``/openapi.json``."""
    document = request.app.openapi()
    body = [f"<h1>Graft: the calls</h1><p>{escape(document['info']['description'])}</p>"]
    for path, calls in document["paths"].items():
        body += [_call(path, method, call) for method, call in calls.items()]
    body.append("<h2>The shapes</h2>")
    for name, schema in document["components"]["schemas"].items():
        body.append(
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
            f"{_json(schema)}</details>"
        )
    return _page("Graft: the calls", "".join(body), {})


def _call(path: str, method: str, call: dict[str, Any]) -> str:
    parts = [f"<p>{escape(call.get('description', ''))}</p>"]
    if call.get("parameters"):
        rows = "".join(
            f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])})"
            f"{' – needed' if p.get('required') else ''}"
            f" {escape(p.get('description', ''))}</li>"
            for p in call["parameters"]
        )
        parts.append(f"<p>Parameters</p><ul>{rows}</ul>")
    if "requestBody" in call:
        parts.append(f"<p>Body</p>{_json(call['requestBody']['content'])}")
    for status, answer in call["responses"].items():
        parts.append(f"<p>{escape(status)} {escape(answer.get('description', ''))}</p>")
        if "content" in answer:
            parts.append(_json(answer["content"]))
    title = f'<b class="m">{method.upper()}</b> <code>{escape(path)}</code>'
    return (
        f"<details><summary>{title} – {escape(call.get('summary', ''))}</summary>"
        f"{''.join(parts)}</details>"
    )


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _page(title: str, body: str, headers: dict[str, str]) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>",
        headers=_HEADERS | headers,
    )
