"""Rewrite links from one place of a post to another place of it. Pure."""

from __future__ import annotations

import re
from html import escape, unescape

from newsletter.html.links import make_absolute

_MARK = re.compile(r"\[?(\d{1,3}|[*†‡§a-z])\]?")
"""Pattern of the text of a link to a footnote."""
_BACK = re.compile(r"[\s\[\]^↩↵⏎↑⤴\ufe0e\ufe0f]+")
"""Pattern of the text of a link from a footnote back to its mark."""


def write_jump(place: str, inside: str, *, base_url: str, raised: bool, starts: bool) -> str:
    """Return a link within the post: a footnote's mark as text, any other to the blog's page.

    `raised`: the link is inside a `sup`; `starts`: it is at the start of a paragraph.
    """
    if place == "#":  # the post's own scripts would act on it
        return inside
    words = unescape(re.sub(r"<[^<>]*>", "", inside)).strip()
    if mark := _MARK.fullmatch(words):
        label = f"[{mark[1]}]"
        return label if raised else f"<sup>{label}</sup>{' ' if starts else ''}"
    if not words or _BACK.fullmatch(words):
        return ""
    link = make_absolute(place, base_url=base_url)
    return f'<a href="{escape(link)}">{inside}</a>' if link else inside
