"""What a request's body may be: forms in UTF-8, and no larger than any of ours."""

from __future__ import annotations

from typing import IO, Any
from urllib.parse import parse_qsl

from flask import Blueprint, Request, current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from newsletter.services import counters

blueprint = Blueprint("request_body", __name__)

URLENCODED = "application/x-www-form-urlencoded"


class Parser(FormDataParser):
    """Reads bytes that are no UTF-8 as U+FFFD, which no address and no choice may have, as other
    bodies are read: Werkzeug would take them for the text ``%ED%A0%80``, and that for somebody's
    address (S09).
    """

    def parse(self, stream: IO[bytes], mimetype: str, *args: Any, **options: Any) -> Any:
        if mimetype != URLENCODED:
            return super().parse(stream, mimetype, *args, **options)
        found = parse_qsl(
            stream.read().decode("utf-8", "replace"), keep_blank_values=True, errors="replace"
        )
        return stream, self.cls(found), self.cls()


class FormRequest(Request):
    """A request whose forms are read by `Parser`."""

    form_data_parser_class = Parser


@blueprint.before_app_request
def no_larger_than_ours() -> None:
    """Refuse a body before it is read, also where nobody would read it."""
    if (request.content_length or 0) > current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge


@blueprint.before_app_request
def few_fields() -> None:
    """Refuse what no form of ours sends before it is read."""
    if len(request.query_string) > counters.QUERY_AT_MOST or "\0" in request.path:
        raise BadRequest
