"""Build responses: pages and JSON, with security and privacy headers."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit, urlunsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.routing import RequestRedirect

from newsletter.i18n import Text
from newsletter.services.consent import Evidence
from newsletter.services.mail_context import CADENCE_TEXT
from newsletter.vocabulary import Cadence, EvidenceSource
from newsletter.web.locale import current_language, translate_texts

blueprint = Blueprint("responses", __name__)

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: http:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
CADENCE_WORDS: dict[str, Text] = {
    Cadence.INSTANT: Text("With every new post"),
    Cadence.DAILY: Text("Once a day"),
    Cadence.WEEKLY: Text("Once a week"),
    Cadence.MONTHLY: Text("Once a month"),
}


@blueprint.app_context_processor
def list_words() -> dict[str, object]:
    """Pass the translated words of closed sets to templates."""
    return {
        "cadence_words": translate_texts(CADENCE_WORDS),
        "cadence_text": translate_texts(CADENCE_TEXT),
    }


@blueprint.after_app_request
def add_security_headers(response: Response) -> Response:
    """Add security headers: no scripts, frames, content sniffing or full Referer (S12, T15)."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if "frame-ancestors *" not in headers["Content-Security-Policy"]:
        headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    return response


def redirect_after_form(path: str) -> Response:
    """Redirect with 303 See Other, usually after a form (RFC 9110, section 15.4.4)."""
    return cast(Response, redirect(path, 303))


@blueprint.after_app_request
def keep_redirect_here(response: Response) -> Response:
    """Redirect to a path, whatever host the request names.

    For a slash too few or too many, the router's own redirect would lead to that host.
    """
    if isinstance(request.routing_exception, RequestRedirect):
        target = urlsplit(request.routing_exception.new_url)
        response.headers["Location"] = urlunsplit(
            ("", "", "/" + target.path.lstrip("/"), target.query, "")
        )
        response.set_data("")
    return response


def mark_private(response: Response) -> Response:
    """Add headers that keep a subscriber's page out of caches and search engines."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def render_page(template: str, status: int = 200, **context: object) -> Response:
    """Return a response with a rendered template."""
    return mark_language(
        Response(render_template(template, **context), status, mimetype="text/html")
    )


def mark_language(answer: Response) -> Response:
    """Add Content-Language and Vary to a response."""
    answer.headers["Content-Language"] = current_language()
    answer.headers["Vary"] = "Accept-Language"
    return answer


def make_evidence(source: EvidenceSource) -> Evidence:
    """Return the origin of this request as evidence for the consent record."""
    return Evidence(
        source=source,
        page=request.headers.get("Referer") or request.headers.get("Origin") or "",
        ip=request.remote_addr or "",
        user_agent=request.headers.get("User-Agent", ""),
    )


def wants_json() -> bool:
    """Tell whether the client prefers JSON."""
    return request.is_json or request.accept_mimetypes.best == "application/json"


def render_message(status: int, title: str, text: str, **context: object) -> Response:
    """Return a short message as a page or as JSON."""
    if wants_json():
        answer = jsonify(error=text)
        answer.status_code = status
        return answer
    return mark_private(render_page("message.html", status, title=title, text=text, **context))
