"""Build problem details (RFC 9457), in English and without personal data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, request

from newsletter.errors import (
    DatabaseError,
    FeedError,
    InvalidInput,
    NewsletterError,
    NotFound,
    TemplateProblem,
    TooMany,
)

PREFIX = "/api/"
MEDIA_TYPE = "application/problem+json"


def is_for_programs() -> bool:
    """Tell whether this request is for the API."""
    return request.path.startswith(PREFIX)


def make_problem(
    status: int, detail: str = "", errors: Mapping[str, str] | None = None
) -> Response:
    """Build a problem response; `errors` maps JSON pointers into the request to messages."""
    body: dict[str, object] = {"title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = [{"pointer": at, "detail": text} for at, text in errors.items()]
    response = Response(json.dumps(body), status, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def explain_error(error: NewsletterError) -> Response:
    """Build the problem response for an error of a service."""
    match error:
        case InvalidInput():
            errors = {f"#/{_escape(name)}": str(text) for name, text in error.fields.items()}
            return make_problem(422, "The request holds what cannot be used.", errors)
        case FeedError():
            return make_problem(422, "The feed cannot be read.", {"#/url": error.reason})
        case NotFound():
            return make_problem(404, error.message)
        case TooMany():
            response = make_problem(429, error.message)
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        case DatabaseError():
            response = make_problem(503, "Something is busy, and nothing was saved. Try again.")
            response.headers["Retry-After"] = "30"
            return response
        case TemplateProblem():
            return make_problem(422, str(error))
    return make_problem(409, str(error))


def _escape(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0")
