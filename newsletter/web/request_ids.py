"""Assign each request an id for its log lines and error responses."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response

from newsletter.logs import REQUEST_ID

blueprint = Blueprint("request_ids", __name__)


@blueprint.before_app_request
def begin() -> None:
    """Assign an id to the request; one sent by the client is ignored."""
    REQUEST_ID.set(secrets.token_hex(6))


@blueprint.after_app_request
def answer_with_id(response: Response) -> Response:
    """Add the request's id to error responses."""
    if response.status_code >= 500:
        response.headers["X-Request-Id"] = REQUEST_ID.get()
    return response


@blueprint.teardown_app_request
def end(error: BaseException | None) -> None:
    """Clear the request's id of this thread."""
    REQUEST_ID.set("")
