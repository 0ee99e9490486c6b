"""Build the answers of operations: bodies with their ETags, pages, and problems."""

from __future__ import annotations

import base64
import hashlib

from flask import Response, request
from pydantic import BaseModel

from newsletter.web.problems import make_problem

ROOT = "/api/v1"


class Problem(BaseModel):
    """A refusal or failure (RFC 9457)."""

    title: str
    status: int
    detail: str | None = None
    errors: list[ProblemPart] | None = None


class ProblemPart(BaseModel):
    """One wrong part of a request, by its JSON pointer."""

    pointer: str
    detail: str


Problem.model_rebuild()


class RefusedEarly(Exception):
    """A request that is answered before its operation is reached."""

    def __init__(self, response: Response) -> None:
        self.response = response


def send(model: BaseModel, status: int = 200, *, location: str = "") -> Response:
    """Answer with a model."""
    body = model.model_dump_json(by_alias=True).encode()
    response = Response(body, status, mimetype="application/json")
    if location:
        response.headers["Location"] = ROOT + location
    return response


def send_editable(model: BaseModel, status: int = 200, *, location: str = "") -> Response:
    """Answer with a model that can be changed, and its ETag; 304 if the caller has it already."""
    response = send(model, status, location=location)
    response.set_etag(_make_tag(model))
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method == "GET":
        response.make_conditional(request)
    return response


def require_match(model: BaseModel) -> None:
    """Refuse a change if the caller named another state than `model` (If-Match)."""
    if request.if_match and not request.if_match.contains(_make_tag(model)):
        raise RefusedEarly(make_problem(412, "It was changed meanwhile; read it again."))


def _make_tag(model: BaseModel) -> str:
    return hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:32]


def no_content() -> Response:
    """Answer that it is done."""
    return Response(status=204)


def make_cursor(row_id: int | None) -> str | None:
    """Return the cursor of the page behind a row."""
    return None if row_id is None else base64.urlsafe_b64encode(str(row_id).encode()).decode()


def read_cursor(cursor: str | None) -> int | None:
    """Return the row that a cursor stands for.

    Raises `RefusedEarly` for one that this program did not make.
    """
    if cursor is None:
        return None
    try:
        row_id = int(base64.urlsafe_b64decode(cursor.encode()).decode())
    except ValueError:
        row_id = -1
    if not 0 <= row_id < 2**63:
        raise RefusedEarly(
            make_problem(422, "Unknown cursor.", {"#/cursor": "is none of this program"})
        )
    return row_id
