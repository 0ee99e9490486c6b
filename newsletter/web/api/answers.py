"""Build the responses of API operations: bodies with ETags, pages, problem details."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import ClassVar, TypeVar

from flask import Response, request
from pydantic import BaseModel

from newsletter.access_vocabulary import NamedRow
from newsletter.errors import ChangedMeanwhile, NotFound
from newsletter.services import row_names
from newsletter.web.problems import make_problem

ROOT = "/api/v1"
TRIES = 20
"""Tries of a change that conflicts with others, before the caller gets an error."""

State = TypeVar("State")


class Editable(BaseModel):
    """A resource that can be changed; its ETag ignores the fields in `counted`."""

    counted: ClassVar[frozenset[str]] = frozenset()


class Problem(BaseModel):
    """Problem details of a refusal or failure (RFC 9457)."""

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
    """Raised to answer a request before its operation runs."""

    def __init__(self, response: Response) -> None:
        self.response = response


def send(model: BaseModel, status: int = 200, *, location: str = "") -> Response:
    """Return a response with a model as its body."""
    body = model.model_dump_json(by_alias=True).encode()
    response = Response(body, status, mimetype="application/json")
    if location:
        response.headers["Location"] = ROOT + location
    return response


def send_editable(model: Editable, status: int = 200, *, location: str = "") -> Response:
    """Return a response with a model and its ETag, or 304 if the caller has it already.

    What is counted may be other without any change, and is sent each time.
    """
    response = send(model, status, location=location)
    response.set_etag(_make_tag(model))
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method == "GET" and not model.counted:
        response.make_conditional(request)
    return response


def change(read: Callable[[], tuple[State, Editable]], write: Callable[[State], object]) -> None:
    """Apply a change if the resource still matches If-Match, without losing concurrent changes.

    `read` returns a state and how the caller sees it, `write` changes that state and raises
    `ChangedMeanwhile` if it is not the current one.
    """
    for _ in range(TRIES):
        state, model = read()
        if request.if_match and not request.if_match.contains(_make_tag(model)):
            raise RefusedEarly(make_problem(412, "It was changed meanwhile; read it again."))
        try:
            write(state)
            return
        except ChangedMeanwhile:
            continue
    raise ChangedMeanwhile


def _make_tag(model: Editable) -> str:
    body = model.model_dump_json(exclude=set(model.counted))
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def no_content() -> Response:
    """Return an empty response (204)."""
    return Response(status=204)


def make_cursor(kind: NamedRow, row_id: int | None) -> str | None:
    """Return the cursor of the page after a row."""
    return None if row_id is None else row_names.name_row(kind, row_id)


def read_cursor(kind: NamedRow, cursor: str | None) -> int | None:
    """Return the row id in a cursor.

    Raises `RefusedEarly` for one that this program did not make for such a listing.
    """
    if cursor is None:
        return None
    try:
        return row_names.get_row_id(kind, cursor)
    except NotFound:
        raise RefusedEarly(
            make_problem(422, "Unknown cursor.", {"#/cursor": "is not from this listing"})
        ) from None
