"""Show a mail inside a frame, where it can run nothing and ask this program for nothing."""

from __future__ import annotations

import re

from flask import Response
from markupsafe import Markup

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


def frame_words(words: str) -> Response:
    """Answer with a sentence in place of a mail that cannot be shown yet."""
    body = Markup(
        '<meta name="color-scheme" content="light dark">'
        '<body style="font: 1rem/1.5 sans-serif; padding: 1rem"><p>{}</p></body>'
    )
    return frame_mail(str(body.format(words)))


def frame_text(words: str) -> Response:
    """Answer with a plain text, to be shown in a frame of an author's page."""
    response = Response(words, mimetype="text/plain")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


_STYLES = re.compile(r"<style\b[^>]*>.*?</style>", re.S | re.I)
_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.I)


def show_scheme(html: str, *, dark: bool) -> str:
    """Return a mail as a dark or a light screen shows it, whatever the author's own screen is."""
    condition = "(min-width: 0)" if dark else "not all"
    rendered = _STYLES.sub(lambda styles: _DARK.sub(condition, styles[0]), html, count=5)
    scheme = "dark" if dark else "light"
    return rendered.replace(
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="color-scheme" content="{scheme}">',
        1,
    )
