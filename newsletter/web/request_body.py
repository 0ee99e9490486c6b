"""Parse request bodies within limits: forms in UTF-8, JSON objects."""

from __future__ import annotations

import json
import re
from io import RawIOBase
from typing import IO, Any
from urllib.parse import parse_qsl

from flask import Blueprint, Request, current_app, request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

blueprint = Blueprint("request_body", __name__)

REPORT_AT_MOST = 1024 * 1024
"""The most bytes of a provider's report; SendGrid sends up to 768 KB at once."""

BODIES_AT_MOST = {"hooks.receive": REPORT_AT_MOST}
"""Higher limits of bodies in bytes, by endpoint."""

QUERY_AT_MOST = 4096
"""The most bytes of a query string."""

NO_TEXT = "\ufffd"
URLENCODED = "application/x-www-form-urlencoded"


FORMS_AT_MOST: dict[str, int] = {}
"""Higher limits of a form's fields in bytes, without files, by endpoint."""


def allow_body(endpoint: str, at_most: int, *, form_at_most: int = 0) -> None:
    """Set the limits of an endpoint in bytes: of the body, and of fields without files."""
    BODIES_AT_MOST[endpoint] = at_most
    if form_at_most:
        FORMS_AT_MOST[endpoint] = form_at_most


FIELDS_AT_MOST = 5_000
"""The most fields of a URL-encoded form."""


class Parser(FormDataParser):
    """A form parser that replaces NUL and bytes that are not UTF-8 by U+FFFD.

    No address and no choice contains that character. Werkzeug would take the former for the text
    ``%ED%A0%80``, and that for somebody's address (S09); PostgreSQL takes no text with the latter.
    """

    def parse(self, stream: IO[bytes], mimetype: str, *args: Any, **options: Any) -> Any:
        """Parse a body, as Werkzeug's parser does."""
        if mimetype != URLENCODED:
            stream, form, files = super().parse(stream, mimetype, *args, **options)
            fields = list(form.items(multi=True))
        else:
            fields = self._read_fields(stream)
            files = self.cls()
        clean = [
            (name.replace("\0", NO_TEXT), text.replace("\0", NO_TEXT)) for name, text in fields
        ]
        return stream, self.cls(clean), files

    def _read_fields(self, stream: IO[bytes]) -> list[tuple[str, str]]:
        """Read a URL-encoded form within the limits of bytes and fields.

        Raises `RequestEntityTooLarge`.
        """
        at_most = self.max_form_memory_size
        body = stream.read() if at_most is None else stream.read(at_most + 1)
        if at_most is not None and len(body) > at_most:
            raise RequestEntityTooLarge
        if body.count(b"&") >= FIELDS_AT_MOST:
            raise RequestEntityTooLarge
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json_object() -> dict[str, Any]:
    """Parse the body as a JSON object; lone surrogates become U+FFFD, as in forms.

    Raises `BadRequest`.
    """
    try:
        typed = json.dumps(request.get_json(), ensure_ascii=False)
    except RecursionError:
        raise BadRequest from None
    body = json.loads(_LONE_SURROGATE.sub("\ufffd", typed))
    if not isinstance(body, dict):
        raise BadRequest
    return body


class BodyStream(RawIOBase):
    """The request's body as a stream that reports malformed bodies as client errors.

    Servers raise exceptions of their own for a broken chunk or a connection that was cut.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def readable(self) -> bool:
        """Tell that the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read bytes into `buffer`; return their number.

        Raises `BadRequest`.
        """
        try:
            data = self._source.read(len(buffer))
        except HTTPException:
            raise
        except Exception as error:
            raise BadRequest("the body cannot be read") from error
        buffer[: len(data)] = data
        return len(data)


class FormRequest(Request):
    """A request whose body is a `BodyStream` and whose forms are read by `Parser`."""

    form_data_parser_class = Parser

    def __init__(self, environ: dict[str, Any], *args: Any, **options: Any) -> None:
        if not isinstance(environ["wsgi.input"], BodyStream):
            environ["wsgi.input"] = BodyStream(environ["wsgi.input"])
        super().__init__(environ, *args, **options)


@blueprint.before_app_request
def refuse_large_bodies() -> None:
    """Refuse a body that is too large before it is read."""
    at_most = current_app.config["MAX_CONTENT_LENGTH"]
    if request.endpoint in BODIES_AT_MOST:
        at_most = request.max_content_length = BODIES_AT_MOST[request.endpoint]
    if request.endpoint in FORMS_AT_MOST:
        request.max_form_memory_size = FORMS_AT_MOST[request.endpoint]
    if (request.content_length or 0) > at_most:
        raise RequestEntityTooLarge


@blueprint.before_app_request
def refuse_foreign_shapes() -> None:
    """Refuse malformed requests: several Host headers, NUL, a long query."""
    too_long = len(request.query_string) > QUERY_AT_MOST
    if too_long or "\0" in request.path or b"%00" in request.query_string:
        raise BadRequest
    if "," in request.headers.get("Host", ""):  # servers join two headers with a comma
        raise BadRequest
