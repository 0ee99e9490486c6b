"""Answer machines: `/healthz` for monitoring, `/robots.txt` for search engines."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from newsletter.link_purposes import PATHS
from newsletter.services import sender_state, workers
from newsletter.services.runtime import environment

blueprint = Blueprint("health", __name__)

WORKER_SILENT_AFTER = 300


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 if the database answers and a worker has ticked lately, else 503.

    That sending rests (no mail server, a quota, a ceiling) is reported and is no 503: pages work,
    and nothing is lost.
    """
    env = environment()
    ticked = workers.find_last_tick()
    silent = ticked is None or (env.now - ticked).total_seconds() > WORKER_SILENT_AFTER
    state = {
        "database": "ok",
        "worker": "silent" if silent else "ok",
        "sending": "rests" if sender_state.is_resting(env) else "ok",
    }
    answer = jsonify(state)
    answer.status_code = 503 if silent else 200
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Keep search engines from personal pages."""
    closed = "".join(f"Disallow: /{name}/\n" for name in PATHS)
    return Response(f"User-agent: *\n{closed}", mimetype="text/plain")
