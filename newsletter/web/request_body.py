"""Read the bodies of requests: forms in UTF-8, and no larger than any form of ours."""

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
"""Bytes of a provider's report: SendGrid sends up to 768 KB at once."""

BODIES_AT_MOST = {"hooks.receive": REPORT_AT_MOST}
"""Bytes that a body may have, by endpoint, where they are more than a form's."""

QUERY_AT_MOST = 4096
"""Bytes of an address after its question mark."""

NO_TEXT = "\ufffd"
URLENCODED = "application/x-www-form-urlencoded"


FORMS_AT_MOST: dict[str, int] = {}
"""Bytes of the fields of a form that is no file, by endpoint, where they are more than usual."""


def allow_body(endpoint: str, at_most: int, *, form_at_most: int = 0) -> None:
    """Raise the ceilings of an endpoint, in bytes: of whole bodies, of fields that are no files."""
    BODIES_AT_MOST[endpoint] = at_most
    if form_at_most:
        FORMS_AT_MOST[endpoint] = form_at_most


FIELDS_AT_MOST = 5_000
"""Fields of a form that is no multipart one."""


class Parser(FormDataParser):
    """Parses forms; bytes that are not UTF-8, and NUL, become U+FFFD.

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
        """Read a form of no more bytes and fields than one may have.

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
    """Read the JSON object that is the body; a lone surrogate in it becomes U+FFFD, as in forms.

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
    """A request's body as the server reads it; a body that it cannot read is the visitor's error.

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
    """Refuse a body that is too large before it is read, also where no page would read it."""
    at_most = current_app.config["MAX_CONTENT_LENGTH"]
    if request.endpoint in BODIES_AT_MOST:
        at_most = request.max_content_length = BODIES_AT_MOST[request.endpoint]
    if request.endpoint in FORMS_AT_MOST:
        request.max_form_memory_size = FORMS_AT_MOST[request.endpoint]
    if (request.content_length or 0) > at_most:
        raise RequestEntityTooLarge


@blueprint.before_app_request
def refuse_foreign_shapes() -> None:
    """Refuse a request of more than one host, or with what no form of ours sends."""
    too_long = len(request.query_string) > QUERY_AT_MOST
    if too_long or "\0" in request.path or b"%00" in request.query_string:
        raise BadRequest
    if "," in request.headers.get("Host", ""):  # servers join two headers with a comma
        raise BadRequest
