"""Cache rendered pages that are the same for everybody, by their content.

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
"""The most cached pages, of a few kilobytes each."""
REMEMBERED = "newsletter-pages"
_MARK = secrets.token_hex(16)
"""A random mark for slots that cannot occur in content."""


def render_public_page(template: str, *, slots: Mapping[str, str], **content: Hashable) -> Response:
    """Render `template` from public `content`, cached, and fill in this visitor's `slots`.

    A form on it is empty.
    """
    remembered = current_app.extensions[REMEMBERED]
    pieces = remembered(
        template, current_language(), request.script_root, tuple(slots), tuple(content.items())
    )
    filled = [escape(slots[piece]) if number % 2 else piece for number, piece in enumerate(pieces)]
    return mark_language(Response("".join(filled), mimetype="text/html"))


def install(app: Flask) -> None:
    """Register a page cache with an application."""
    app.extensions[REMEMBERED] = lru_cache(maxsize=AT_MOST)(_render_pieces)


def _render_pieces(
    template: str,
    language: str,
    root: str,
    slots: tuple[str, ...],
    content: tuple[tuple[str, Hashable], ...],
) -> tuple[str, ...]:
    """Render a page, and split it into texts and names of slots, alternating.

    `language` and `root` (where the program is mounted) are what rendering looks up by itself.
    """
    marks = {name: f"{_MARK}{name}." for name in slots}
    html = render_template(template, values={}, errors={}, wrong={}, **dict(content), **marks)
    return tuple(re.split(rf"{_MARK}(\w+)\.", html))
