"""Receive requests of WebSub hubs (W3C): verifications and pushes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from newsletter.services.polling import websub
from newsletter.services.runtime import environment
from newsletter.web.request_body import allow_body

blueprint = Blueprint("websub", __name__)

PUSH_AT_MOST = 1024 * 1024
"""The most bytes of a push, of which only the signature is verified."""
allow_body("websub.push", PUSH_AT_MOST)


@blueprint.get("/websub/<handle>")
def verify(handle: str) -> Response:
    """Confirm a hub's verification by its challenge, if this program made the request."""
    answers = request.args
    mode = answers.get("hub.mode", "")
    topic = answers.get("hub.topic", "")
    lease = answers.get("hub.lease_seconds", "")
    if not websub.verify(environment(), handle, mode, topic, lease):
        raise NotFound
    return Response(answers.get("hub.challenge", ""), mimetype="text/plain")


@blueprint.post("/websub/<handle>")
def push(handle: str) -> Response:
    """Schedule a poll of the hub's feed, if the push is signed."""
    body = request.get_data(cache=False)
    signature = request.headers.get("X-Hub-Signature", "")
    if not websub.receive_push(environment(), handle, body, signature):
        raise NotFound
    return Response(status=202)
