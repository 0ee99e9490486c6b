"""Answer Prometheus, to its token alone; and write down what this process has counted."""

from __future__ import annotations

import hmac
import logging
import time

from flask import Blueprint, Response, abort, current_app, request

from newsletter.errors import DatabaseError
from newsletter.services.operations import metrics
from newsletter.services.runtime import environment

blueprint = Blueprint("metrics", __name__)
log = logging.getLogger("newsletter.web")

FRESH_SECONDS = 10.0
"""The database is asked at most so often, however often metrics are."""
WRITE_EVERY = 60.0
"""Seconds between two times that a process of pages writes its numbers down."""
_ANSWER = "newsletter-metrics-answer"
_WRITTEN = "newsletter-metrics-written"


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Answer with the metrics; without the token there is no such page.

    Behind a proxy every visitor comes from loopback, so that no address is trusted.
    """
    token = environment().settings.metrics.token
    authorization = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if token is None or not hmac.compare_digest(
        authorization, f"Bearer {token.get_secret_value()}".encode()
    ):
        abort(404)
    now = time.monotonic()
    read_at, body = current_app.extensions.get(_ANSWER, (-FRESH_SECONDS, b""))
    if now - read_at >= FRESH_SECONDS or not body:
        metrics.write_tally(environment())
        body = metrics.write_exposition(environment())
        current_app.extensions[_ANSWER] = (now, body)
    answer = Response(body, content_type="text/plain; version=0.0.4; charset=utf-8")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.after_app_request
def write_tally(response: Response) -> Response:
    """Write the numbers down with a form that was sent in, once a minute."""
    if request.method != "POST":
        return response
    now = time.monotonic()
    if now - current_app.extensions.setdefault(_WRITTEN, now) >= WRITE_EVERY:
        current_app.extensions[_WRITTEN] = now
        try:
            metrics.write_tally(environment())
        except DatabaseError as error:
            log.warning("metrics: %s", error)
    return response
