"""Serve mails for sandboxed frames."""

from __future__ import annotations

import re

from flask import Response
from markupsafe import Markup

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox allow-popups"
)
"""The Content-Security-Policy of framed mails: sandboxed, without scripts, forms and cookies."""


def frame_mail(html: str) -> Response:
    """Return the HTML of a mail as a response for a frame."""
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def frame_words(words: str) -> Response:
    """Return a sentence as a response for a frame whose mail cannot be shown."""
    body = Markup(
        '<meta name="color-scheme" content="light dark">'
        '<body style="font: 1rem/1.5 sans-serif; padding: 1rem"><p>{}</p></body>'
    )
    return frame_mail(str(body.format(words)))


def frame_text(words: str) -> Response:
    """Return a plain text as a response for a frame."""
    response = Response(words, mimetype="text/plain")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


_STYLES = re.compile(r"<style\b[^>]*>.*?</style>", re.S | re.I)
_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.I)


def show_scheme(html: str, *, dark: bool) -> str:
    """Return a mail with the styles of a dark or light colour scheme."""
    condition = "(min-width: 0)" if dark else "not all"
    rendered = _STYLES.sub(lambda styles: _DARK.sub(condition, styles[0]), html, count=5)
    scheme = "dark" if dark else "light"
    return rendered.replace(
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="color-scheme" content="{scheme}">',
        1,
    )
