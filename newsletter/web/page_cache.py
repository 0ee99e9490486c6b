"""Render pages that are the same for everybody once, and keep them by their content.

The key is everything the template is given, read from the database for each visitor: a page whose
list, form, campaigns, language or frame has changed, in whatever process, is another page. What
belongs to one visitor is a slot, filled in afterwards and kept nowhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Mapping
from functools import lru_cache

from flask import Flask, Response, current_app, render_template, request
from markupsafe import escape

from newsletter.web.locale import current_language
from newsletter.web.responses import mark_language

AT_MOST = 500
"""Pages; of a few kilobytes each."""
REMEMBERED = "newsletter-pages"
_MARK = secrets.token_hex(16)
"""Nobody can write it into a title."""


def render_public_page(template: str, *, slots: Mapping[str, str], **content: Hashable) -> Response:
    """Render `template` from a `content` that everybody sees, with `slots` for this visitor.

    A form on it is empty.
    """
    remembered = current_app.extensions[REMEMBERED]
    pieces = remembered(
        template, current_language(), request.script_root, tuple(slots), tuple(content.items())
    )
    filled = [escape(slots[piece]) if number % 2 else piece for number, piece in enumerate(pieces)]
    return mark_language(Response("".join(filled), mimetype="text/html"))


def install(app: Flask) -> None:
    """Give `app` a cache of its own: each application has its own settings and templates."""
    app.extensions[REMEMBERED] = lru_cache(maxsize=AT_MOST)(_render_pieces)


def _render_pieces(
    template: str,
    language: str,
    root: str,
    slots: tuple[str, ...],
    content: tuple[tuple[str, Hashable], ...],
) -> tuple[str, ...]:
    """Return a page in pieces: text and the name of a slot by turns.

    `language` and `root` (where the program is mounted) are what rendering looks up by itself.
    """
    marks = {name: f"{_MARK}{name}." for name in slots}
    html = render_template(template, values={}, errors={}, wrong={}, **dict(content), **marks)
    return tuple(re.split(rf"{_MARK}(\w+)\.", html))
