"""Fill the empty elements that a blog's own scripts fill from their attributes. Pure.

Squarespace keeps video and audio in attributes; Substack keeps embedded posts, tweets, galleries
and formulas there. The result is not safe HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import json
import re
from html import escape, unescape
from itertools import islice
from typing import Any

BOXES_AT_MOST = 100
"""Maximum number of empty elements that are filled in one post, so that a hostile post costs
bounded time."""
PICTURES_AT_MOST = 40
"""Maximum number of pictures that are shown of one gallery."""
_BOX = re.compile(r"<div\s([^<>]{1,30000})>(?=\s{0,99}</div\b)", re.I)
_VALUE = re.compile(r"""(?<![\w-])(class|data-[a-z-]{1,20})="([^"<>]*)\"""", re.I)
_KINDS = (
    "sqs-video-wrapper",
    "sqs-audio-embed",
    "digest-post-embed",
    "image-gallery-embed",
    "latex-rendered",
    "tweet",
    "instagram-embed-wrap",
    "comment",
    "native-video-embed",
    "native-audio-embed",
    "poll-embed",
)
"""CSS classes of elements that scripts of Squarespace or Substack fill."""


def fill_boxes(html: str) -> str:
    """Return `html` with the content that scripts would put into its empty elements."""
    if "data-attrs=" not in html and "sqs-" not in html:
        return html
    parts: list[str] = []
    position = 0
    for match in islice(_BOX.finditer(html), BOXES_AT_MOST):
        parts += [html[position : match.end()], _fill_box(match[1])]
        position = match.end()
    return "".join([*parts, html[position:]])


def _fill_box(attributes: str) -> str:
    """Return the content of an empty element by its attributes, "" if it is not known."""
    values = {name.lower(): unescape(value) for name, value in _VALUE.findall(attributes)}
    words = values.get("class", "").split()
    kind = next((word for word in words if word in _KINDS), "")
    if kind == "sqs-video-wrapper":
        return values.get("data-html", "")
    if kind == "sqs-audio-embed":
        address = values.get("data-url", "")
        title = values.get("data-title", "")
        return f'<audio src="{escape(address)}" title="{escape(title)}"></audio>' if address else ""
    return _write_attrs(kind, _read_attrs(values.get("data-attrs", ""))) if kind else ""


def _read_attrs(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _write_attrs(kind: str, values: dict[str, Any]) -> str:
    """Return the HTML of a Substack element from the values in its `data-attrs`."""
    match kind:
        case "digest-post-embed":
            return _render_link(values.get("canonical_url"), values.get("title"))
        case "tweet":
            writer = _render_link(values.get("url"), values.get("name") or values.get("username"))
            words = _read_text(values.get("full_text"))
            return f"<blockquote><p>{words}</p>{writer}</blockquote>" if words else writer
        case "instagram-embed-wrap":
            post = _read_text(values.get("instagram_id"))
            title = _read_text(values.get("title"))
            address = f"https://www.instagram.com/p/{post}/"
            return f'<iframe src="{address}" title="{title}"></iframe>' if post else ""
        case "comment":
            note = values.get("comment")
            return _write_note(note) if isinstance(note, dict) else ""
        case "native-video-embed":  # its address is known to its page alone, as those below
            return '<video src="#"></video>'
        case "native-audio-embed":
            return '<audio src="#"></audio>'
        case "poll-embed":
            return '<iframe src="#"></iframe>'
        case "latex-rendered":
            formula = _read_text(values.get("persistentExpression"))
            return f"<p><code>{formula}</code></p>" if formula else ""
        case _:
            return _write_gallery(values.get("gallery"))


def _write_note(note: dict[str, Any]) -> str:
    """Return a short post on Substack (a note) as a quotation."""
    words = _read_text(note.get("body"))
    handle = _read_text(note.get("handle"))
    number = note.get("id")
    page = f"https://substack.com/@{handle}/note/c-{number}" if isinstance(number, int) else ""
    writer = _render_link(page, note.get("name")) if handle else ""
    return f"<blockquote><p>{words}</p>{writer}</blockquote>" if words else writer


def _write_gallery(gallery: object) -> str:
    values = gallery if isinstance(gallery, dict) else {}
    images = values.get("images")
    rows = [row for row in images if isinstance(row, dict)] if isinstance(images, list) else []
    alt = _read_text(values.get("alt"))
    caption = _read_text(values.get("caption"))
    pictures = "".join(
        f'<img src="{_read_text(row.get("src"))}" alt="{alt}">' for row in rows[:PICTURES_AT_MOST]
    )
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{pictures}{words}</figure>" if pictures else ""


def _render_link(address: object, name: object) -> str:
    page = _read_text(address)
    words = _read_text(name)
    return f'<p><a href="{page}">{words or page}</a></p>' if page else ""


def _read_text(value: object) -> str:
    return escape(value) if isinstance(value, str) else ""
