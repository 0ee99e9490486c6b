"""Translate an inline style into a note about its meaning, for pictures.py and reduce.py. Pure.

Besides notes for hidden elements there are "lines" for a block whose line breaks are displayed,
"plain" for a bold or italic element that is neither, and "sup", "strong" and the like for text that
looks like those elements.
"""

from __future__ import annotations

import re

_TINY = re.compile(
    r"(?:^|;)\s*(?:max-)?(?:width|height)\s*:\s*"
    r"\+?0*(?:[0-2](?:\.\d*)?(?:px|pt|%)?|\.\d+[a-z]*)\s*(?:!|;|$)|"
    r"(?:^|;)\s*(?:left|top|right|text-indent)\s*:\s*-\d{3}|display\s*:\s*none|"
    r"visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)",
    re.I,
)
_SHOWN_WIDTH = re.compile(r"(?:^|;)\s*width\s*:\s*(\d{2,4})(?:\.\d{1,9})?px\s*(?:;|$)", re.I)
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.I)
_AS_TEXT = re.compile(
    r"(?:^|;)\s*(?:max-)?(?:height|width)\s*:\s*(?:1(?:\.\d{1,3})?|0?\.\d{1,3})\s*r?em", re.I
)
_CLIPPED = re.compile(
    r"clip\s*:\s*rect|(?:^|;)\s*(?:left|top)\s*:\s*-\d{3}|"
    r"display\s*:\s*none|visibility\s*:\s*hidden",
    re.I,
)
_HAS_ROOM = re.compile(r"(?:^|[;\s])min-(?:width|height)\s*:\s*[1-9]\d", re.I)
"""Pattern of the style of a frame that its script makes as wide as the page (Datawrapper)."""
_KEEPS_LINES = re.compile(
    r"(?:^|;)\s*white-space\s*:\s*(?:pre-(?:line|wrap)|pre|break-spaces)\b", re.I
)
_WITH_LINES = frozenset({"blockquote", "div", "li", "p", "section", "td"})
_UNBOLD = re.compile(r"(?:^|;)\s*font-(?:weight\s*:\s*(?:normal|[1-5]00)|style\s*:\s*normal)", re.I)
_MEANINGS = (
    ("sup", re.compile(r"(?:^|;)\s*vertical-align\s*:\s*super\b", re.I)),
    ("sub", re.compile(r"(?:^|;)\s*vertical-align\s*:\s*sub\b", re.I)),
    ("s", re.compile(r"(?:^|;)\s*text-decoration(?:-line)?\s*:\s*line-through\b", re.I)),
    ("strong", re.compile(r"(?:^|;)\s*font-weight\s*:\s*(?:bold|[6-9]00)", re.I)),
    ("em", re.compile(r"(?:^|;)\s*font-style\s*:\s*italic\b", re.I)),
)
"""Tags that mean what the style of a `span` looks like, as word processors write it."""
MEANT = frozenset(tag for tag, _ in _MEANINGS)


def note_style(tag: str, value: str) -> str | None:
    """Return the meaning of an element's style as a note, or None."""
    if tag == "img" and _AS_TEXT.search(value) and not _TINY.search(value):
        return "letter"
    if tag == "iframe":
        is_tiny = _TINY.search(value) and not _HAS_ROOM.search(value)
        return "tiny" if is_tiny or _CLIPPED.search(value) else None
    if tag == "img":
        width = _SHOWN_WIDTH.search(value)
        return "tiny" if _TINY.search(value) else width[1] if width else None
    if _NOT_SHOWN.search(value):
        return "hidden"
    if tag == "span":
        return next((name for name, pattern in _MEANINGS if pattern.search(value)), None)
    if tag in ("b", "strong", "i", "em"):
        return "plain" if _UNBOLD.search(value) else None
    return "lines" if tag in _WITH_LINES and _KEEPS_LINES.search(value) else None
