"""Serve `/healthz` for monitoring and `/robots.txt` for search engines."""

from __future__ import annotations

from enum import StrEnum

from flask import Blueprint, Response, jsonify

from newsletter.link_purposes import PATHS
from newsletter.services import installation, sender_state, workers
from newsletter.services.runtime import Environment, environment

blueprint = Blueprint("health", __name__)

WORKER_SILENT_AFTER = 300
_CLOSED = ("api/", "author/", "hooks/", "link", "resources/", "*/challenge", "*/subscribe")
"""Paths without a token that search engines should not read."""


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 if the database answers and a worker has ticked lately, else 503.

    That sending rests (no mail server, a quota, a ceiling) or is held (after a restore) is reported
    and is no 503: pages work, and nothing is lost.
    """
    env = environment()
    ticked = workers.find_last_tick()
    silent = ticked is None or (env.now - ticked).total_seconds() > WORKER_SILENT_AFTER
    state = {
        "database": "ok",
        "worker": "silent" if silent else "ok",
        "sending": _find_sending_state(env),
    }
    answer = jsonify(state)
    answer.status_code = 503 if silent else 200
    answer.headers["Cache-Control"] = "no-store"
    return answer


class SendingState(StrEnum):
    """The state of sending, as `/healthz` reports it."""

    OK = "ok"
    RESTS = "rests"
    HELD = "held"
    """All mail is held until the author releases it, as after a restore."""


def _find_sending_state(env: Environment) -> SendingState:
    if installation.find_hold():
        return SendingState.HELD
    return SendingState.RESTS if sender_state.is_resting(env) else SendingState.OK


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Serve robots.txt (RFC 9309): disallow personal pages and forms, link the sitemap."""
    lines = [
        "User-agent: *",
        *(f"Disallow: /{path}/" for path in PATHS),
        *(f"Disallow: /{path}" for path in _CLOSED),
        f"Sitemap: {environment().links.to('/sitemap.xml')}",
        "",
    ]
    return Response("\n".join(lines), mimetype="text/plain")
