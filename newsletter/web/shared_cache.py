"""Let proxies cache public pages for a few seconds, with validators.

Only what is the same for everybody: no link with a token, no answer to a form, no error.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

blueprint = Blueprint("shared_cache", __name__)

KEEP_SECONDS = 5
"""Seconds for which a shared cache may serve a page; browsers revalidate each time."""
PUBLIC = frozenset(
    {
        "home.home",
        "home.mailing_list",
        "signup.embed",
        "archive.archive",
        "archive.show_campaign",
        "archive.archive_feed",
        "archive.sitemap",
    }
)
"""The endpoints of public pages."""
CONDITIONS = {
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
}
"""Headers of conditional requests."""


@blueprint.after_app_request
def share_public_pages(response: Response) -> Response:
    """Add ETag and Cache-Control to a public page."""
    if (
        request.endpoint not in PUBLIC
        or request.method not in ("GET", "HEAD")
        or response.status_code != 200
        or "no-store" in response.headers.get("Cache-Control", "")
    ):
        return response
    response.headers["Cache-Control"] = f"public, max-age=0, s-maxage={KEEP_SECONDS}"
    if "Accept-Language" not in response.headers.get("Vary", ""):
        response.vary.add("Accept-Language")
    if request.endpoint == "signup.embed":  # the form names the page that it stands in
        response.vary.add("Referer")
    response.add_etag()
    if CONDITIONS & request.environ.keys():
        response.make_conditional(request)
    return response
