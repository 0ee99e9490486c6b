"""Give each request an id, which stands in its log lines and in its answer."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response

from newsletter.logs import REQUEST_ID

blueprint = Blueprint("request_ids", __name__)


@blueprint.before_app_request
def begin() -> None:
    """Name the request. What a visitor calls it is not believed: it goes into logs."""
    REQUEST_ID.set(secrets.token_hex(6))


@blueprint.after_app_request
def answer_with_id(response: Response) -> Response:
    """Tell the visitor of an error which lines are about it; other answers stay the same."""
    if response.status_code >= 500:
        response.headers["X-Request-Id"] = REQUEST_ID.get()
    return response


@blueprint.teardown_app_request
def end(error: BaseException | None) -> None:
    """Forget the request: what this thread logs next belongs to none."""
    REQUEST_ID.set("")
