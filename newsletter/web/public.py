"""The first page, one list's page, and what machines ask for."""

from __future__ import annotations

from flask import Response, jsonify, request
from werkzeug.exceptions import BadRequest

from newsletter.links import SIGNED
from newsletter.services import forms, limits, workers
from newsletter.services.environment import environment
from newsletter.web import pages
from newsletter.web.remembered import public_page
from newsletter.web.signup import list_page

WORKER_SILENT_AFTER = 300


@pages.get("/")
def home() -> Response:
    """The lists of this sender."""
    return public_page("home.html", slots={}, lists=forms.every())


@pages.get("/<slug>/")
def mailing_list(slug: str) -> Response:
    """One list with its form and its latest mailings."""
    return list_page(slug)


@pages.get("/healthz")
def healthz() -> Response:
    """200 only if the database answers and a worker ticked lately: for monitoring."""
    env = environment()
    ticked = workers.last_tick()
    silent = ticked is None or (env.now - ticked).total_seconds() > WORKER_SILENT_AFTER
    state = {"database": "ok", "worker": "silent" if silent else "ok"}
    answer = jsonify(state)
    answer.status_code = 503 if silent else 200
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/robots.txt")
def robots() -> Response:
    """Personal pages are no business of search engines."""
    closed = "".join(f"Disallow: /{name}/\n" for name in SIGNED)
    return Response(f"User-agent: *\n{closed}", mimetype="text/plain")


@pages.before_app_request
def few_fields() -> None:
    """Refuses what no form of ours sends before it is read."""
    if len(request.query_string) > limits.QUERY_AT_MOST or "\0" in request.path:
        raise BadRequest
