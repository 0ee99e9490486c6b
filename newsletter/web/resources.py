"""Serve files for subscribers, whole or in ranges, by signed links."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, request, send_file
from flask_babel import gettext

from newsletter.errors import Refused
from newsletter.services import resources
from newsletter.services.runtime import environment
from newsletter.web import visits
from newsletter.web.responses import mark_private, render_message, render_page

blueprint = Blueprint("resources", __name__)

OPENED_IN_BROWSER = ("audio/", "video/", "image/png", "image/jpeg", "image/gif", "image/webp")
"""Media types that a browser may display; others are downloaded."""
FILE_POLICY = (
    "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)


@blueprint.get("/resources/<path:token>")
def resource(token: str) -> Response:
    """Serve a file by its link, or the page that mails subscribers a link.

    That page says nothing of the file.
    """
    if "." not in token:
        resources.require_resources([token])
        return mark_private(render_page("resource.html", name=token, error="", typed=""))
    try:
        file = resources.open_resource(environment(), token)
    except Refused:
        title = gettext("This file is for subscribers")
        return render_message(
            403, title, gettext("Subscribe once more, and the link works again."), again="/"
        )
    _allow_one_range()
    answer = send_file(
        file.path,
        mimetype=file.content_type,
        as_attachment=not file.content_type.startswith(OPENED_IN_BROWSER),
        download_name=file.filename,
        conditional=True,
        etag=file.digest,
        last_modified=file.created_at,
        max_age=0,
    )
    answer.headers["Content-Security-Policy"] = FILE_POLICY
    visits.count_file(answer, file.list_id, file.name)
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
        _read_range_from_file(answer, file.path)
    return mark_private(answer)


def _read_range_from_file(answer: Response, path: Path) -> None:
    """Let the WSGI server send a range directly from the file, if it can.

    Werkzeug would yield it piece by piece, each as soon as the visitor has read the one before,
    and hold a thread as long as they take.
    """
    wrap = request.environ.get("wsgi.file_wrapper")
    start = answer.content_range.start
    if wrap is None or start is None or request.method == "HEAD":
        return
    answer.response.close()  # type: ignore[union-attr]
    source = path.open("rb")
    source.seek(start)
    answer.response = wrap(source)
    answer.direct_passthrough = True


def _allow_one_range() -> None:
    """Remove a Range header that is not a single byte range, so that the whole file is sent.

    Source: RFC 9110 section 14.2.
    """
    if request.range is None or request.range.units != "bytes" or len(request.range.ranges) != 1:
        request.environ.pop("HTTP_RANGE", None)
