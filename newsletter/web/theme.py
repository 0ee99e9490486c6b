"""Serve a list's colour and font as a stylesheet for its public pages."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.mail.theme import make_legible, make_theme
from newsletter.services.signup import forms

blueprint = Blueprint("theme", __name__)

GROUND = "#f6f4f0"
"""The background of pages in `style.css`, on which links must be legible."""
KEEP_SECONDS = 300


@blueprint.get("/<slug>/theme.css")
def theme(slug: str) -> Response:
    """Serve the stylesheet of a list; what the list does not set stays as in `style.css`."""
    look = forms.get_form(slug).look
    colors = make_theme(look.color, look.font)
    rules = []
    if look.color:
        rules.append(
            f":root {{ --accent: {make_legible(colors.accent, GROUND)}; --on-accent: #fff; }}"
        )
        rules.append(
            "@media (prefers-color-scheme: dark) { :root { "
            f"--accent: {colors.link_dark}; --on-accent: #10211d; }} }}"
        )
    if look.font:
        rules.append(f"html {{ font-family: {colors.font}; }}")
    answer = Response("\n".join([*rules, ""]), mimetype="text/css")
    answer.headers["Cache-Control"] = f"public, max-age={KEEP_SECONDS}"
    return answer
