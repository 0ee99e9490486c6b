"""Show a mail inside a frame, where it can run nothing and ask this program for nothing."""

from __future__ import annotations

from flask import Response

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox allow-popups"
)
"""The sandbox gives the mail an origin of its own: no script, no form, no cookie."""


def frame_mail(html: str) -> Response:
    """Answer with the HTML of a mail, to be shown in a frame of an author's page."""
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
