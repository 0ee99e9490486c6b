"""Serve the API's public documentation: the OpenAPI document and an HTML page."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from flask import Blueprint, Response, current_app, json, request
from markupsafe import Markup

from newsletter import __version__
from newsletter.web.api.answers import ROOT
from newsletter.web.api.operations import (
    EDITABLE,
    KEY_AT_MOST,
    RAW_ANSWERS,
    RAW_BODIES,
    SCOPES,
    spec,
)
from newsletter.web.api.webhook_description import describe_webhooks
from newsletter.web.problems import MEDIA_TYPE

blueprint = Blueprint("api_description", __name__)

RATE_HEADERS = {
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": "The token's ceiling."},
    "RateLimit": {"schema": {"type": "string"}, "description": "What the token has left."},
}
TAG_HEADER = {"ETag": {"schema": {"type": "string"}, "description": "The state, for `If-Match`."}}
PLACE_HEADER = {"Location": {"schema": {"type": "string"}, "description": "The path of it."}}
WAIT_HEADER = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait."}}
REPEATED_HEADER = {
    "Idempotency-Replayed": {
        "schema": {"type": "string", "const": "true"},
        "description": "The answer of the first request with this Idempotency-Key, sent again.",
    }
}
NAME = {"type": "string", "pattern": "^[a-z2-7]{24}$"}
SLUG = {"type": "string", "pattern": "^[a-z0-9-]{1,60}$"}
SECURITY = {"token": {"type": "http", "scheme": "bearer", "description": "newsletter token add"}}
EDITED = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of the state that is to be changed; 412 if it was changed meanwhile.",
}
REPEATED = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": KEY_AT_MOST, "pattern": "^[ -~]*$"},
    "description": "Any text of yours: the same request with it runs once in 24 hours, and is "
    "answered alike.",
}


@blueprint.get(f"{ROOT}/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI document."""
    response = Response(json.dumps(describe_interface()), mimetype="application/json")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get(f"{ROOT}/")
def page() -> Response:
    """Serve the documentation as an HTML page without external resources."""
    return Response(_make_page(), mimetype="text/html")


def describe_interface() -> dict[str, Any]:
    """Return the OpenAPI document of the current application."""
    spec.app = current_app
    return copy.deepcopy(_describe())


@cache
def _describe() -> dict[str, Any]:
    described: dict[str, Any] = copy.deepcopy(spec._generate_spec())
    described["openapi"] = "3.1.0"
    described["info"] = {
        "title": "newsletter",
        "version": __version__,
        "description": "For one's own programs. See docs/api.md.",
    }
    described["servers"] = [{"url": "/"}]
    described["webhooks"] = describe_webhooks(described["components"]["schemas"])
    described.setdefault("components", {})["securitySchemes"] = SECURITY
    for methods in described["paths"].values():
        for method, operation in methods.items():
            _complete(method, operation)
    return described


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Add the parameters and responses that all operations share to one of them."""
    name = operation["operationId"]
    scopes = " or ".join(SCOPES[name])
    operation["description"] = f"{operation.get('description', '')}\n\nScope: {scopes}.".strip()
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["in"] != "path":
            continue
        if parameter["schema"]["type"] == "string":
            parameter["schema"] = SLUG if parameter["name"] == "slug" else NAME
        kind = parameter["name"].removesuffix("_id")
        what = (
            "The name of it, as its listing says."
            if kind == "slug"
            else f"The `id` of {'an' if kind[0] in 'aeiou' else 'a'} {kind}."
        )
        parameter["description"] = what
    if method == "post":
        parameters.append(REPEATED)
    if method == "patch":
        parameters.append(EDITED)
    for code, answer in operation["responses"].items():
        content = answer.get("content") or {}
        if code >= "400" and "application/json" in content:
            answer["content"] = {MEDIA_TYPE: content["application/json"]}
        answer["headers"] = _list_headers(method, name, code)
    if name in RAW_ANSWERS:
        content = {RAW_ANSWERS[name]: {"schema": {"type": "string"}}}
        operation["responses"]["200"]["content"] = content
    if name in RAW_BODIES:
        schema = {"type": "string", "contentMediaType": RAW_BODIES[name]}
        content = {RAW_BODIES[name]: {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}


def _list_headers(method: str, name: str, code: str) -> dict[str, Any]:
    """Return the response headers of an operation, by name."""
    headers = {} if code in ("401", "503") else dict(RATE_HEADERS)
    if code < "300" and name in EDITABLE:
        headers |= TAG_HEADER
    if code == "201" and name in EDITABLE:
        headers |= PLACE_HEADER
    if code == "429":
        headers |= WAIT_HEADER
    if method == "post" and code not in ("401", "429", "503"):
        headers |= REPEATED_HEADER
    return headers


def _make_page() -> Markup:
    described = describe_interface()
    parts = [
        Markup(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>{} API</title>'
            '<link rel="stylesheet" href="/static/style.css"></head><body><main><h1>{} API {}</h1>'
            "<p>Send <code>Authorization: Bearer nlt_...</code>, a token of "
            "<code>newsletter token add</code>. The same for machines: "
            '<a href="{}/openapi.json">openapi.json</a>.</p>'
        ).format("newsletter", "newsletter", __version__, request.script_root + ROOT)
    ]
    for path, methods in sorted(described["paths"].items()):
        for method, operation in methods.items():
            parts.append(_make_section(path, method, operation))
    return Markup("").join([*parts, Markup("</main></body></html>")])


def _make_section(path: str, method: str, operation: dict[str, Any]) -> Markup:
    rows = [
        Markup("<li><code>{}</code> ({}) {}</li>").format(
            parameter["name"], parameter["in"], parameter.get("description", "")
        )
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [
        Markup("<li>body: {} <code>{}</code></li>").format(
            media, content["schema"].get("$ref", "").rpartition("/")[2]
        )
        for media, content in body.items()
    ]
    codes = ", ".join(sorted(operation["responses"]))
    heading = Markup("<h2><code>{} {}</code></h2><p>{} {}</p>").format(
        method.upper(), path, operation["summary"], operation.get("description", "")
    )
    return heading + Markup("<ul>{}<li>answers: {}</li></ul>").format(Markup("").join(rows), codes)
