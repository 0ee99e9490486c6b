"""Serve `/metrics` to Prometheus with its token, and store this process's counters."""

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
"""Seconds for which a rendered answer is reused."""
WRITE_EVERY = 60.0
"""Seconds between two writes of a web process's counters."""
_ANSWER = "newsletter-metrics-answer"
_WRITTEN = "newsletter-metrics-written"


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Return the metrics, or 404 without the token.

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
    """Store this process's counters, at most once a minute, after a POST."""
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
