"""Answer hubs (W3C WebSub): their questions whether we subscribed, and their pushes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from newsletter.services.polling import websub
from newsletter.services.runtime import environment
from newsletter.web.request_body import allow_body

blueprint = Blueprint("websub", __name__)

PUSH_AT_MOST = 1024 * 1024
"""Bytes of a push, which holds the new entries whole; nothing but its signature is read."""
allow_body("websub.push", PUSH_AT_MOST)


@blueprint.get("/websub/<handle>")
def verify(handle: str) -> Response:
    """Repeat the hub's challenge if we asked it to subscribe."""
    answers = request.args
    mode = answers.get("hub.mode", "")
    topic = answers.get("hub.topic", "")
    lease = answers.get("hub.lease_seconds", "")
    if not websub.verify(environment(), handle, mode, topic, lease):
        raise NotFound
    return Response(answers.get("hub.challenge", ""), mimetype="text/plain")


@blueprint.post("/websub/<handle>")
def push(handle: str) -> Response:
    """Poll the feed of a hub now, if the push is signed."""
    body = request.get_data(cache=False)
    signature = request.headers.get("X-Hub-Signature", "")
    if not websub.receive_push(environment(), handle, body, signature):
        raise NotFound
    return Response(status=202)
