"""Files for subscribers: in whole and in ranges, to whoever brings a link that is still good."""

from __future__ import annotations

from flask import Blueprint, Response, request, send_file
from flask_babel import gettext

from newsletter.errors import Refused
from newsletter.services import resources
from newsletter.services.runtime import environment
from newsletter.web.responses import mark_private, render_message, render_page

blueprint = Blueprint("resources", __name__)

SHOWN = ("audio/", "video/", "image/png", "image/jpeg", "image/gif", "image/webp")
"""What a browser shows or plays; everything else is saved."""
FILE_POLICY = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@blueprint.get("/resources/<path:token>")
def resource(token: str) -> Response:
    """The file; or, under its bare name, a page that mails subscribers their link and says nothing
    of the file.
    """
    if "." not in token:
        resources.require_resources([token])
        return mark_private(render_page("resource.html", name=token, error="", typed=""))
    try:
        found = resources.open_resource(environment(), token)
    except Refused:
        title = gettext("This file is for subscribers")
        return render_message(
            403, title, gettext("Subscribe once more, and the link works again."), again="/"
        )
    _one_range_at_most()
    answer = send_file(
        found.path,
        mimetype=found.content_type,
        as_attachment=not found.content_type.startswith(SHOWN),
        download_name=found.filename,
        conditional=True,
        etag=found.digest,
        last_modified=found.created_at,
        max_age=0,
    )
    answer.headers["Content-Security-Policy"] = FILE_POLICY
    return mark_private(answer)


def _one_range_at_most() -> None:
    """Take away a Range that is no single range of bytes: the whole file answers it (RFC 9110
    §14.2).
    """
    if request.range is None or request.range.units != "bytes" or len(request.range.ranges) != 1:
        request.environ.pop("HTTP_RANGE", None)
